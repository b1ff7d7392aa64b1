/* SPDX-License-Identifier: MIT */
/*
 * core.c - logical cores: their stacks, switching, sleeping and waking.
 *
 * A switch saves the callee's registers on the old stack and takes them from the new one. What one OS thread has once
 * and each core needs for itself is exchanged: thread_current, and the value of the library's pthread key (kernel.c).
 * On machines other than x86-64 (and with CORE_UCONTEXT, to try that here) libc's ucontext switches, and a picture of a
 * core is its whole stack: the same runs, a fifth slower.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "bench/sim/access.h"
#include "bench/sim/core.h"
#include "bench/sim/kernel.h"

#define STACK_BYTES CORE_STACK_BYTES
#define GUARD_BYTES UINT64_C(4096)

static struct core core_main;
struct core *core_current = &core_main;
const struct core_scheduler *core_scheduler;
const struct access_listener *access_listener;

static struct core core_of[CORE_MAX];
static struct core core_main = { .number = CORE_MAIN, .state = CORE_READY };
/* What a core sleeps on and until when, once more, where many can be looked through; awake: NULL, CORE_NEVER. */
static const void *word_of[CORE_MAX];
static uint64_t until_of[CORE_MAX];
static uint32_t cores, workers;          /* cores: all that were ever made; workers: those of core_begin           */
static uint32_t busy;                    /* workers that have something to do                                      */
static uint64_t naps, ticks;
static bool stuck;                       /* core_run ends because nobody can run                                   */

/* ---- switching ---- */

#if defined(__x86_64__) && !defined(CORE_UCONTEXT)
/* void core_exchange(void **save, void *sp): the registers that a call preserves, on the stack. */
void core_exchange(void **save, void *sp);
__asm__(".text\n.globl core_exchange\n.hidden core_exchange\n.type core_exchange,@function\ncore_exchange:\n"
	"	pushq %rbp\n	pushq %rbx\n	pushq %r12\n	pushq %r13\n	pushq %r14\n	pushq %r15\n"
	"	movq %rsp, (%rdi)\n	movq %rsi, %rsp\n"
	"	popq %r15\n	popq %r14\n	popq %r13\n	popq %r12\n	popq %rbx\n	popq %rbp\n"
	"	ret\n.size core_exchange,.-core_exchange\n");

static void *first_sp(char *stack, size_t bytes, void (*entry)(void))
{
	/* As if `entry` had been called: the return address at 16 n + 8, six registers below. */
	uint64_t *sp = (uint64_t *)(void *)(stack + bytes - 64);

	*--sp = 0;
	*--sp = (uint64_t)(uintptr_t)entry;
	for (int i = 0; i < 6; i++)
		*--sp = 0;
	return sp;
}
#else
#include <ucontext.h>
static void core_exchange(void **save, void *sp)
{
	ucontext_t here;

	*save = &here;
	CHECK(swapcontext(&here, sp) == 0);
}

static void *first_sp(char *stack, size_t bytes, void (*entry)(void))
{
	ucontext_t *first = calloc(1, sizeof(*first));

	CHECK(first != NULL && getcontext(first) == 0);
	first->uc_stack.ss_sp = stack;
	first->uc_stack.ss_size = bytes;
	makecontext(first, entry, 0);
	return first;
}
#endif

void core_switch(struct core *to)
{
	struct core *from = core_current;

	if (to == from)
		return;
	from->slot = thread_current;
	core_current = to;
	thread_current = to->slot;
	core_exchange(&from->sp, to->sp);
}

/* Who runs when the calling core cannot, or would rather not. */
static void pass_on(enum core_why why)
{
	struct core *from = core_current, *to = NULL;

	if (core_scheduler != NULL && core_scheduler->next != NULL)
		to = core_scheduler->next(from, why);
	while (to == NULL) {
		uint64_t earliest;

		to = core_next_in_turn(from);
		if (to != NULL)
			break;
		earliest = core_earliest();
		if (earliest == CORE_NEVER || !core_wake_due(earliest)) {
			stuck = true;
			CHECK(core_main.state == CORE_JOIN);     /* else a set-up waits for ever */
			core_main.state = CORE_READY;
			to = &core_main;
		}
	}
	core_switch(to);
}

static void body(void)
{
	for (;;) {
		struct core *self = core_current;

		self->fn(self->arg);
		self->state = CORE_IDLE;
		if (!self->daemon && --busy == 0 && core_main.state == CORE_JOIN)
			core_main.state = CORE_READY;
		pass_on(CORE_ENDED);
	}
}

static struct core *make(void)
{
	struct core *c;
	char *memory;

	if (cores == CORE_MAX)
		return NULL;
	c = &core_of[cores];
	if (c->stack == NULL) {
		memory = (char *)(uintptr_t)CORE_STACKS + cores * (STACK_BYTES + GUARD_BYTES);
		CHECK(mmap(memory, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == memory);
		CHECK(mprotect(memory, GUARD_BYTES, PROT_NONE) == 0);
		c->stack = memory + GUARD_BYTES;
	}
	c->number = cores++;
	until_of[c->number] = CORE_NEVER;
	c->sp = first_sp(c->stack, STACK_BYTES - CORE_STACK_SHIFT(c->number), body);
	return c;
}

void core_begin(uint32_t n)
{
	CHECK(cores == 0 && n > 0 && n <= THREAD_MAX);
	while (workers < n) {
		CHECK(make() != NULL);
		workers++;
	}
}

uint32_t core_count(void)
{
	return cores;
}

struct core *core_at(uint32_t number)
{
	return number == CORE_MAIN ? &core_main : &core_of[number];
}

void core_give(uint32_t number, void (*fn)(void *arg), void *arg)
{
	struct core *c = &core_of[number];

	CHECK(number < workers && c->state == CORE_IDLE);
	c->fn = fn;
	c->arg = arg;
	c->state = CORE_READY;
	busy++;
	core_tell(CORE_CALL_STARTED, c, NULL);
}

int core_run(void)
{
	CHECK(core_current == &core_main);
	if (busy == 0)
		return 0;
	stuck = false;
	core_main.state = CORE_JOIN;
	pass_on(CORE_SLEEPS);
	return stuck ? -EDEADLK : 0;
}

struct core *core_spawn(void (*fn)(void *arg), void *arg)
{
	struct core *c = make();

	if (c == NULL)
		return NULL;
	c->daemon = true;
	c->fn = fn;
	c->arg = arg;
	c->time = core_current->time;
	c->state = CORE_READY;
	core_tell(CORE_CALL_STARTED, c, NULL);
	return c;
}

/* ---- sleeping ---- */

void core_tell(enum core_call call, struct core *about, const void *at)
{
	if (core_scheduler != NULL && core_scheduler->call != NULL)
		core_scheduler->call(call, about, at);
}

uint64_t core_now(void)
{
	return core_scheduler != NULL && core_scheduler->now != NULL ? core_scheduler->now() : ++ticks;
}

static bool sleeps(const struct core *c)
{
	return c->state == CORE_FUTEX || c->state == CORE_NAP;
}

static void enter(struct core *c, enum core_state state)
{
	c->state = state;
	if (c == &core_main)
		return;
	word_of[c->number] = state == CORE_FUTEX ? c->word : NULL;
	until_of[c->number] = sleeps(c) ? c->until : CORE_NEVER;
}

void core_sleep(enum core_state how, const void *word, uint64_t until)
{
	struct core *self = core_current;

	self->word = word;
	self->until = until;
	enter(self, how);
	self->timed_out = false;
	self->nap_number = ++naps;
	pass_on(CORE_SLEEPS);
}

static struct core *oldest_on(const void *word)
{
	struct core *oldest = core_main.state == CORE_FUTEX && core_main.word == word ? &core_main : NULL;

	for (uint32_t i = 0; i < cores; i++)
		if (word_of[i] == word && (oldest == NULL || core_of[i].nap_number < oldest->nap_number))
			oldest = &core_of[i];
	return oldest;
}

uint32_t core_wake(const void *word, uint32_t n)
{
	uint32_t woken = 0;

	while (woken < n) {
		struct core *c = oldest_on(word);

		if (c == NULL)
			break;
		enter(c, CORE_READY);
		core_tell(CORE_CALL_WOKEN, c, word);
		woken++;
	}
	return woken;
}

void core_yield(void)
{
	pass_on(CORE_YIELDED);
}

uint64_t core_earliest(void)
{
	uint64_t earliest = sleeps(&core_main) ? core_main.until : CORE_NEVER;

	for (uint32_t i = 0; i < cores; i++)
		earliest = until_of[i] < earliest ? until_of[i] : earliest;
	return earliest;
}

bool core_wake_timed(struct core *c, uint64_t now)
{
	if (!sleeps(c) || c->until == CORE_NEVER || c->until > now)
		return false;
	c->timed_out = c->state == CORE_FUTEX;
	enter(c, CORE_READY);
	if (ticks < now)
		ticks = now;
	return true;
}

bool core_wake_due(uint64_t now)
{
	bool woke = core_wake_timed(&core_main, now);

	for (uint32_t i = 0; i < cores; i++)
		if (until_of[i] <= now)
			woke |= core_wake_timed(&core_of[i], now);
	return woke;
}

struct core *core_next_in_turn(struct core *from)
{
	uint32_t first = from->number == CORE_MAIN ? 0 : from->number + 1;

	if (from != &core_main && core_main.state == CORE_READY)
		return &core_main;
	for (uint32_t i = 0; i < cores; i++) {
		struct core *c = &core_of[(first + i) % cores];

		if (c->state == CORE_READY)
			return c;
	}
	return core_main.state == CORE_READY ? &core_main : NULL;
}

void core_settle(uint64_t ns)
{
	CHECK(core_current == &core_main);
	core_sleep(CORE_NAP, NULL, core_now() + ns);
}

/* ---- the same again ---- */

void core_lose_others(void)
{
	for (uint32_t i = 0; i < cores; i++) {
		struct core *c = &core_of[i];

		if (c == core_current || c->state == CORE_IDLE)
			continue;
		busy -= !c->daemon;
		c->exit_value = NULL;
		c->slot = NULL;
		enter(c, CORE_IDLE);
		core_tell(CORE_CALL_LOST, c, NULL);
	}
}

_Noreturn void core_abandon(void)
{
	core_main.state = CORE_READY;
	core_current->state = CORE_IDLE;
	core_switch(&core_main);
	__builtin_unreachable();
}

void core_thread_exit(void)
{
	kernel_thread_exit();
}

struct core_picture {
	uint32_t cores, busy;
	uint64_t naps, ticks;
	struct thread_slot *slot;        /* CORE_MAIN's, which runs                                                 */
	struct core main;
	struct { struct core core; char *stack; } of[];
};

#if defined(__x86_64__) && !defined(CORE_UCONTEXT)
/* Below its stack pointer there is nothing that a core needs again. */
static const char *live(const struct core *c) { return c->sp; }
#else
/* Where ucontext keeps the registers of a core is its own business; that of a core which never ran is in the heap. */
static const char *live(const struct core *c) { return c->stack; }
#endif

static size_t live_bytes(const struct core *c)
{
	return (size_t)(c->stack + STACK_BYTES - live(c));
}

struct core_picture *core_picture_take(void)
{
	struct core_picture *p = calloc(1, sizeof(*p) + cores * sizeof(p->of[0]));

	CHECK(p != NULL && core_current == &core_main);
	*p = (struct core_picture){ cores, busy, naps, ticks, thread_current, core_main };
	for (uint32_t i = 0; i < cores; i++) {
		p->of[i].core = core_of[i];
		p->of[i].stack = malloc(live_bytes(&core_of[i]));
		CHECK(p->of[i].stack != NULL);
		memcpy(p->of[i].stack, live(&core_of[i]), live_bytes(&core_of[i]));
	}
	return p;
}

/* A core that has come since is none; its stack waits. */
void core_picture_put_back(const struct core_picture *p)
{
	CHECK(cores >= p->cores);
	while (cores > p->cores) {
		cores--;
		core_of[cores] = (struct core){ .number = cores, .stack = core_of[cores].stack };
		enter(&core_of[cores], CORE_IDLE);
	}
	busy = p->busy;
	naps = p->naps;
	ticks = p->ticks;
	core_main = p->main;
	for (uint32_t i = 0; i < p->cores; i++) {
		core_of[i] = p->of[i].core;
		enter(&core_of[i], core_of[i].state);
		memcpy((char *)(uintptr_t)live(&core_of[i]), p->of[i].stack, live_bytes(&core_of[i]));
	}
	core_current = &core_main;
	thread_current = p->slot;
}

void core_picture_free(struct core_picture *p)
{
	for (uint32_t i = 0; i < p->cores; i++)
		free(p->of[i].stack);
	free(p);
}
