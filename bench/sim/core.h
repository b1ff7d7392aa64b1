/* SPDX-License-Identifier: MIT */
/*
 * core.h - logical cores: coroutines of one OS thread, each with a thread slot of its own (base/thread.h).
 *
 * A core runs until it is switched away from: by the scheduler's `before` (any access of the engine may switch), or
 * because it sleeps, yields or ends. The program's own thread is a core, too: number CORE_MAIN; it sets maps up, and
 * sleeps in core_run. Threads that the library starts (rcu.c's worker) become cores that nobody waits for.
 *
 * What the kernel would do is simulated (kernel.c), what liburcu would do as well (grace.c); everything above that,
 * base/park, base/rcu and base/thread included, is the engine's own code.
 *
 * TIME  is virtual: what clock_gettime says is scheduler->now(). Sleepers with a deadline are woken by core_wake_due,
 *       which the scheduler calls when it likes; if nobody can run, time jumps to the earliest of them.
 */
#ifndef BENCH_SIM_CORE_H
#define BENCH_SIM_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/thread.h"

#define CORE_MAX  1032                   /* 1,024 that work, and what the library starts                           */
#define CORE_MAIN UINT32_MAX
#define CORE_NEVER UINT64_MAX

enum core_state {
	CORE_IDLE,                       /* has nothing to do: never started, or ended                              */
	CORE_READY,
	CORE_FUTEX,                      /* asleep on a word, perhaps until a time                                  */
	CORE_NAP,                        /* asleep until a time                                                     */
	CORE_JOIN,                       /* CORE_MAIN, in core_run                                                  */
};

struct core {
	uint32_t number;
	enum core_state state;
	bool daemon;                     /* started by the library: core_run does not wait for it                   */
	bool timed_out;
	bool forks;                      /* the process: what it waits for ends in spite of its read section        */
	const void *word;                /* CORE_FUTEX: what it sleeps on                                           */
	uint64_t until;                  /* CORE_FUTEX, CORE_NAP: virtual time in ns; CORE_NEVER                    */
	uint64_t nap_number;             /* order of going to sleep: the kernel wakes the oldest first              */
	struct thread_slot *slot;        /* its thread_current, while another core runs                             */
	void *exit_value;                /* of the library's pthread key                                            */
	void (*fn)(void *arg);
	void *arg;
	void *sp;                        /* while another core runs                                                 */
	char *stack;
	uint64_t time;                   /* the scheduler's: virtual time of this core                              */
	uint64_t work[6];                /* the scheduler's                                                         */
};

enum core_why {                          /* why somebody else may, or must, run on                                 */
	CORE_YIELDED,                    /* sched_yield, or a spin that has looked for long                         */
	CORE_SLEEPS,                     /* it cannot run on until it is woken                                      */
	CORE_ENDED,
};

enum core_call {                         /* what a core asked of the kernel or of liburcu                          */
	CORE_CALL_WAIT,                  /* futex: goes to sleep on a word                                          */
	CORE_CALL_WAKE,                  /* futex: wakes who sleeps on a word                                       */
	CORE_CALL_WOKEN,                 /* told by the waker, about each core that it woke                         */
	CORE_CALL_STARTED,               /* told by who gave it something to do: it is ready                        */
	CORE_CALL_BARRIER,               /* membarrier: every core has executed a full barrier                      */
	CORE_CALL_YIELD,
	CORE_CALL_NAP,
	CORE_CALL_GRACE_BEGIN,           /* liburcu's grace period                                                  */
	CORE_CALL_GRACE_END,
	CORE_CALL_SECTION_BEGIN,         /* outermost read section of the calling core                              */
	CORE_CALL_SECTION_END,
	CORE_CALL_LOST,                  /* told about each core that core_lose_others ends                         */
};

struct core_scheduler {
	/* Who runs on; `from` itself only if it is ready. NULL: whoever comes next in turn, time jumping if need be. */
	struct core *(*next)(struct core *from, enum core_why why);
	uint64_t (*now)(void);           /* virtual ns; NULL: a clock that counts switches                          */
	/* NULL, or: told before it is done. about: the core that was woken, else core_current; at: the word. */
	void (*call)(enum core_call call, struct core *about, const void *at);
};

extern struct core *core_current;                /* never NULL                                                     */
extern const struct core_scheduler *core_scheduler;

/* Makes n cores (1 to 1,024) that have nothing to do, and the calling thread CORE_MAIN. Once in a process. */
void core_begin(uint32_t n);
uint32_t core_count(void);                       /* n, and the daemons'                                             */
struct core *core_at(uint32_t number);
/* Gives core `number` something to do; it is ready from then on. What it leaves behind, its slot too, stays for its
 * next life. */
void core_give(uint32_t number, void (*fn)(void *arg), void *arg);
/* Lets the cores run until each that was given something has ended: 0; -EDEADLK: some sleep, and nobody can wake them
 * (they stay as they are). */
int  core_run(void);
/* Lets the daemons run until all of them sleep without a deadline that is due (time may jump by up to ns). */
void core_settle(uint64_t ns);
/* The calling core's slot is given back, as at a thread's exit; its next life takes another one. */
void core_thread_exit(void);

/* By a core, as in the child of a fork: it is the only one from now on. What the others hold they hold for ever. */
void core_lose_others(void);

/* By a core: core_run returns at once, all others stay as they are, until a picture is put back. */
_Noreturn void core_abandon(void);

/* ---- for schedulers ---- */
void core_switch(struct core *to);               /* the calling core stays ready, or what its state says            */
bool core_wake_due(uint64_t now);                /* makes sleepers whose time has come ready; false: none           */
bool core_wake_timed(struct core *c, uint64_t now);      /* the same of one                                         */
uint64_t core_earliest(void);                    /* when the next sleeper's time comes; CORE_NEVER                  */
struct core *core_next_in_turn(struct core *from);       /* ready ones in the order of their numbers; NULL: none    */
/* Stacks do not begin at the same place of their pages: else all of them were in the same few sets of a cache. */
#define CORE_STACK_BYTES (UINT64_C(256) << 10)
#define CORE_STACK_SHIFT(number) ((number) * UINT64_C(448) % 16384)
#define CORE_STACKS      UINT64_C(0x210000000000)        /* of all cores, a guard page below each                   */
#define CORE_STACKS_BYTES (CORE_MAX * (CORE_STACK_BYTES + 4096))

/* An address in that core's own stack? */
static inline bool core_on_stack(const struct core *core, uintptr_t at)
{
	return at - (uintptr_t)core->stack < CORE_STACK_BYTES;
}

/* ---- for undo.c: all cores, their stacks included, as they are while nobody but CORE_MAIN runs; and back, from
 * wherever they have come: the caller is CORE_MAIN then. Memory is undo.c's business. ---- */
struct core_picture;
struct core_picture *core_picture_take(void);
void core_picture_put_back(const struct core_picture *picture);
void core_picture_free(struct core_picture *picture);

/* ---- for kernel.c and grace.c ---- */
struct core *core_spawn(void (*fn)(void *arg), void *arg);       /* a daemon; NULL: no room                         */
void core_sleep(enum core_state how, const void *word, uint64_t until);  /* returns when woken; see timed_out       */
uint32_t core_wake(const void *word, uint32_t n);
void core_yield(void);
uint64_t core_now(void);
void core_tell(enum core_call call, struct core *about, const void *at);

#endif
