/* SPDX-License-Identifier: MIT */
/*
 * thread.h - who am I: the dense number ("slot") of a live thread, from its first call to its exit.
 *
 * The only state of the process that is not inside an instance. A thread registers itself at its first call and
 * leaves through a pthread key made at load time; its number goes to the next thread. Nothing else may use TLS or
 * the CPU's number, so that a simulator of many logical cores can replace this file.
 *
 * Per-slot data of an instance (caches, counters, lists) lives in a `struct thread_local_table` of that instance:
 * a two-level table of blocks, made on first use, kept when the thread exits and taken over by the slot's next owner.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/site.h"

#define THREAD_MAX       1024            /* live threads at a time; one more waits in its first call for a free slot */

struct thread_slot {
	uint32_t number;                 /* 0 .. THREAD_MAX - 1                                             [const]  */
	uint32_t in_use;                 /* under the registry's mutex                                               */
	atomic_u64 rcu_word;             /* base/rcu: epoch * 2 + 1 while inside a read section, else 0              */
	uint32_t rcu_nest;               /* owner only                                                               */
	uint32_t park_count;             /* owner only: entries into base/park by this thread (see park.h)           */
	uint64_t acquisitions;           /* owner only, never reset over the slot's lives: makes numbers unique      */
	void *rcu_private;               /* base/rcu: retire list of this slot                                       */
	atomic_u64 park_blocked;         /* entered park_wait, or spun more than 1,000 times; grows over all lives   */

	/* Owner only; zeroed when the slot is given to a thread. */
	uint64_t mem_fail_nth;           /* base/mem: 0 = off, 1 = the next allocation fails                         */
	uint32_t mem_fail_fired, mem_fail_lasts;
	uint32_t park_spins;             /* base/park: how long spinning has paid lately                             */
	uint64_t deadline_ns;            /* base/park: until when the present call may wait; PARK_FOREVER by default */
	uint32_t holds;                  /* ranges held between two calls, of any map; locks before these: try only  */
	const char *point_role;          /* base/point: name in a script                                             */
	uint64_t site_nth;               /* base/site: as mem_fail_nth                                               */
	uint32_t site_lasts, site_fired;
	uint64_t point_random;           /* base/point: state of the random yields                                   */
	void (*count_fn)(const volatile void *where, void *arg);         /* base/count                               */
	void *count_arg;
} PAIR_ALIGNED;

/*
 * Thread-locals of the library are initial-exec: a load at a known distance from the thread pointer. What position-
 * independent code does by default is a call, __tls_get_addr, which may allocate memory: not under a malloc that uses
 * us. They have 16 bytes. Not so liburcu's reader, in each full read section (rcu_inline.h): with it the library wants
 * 384 bytes more of static room, and a program that runs already could not open it ("cannot allocate memory in static
 * TLS block"; install.consume tries). Programs that link it statically have no such call, their linker sees to that;
 * in the shared library what must have none takes a brief section (rcu.h).
 */
extern __thread struct thread_slot *thread_current __attribute__((tls_model("initial-exec")));

struct thread_slot *thread_register(void);       /* slow path of thread_self; sleeps while all slots are taken      */

static ALWAYS_INLINE struct thread_slot *thread_self(void)
{
	struct thread_slot *t = thread_current;

	return likely(t != NULL) ? t : thread_register();
}

/* For base/atfork. usable false: the child's thread has no slot any more; to ask for one ends the process. */
void thread_fork_prepare(void);
void thread_fork_parent(void);
void thread_fork_child(bool usable);

/* Slots [0, thread_count()) have been used at least once. thread_at(i) is never NULL for them. */
uint32_t thread_count(void);
struct thread_slot *thread_at(uint32_t number);

/* Until when calls of this thread may wait from here on (base/park.h); returns what held before, to be put back. What
 * calls the user's code (a pager) sets PARK_FOREVER around it. */
static ALWAYS_INLINE uint64_t thread_deadline(struct thread_slot *t, uint64_t deadline_ns)
{
	uint64_t before = t->deadline_ns;

	t->deadline_ns = deadline_ns;
	return before;
}

/* Unique in the process, even, never 0: slot number << 40 | its count << 1. One per acquisition of a range. */
static ALWAYS_INLINE uint64_t thread_next_number(struct thread_slot *t)
{
	return (uint64_t)(t->number + 1) << 41 | ++t->acquisitions << 1;
}

/*
 * Called in the exiting thread, before its slot is given away, for each registered hook. Several threads may run
 * the same hook at once, for different slots. A hook may retire, free and lock, but not add or remove hooks.
 */
struct thread_exit_hook {
	void (*fn)(struct thread_exit_hook *hook, uint32_t slot);        /* set by the caller, the rest by thread.c */
	struct thread_exit_hook *next, **link;
	uint32_t running;                /* calls of it going on             } under the registry's mutex            */
	bool closing;                    /* being removed: not called again  }                                       */
};
void thread_exit_hook_add(struct thread_exit_hook *hook);
void thread_exit_hook_remove(struct thread_exit_hook *hook);     /* returns when no call of it is running; may sleep */

/* ---- per-slot blocks of an instance ---- */
#define THREAD_CHUNK 32
struct thread_local_table {
	_Atomic(void **) chunk[THREAD_MAX / THREAD_CHUNK];
	size_t block_bytes;                                      /* rounded up to CACHE_PAIR                     */
};
int   thread_local_init(struct thread_local_table *t, size_t block_bytes);
/* The block of slot `number`, zeroed when made; NULL only for want of memory. */
void *thread_local_make(struct thread_local_table *t, uint32_t number);
void  thread_local_free(struct thread_local_table *t, void (*fini)(void *block, void *arg), void *arg);
/* NULL if that slot has none yet. */
static ALWAYS_INLINE void *thread_local_at(struct thread_local_table *t, uint32_t number)
{
	void **chunk = atomic_load_acquire(&t->chunk[number / THREAD_CHUNK]);            /* B2 -> B1 */

	if (!chunk)
		return NULL;
	return (void *)atomic_load_acquire((_Atomic(void *) *)&chunk[number % THREAD_CHUNK]);   /* B2 -> B1 */
}
/* void *thread_local_mine(struct thread_local_table *t, struct thread_slot *self): the caller's, made if it has none;
 * NULL only for want of memory. A macro: each use is a site. */
#define thread_local_mine(t, self) __extension__ ({ \
	struct thread_local_table *table_ = (t); \
	uint32_t number_ = (self)->number; \
	void *block_ = thread_local_at(table_, number_); \
	likely(block_ != NULL) ? block_ \
			       : BASE_SITE(SITE_MEMORY, thread_local_make(table_, number_), NULL); })

#endif
