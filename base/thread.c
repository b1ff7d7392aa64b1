/* SPDX-License-Identifier: MIT */
/*
 * thread.c - slots, thread exit, exit hooks, per-slot blocks.
 *
 * SLOT          free -> taken (thread_register) -> free (the exiting thread, last step). The lowest free number is
 *               taken, so numbers stay dense. All moves under `registry`.
 * Edges         O1 (unlock after giving a slot back) -> N1 (lock before taking it): the next owner sees everything
 *               the last one did, so owner-only fields need no atomics.
 *               C1 (count's release store) -> C2 (thread_count's acquire): slots below the count are initialised.
 *               B1 (release part of a block's or chunk's CAS) -> B2 (acquire load in thread_local_at).
 *               W1 (a count that sleepers wait on, raised after what they wait for) -> W2 (loaded before they look).
 * Exit          a pthread key's destructor. Destructors of other keys may still call us: so ours asks for one more
 *               round and leaves in the second. Who calls even later registers afresh and leaves in the next round
 *               (glibc runs four; a sanitizer takes its own state down in the last).
 *               Order: hooks, RCU (batch handed over, reader unregistered), thread_current cleared, slot given back.
 * HOOK          linked -> closing (remove began) -> unlinked when `running` is 0. An exiting thread marks the hook it
 *               runs and drops the mutex meanwhile; a marked hook stays linked, hence its `next` stays valid.
 * Lock order    `registry` is a leaf: nothing is called under it but park.
 * Progress      a thread past THREAD_MAX sleeps until one exits; not fair among such sleepers.
 * Fork          (base/atfork.c) prepare takes `registry`. In the child the only thread keeps its slot, if it has one;
 *               the others' are free, and what they have in an instance's per-slot blocks is their next owners', as
 *               after an exit. Their exit hooks do not run: they might find a block half changed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include "base/assert.h"
#include "base/mem.h"
#include "base/park.h"
#include "base/rcu.h"
#include "base/thread.h"

__thread struct thread_slot *thread_current __attribute__((tls_model("initial-exec")));

static __thread bool leaving __attribute__((tls_model("initial-exec")));

static struct thread_slot slot_of[THREAD_MAX];
static struct park_mutex registry;
static uint64_t taken[THREAD_MAX / 64];          /* one bit per slot, under registry                               */
static atomic_u32 count;                         /* stores under registry                                          */
static atomic_u32 given_back;                    /* grows by one per slot given back: what waiters sleep on        */
static struct thread_exit_hook *hooks;           /* under registry                                                 */
static atomic_u32 hook_calls_ended;              /* what thread_exit_hook_remove sleeps on                         */
static pthread_key_t exit_key;

static void thread_exiting(void *value);

/* At load, not at first use: a key made late may get a number whose first use allocates memory. */
__attribute__((constructor)) static void thread_load(void)
{
	CHECK(pthread_key_create(&exit_key, thread_exiting) == 0);
}

static struct thread_slot *take_lowest(void)
{
	for (uint32_t w = 0; w < THREAD_MAX / 64; w++) {
		uint32_t number;

		if (taken[w] == UINT64_MAX)
			continue;
		number = w * 64 + (uint32_t)__builtin_ctzll(~taken[w]);
		taken[w] |= UINT64_C(1) << (number % 64);
		slot_of[number].number = number;
		slot_of[number].in_use = 1;
		if (number >= atomic_load_relaxed(&count))
			atomic_store_release(&count, number + 1);                /* C1 -> C2 */
		return &slot_of[number];
	}
	return NULL;
}

static void reset_owner_fields(struct thread_slot *slot)
{
	slot->rcu_nest = 0;
	slot->park_count = 0;
	slot->mem_fail_nth = 0;
	slot->mem_fail_fired = slot->mem_fail_lasts = 0;
	slot->site_nth = 0;
	slot->park_spins = 0;
	slot->deadline_ns = PARK_FOREVER;
	slot->holds = 0;
	slot->point_role = NULL;
	slot->point_random = 0;
	slot->count_fn = NULL;
	slot->count_arg = NULL;
}

NOINLINE struct thread_slot *thread_register(void)
{
	struct thread_slot *slot;

	for (;;) {
		uint32_t seen = atomic_load_acquire(&given_back);               /* W2 -> W1 */

		park_lock(&registry);                                            /* N1 -> O1 */
		slot = take_lowest();
		park_unlock(&registry);
		if (slot != NULL)
			break;
		park_wait(&given_back, seen, PARK_FOREVER);
	}
	reset_owner_fields(slot);
	rcu_thread_online(slot);
	thread_current = slot;
	CHECK(pthread_setspecific(exit_key, slot) == 0);
	return slot;
}

static void run_hooks(uint32_t number)
{
	park_lock(&registry);
	for (struct thread_exit_hook *h = hooks; h != NULL; h = h->next) {
		if (h->closing)
			continue;
		h->running++;
		park_unlock(&registry);
		h->fn(h, number);
		park_lock(&registry);
		h->running--;
		if (h->closing) {
			atomic_add_acqrel(&hook_calls_ended, 1);                /* W1 -> W2 */
			park_wake(&hook_calls_ended, INT32_MAX);
		}
	}
	park_unlock(&registry);
}

/* The key's destructor. */
static void thread_exiting(void *value)
{
	struct thread_slot *slot = value;
	uint32_t number = slot->number;

	if (!leaving) {
		leaving = true;
		CHECK(pthread_setspecific(exit_key, slot) == 0);
		return;
	}
	run_hooks(number);
	rcu_thread_offline(slot);
	thread_current = NULL;
	park_lock(&registry);
	slot->in_use = 0;
	taken[number / 64] &= ~(UINT64_C(1) << (number % 64));
	park_unlock(&registry);                                                  /* O1 -> N1 */
	atomic_add_acqrel(&given_back, 1);                                      /* W1 -> W2 */
	park_wake(&given_back, 1);
}

void thread_fork_prepare(void)
{
	if (!BASE_MUTANT(fork_skips_registry))
		park_stall_lock(&registry);      /* perhaps inside a section (rcu.c, FORK) */
}

void thread_fork_parent(void)
{
	if (!BASE_MUTANT(fork_skips_registry))
		park_unlock(&registry);
}

void thread_fork_child(bool usable)
{
	for (struct thread_exit_hook *h = hooks; h != NULL; h = h->next)
		h->running = 0;
	if (!usable)
		thread_current = NULL;
	for (uint32_t i = 0; i < atomic_load_relaxed(&count); i++) {
		if (&slot_of[i] == thread_current || BASE_MUTANT(fork_keeps_slots))
			continue;
		slot_of[i].in_use = 0;
		taken[i / 64] &= ~(UINT64_C(1) << (i % 64));
	}
	thread_fork_parent();
}

uint32_t thread_count(void)
{
	return atomic_load_acquire(&count);                                      /* C2 -> C1 */
}

struct thread_slot *thread_at(uint32_t number)
{
	return &slot_of[number];
}

void thread_exit_hook_add(struct thread_exit_hook *hook)
{
	hook->running = 0;
	hook->closing = false;
	park_lock(&registry);
	BASE_POINT(thread_hook_locked);
	hook->next = hooks;
	hook->link = &hooks;
	if (hooks != NULL)
		hooks->link = &hook->next;
	hooks = hook;
	park_unlock(&registry);
}

void thread_exit_hook_remove(struct thread_exit_hook *hook)
{
	park_lock(&registry);
	hook->closing = true;
	while (hook->running != 0) {
		uint32_t seen = atomic_load_acquire(&hook_calls_ended);         /* W2 -> W1 */

		park_unlock(&registry);
		park_wait(&hook_calls_ended, seen, PARK_FOREVER);
		park_lock(&registry);
	}
	*hook->link = hook->next;
	if (hook->next != NULL)
		hook->next->link = hook->link;
	park_unlock(&registry);
}

int thread_local_init(struct thread_local_table *t, size_t block_bytes)
{
	if (block_bytes == 0 || block_bytes > SIZE_MAX / 2)
		return -EINVAL;
	for (uint32_t i = 0; i < ARRAY_SIZE(t->chunk); i++)
		atomic_store_relaxed(&t->chunk[i], NULL);
	t->block_bytes = (block_bytes + CACHE_PAIR - 1) & ~(size_t)(CACHE_PAIR - 1);
	return 0;
}

/* Neighbouring slots share a chunk, so two threads may make it at once: the second one's copy is thrown away. */
static void **chunk_make(struct thread_local_table *t, uint32_t i)
{
	size_t bytes = THREAD_CHUNK * sizeof(void *);
	void **chunk = atomic_load_acquire(&t->chunk[i]);                       /* B2 -> B1 */
	void **fresh;

	if (chunk != NULL)
		return chunk;
	fresh = mem_alloc(MEM_SLOT, bytes, CACHE_LINE);
	if (fresh == NULL)
		return NULL;
	if (atomic_cas_acqrel(&t->chunk[i], &chunk, fresh))                      /* B1 -> B2 */
		return fresh;
	mem_free(MEM_SLOT, fresh, bytes);
	return chunk;
}

void *thread_local_make(struct thread_local_table *t, uint32_t number)
{
	void **chunk = chunk_make(t, number / THREAD_CHUNK);
	_Atomic(void *) *where;
	void *block, *fresh;

	if (chunk == NULL)
		return NULL;
	where = (_Atomic(void *) *)&chunk[number % THREAD_CHUNK];
	block = atomic_load_acquire(where);                                     /* B2 -> B1 */
	if (block != NULL)
		return block;
	fresh = mem_alloc(MEM_SLOT, t->block_bytes, CACHE_PAIR);
	if (fresh == NULL)
		return NULL;
	if (atomic_cas_acqrel(where, &block, fresh))                             /* B1 -> B2 */
		return fresh;
	mem_free(MEM_SLOT, fresh, t->block_bytes);
	return block;
}

void thread_local_free(struct thread_local_table *t, void (*fini)(void *block, void *arg), void *arg)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(t->chunk); i++) {
		void **chunk = atomic_load_acquire(&t->chunk[i]);               /* B2 -> B1: quiescent */

		if (chunk == NULL)
			continue;
		for (uint32_t k = 0; k < THREAD_CHUNK; k++) {
			void *block = atomic_load_acquire((_Atomic(void *) *)&chunk[k]);        /* B2 -> B1 */

			if (block == NULL)
				continue;
			if (fini != NULL)
				fini(block, arg);
			mem_free(MEM_SLOT, block, t->block_bytes);
		}
		mem_free(MEM_SLOT, chunk, THREAD_CHUNK * sizeof(void *));
		atomic_store_relaxed(&t->chunk[i], NULL);
	}
}
