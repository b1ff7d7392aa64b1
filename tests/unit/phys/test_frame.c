/* SPDX-License-Identifier: MIT */
/* test_frame.c - the caches: warm order, defer and readers, bounds, the last frame, thread exit. */
#include <pthread.h>

#include "base/mem.h"
#include "base/park.h"
#include "base/point.h"
#include "tests/unit/phys/fixture.h"
#include "vmmap/phys/frame_bits.h"

/* ---- one thread ---- */

static void test_last_freed_is_first_allocated(void **state)
{
	struct physmem *pm = make(8192, 0);
	struct thread_slot *self = thread_self();
	uint64_t a = frame_alloc(pm, self), b = frame_alloc(pm, self);

	(void)state;
	frame_free(pm, self, a);
	frame_free(pm, self, b);
	assert_int_equal(frame_alloc(pm, self), b);
	assert_int_equal(frame_alloc(pm, self), a);
	frame_free(pm, self, a);
	frame_free(pm, self, b);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* A thread that takes and gives many frames in turn uses its own again: nothing passes the depot, whose word and whose
 * frames' words would go from thread to thread. */
static void test_own_frames_come_back(void **state)
{
	struct physmem *pm = make(1 << 19, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn[3000], depot = 0, fresh = 0;

	(void)state;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 3000; i++)
			pfn[i] = frame_alloc(pm, self);
		for (int i = 0; i < 3000; i++)
			frame_free(pm, self, pfn[i]);
		if (round == 0) {
			depot = pm->depot[FRAME_MOVABLE].head;
			fresh = handed_out(pm);
		}
	}
	assert_int_equal(pm->depot[FRAME_MOVABLE].head, depot);
	assert_int_equal(handed_out(pm), fresh);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void *take_all(void *arg)
{
	struct physmem *pm = arg;
	uint64_t n = 0, pfn[4096];

	while (n < 4096 && (pfn[n] = frame_alloc(pm, thread_self())) != PHYSMEM_NONE)
		n++;
	for (uint64_t i = 0; i < n; i++)
		frame_free(pm, thread_self(), pfn[i]);
	return (void *)(uintptr_t)n;
}

/* ... and who finds nothing elsewhere takes all of them from its shelf, but for what is loaded. */
static void test_spare_chains_are_taken(void **state)
{
	struct physmem *pm = make(4096, 0);
	uint64_t mine = (uint64_t)(uintptr_t)take_all(pm);
	pthread_t thread;
	void *got;

	(void)state;
	assert_int_equal(mine, 4096);
	pm->spare_max = 64;
	assert_int_equal((uintptr_t)take_all(pm), 4096);                 /* all on the shelf, now */
	assert_int_equal((uint32_t)pm->depot[FRAME_MOVABLE].head, 0);
	assert_int_equal(pthread_create(&thread, NULL, take_all, pm), 0);
	assert_int_equal(pthread_join(thread, &got), 0);
	assert_in_range((uintptr_t)got, 4096 - 2 * FRAME_BATCH, 4096);
	assert_clean(pm);
	assert_int_equal((uintptr_t)take_all(pm), 4096);
	physmem_destroy(pm);
}

static void test_lives_count_up(void **state)
{
	struct physmem *pm = make(8192, 0);
	struct thread_slot *self = thread_self();
	uint64_t a = frame_alloc(pm, self), before = pm->word[a] >> 34;

	(void)state;
	for (int i = 0; i < 5; i++) {
		frame_free(pm, self, a);
		assert_int_equal(frame_alloc(pm, self), a);
	}
	assert_int_equal(pm->word[a] >> 34, before + 5);
	frame_free(pm, self, a);
	physmem_destroy(pm);
}

/* A reader that found the frame keeps it away from everybody; after it left, it comes home. */
static void test_reader_keeps_deferred_frames_away(void **state)
{
	struct physmem *pm = make(4096, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn[4096], got = 0, reused, waits = rcu_waits();

	(void)state;
	for (int i = 0; i < 4096; i++)
		assert_true((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
	rcu_enter(self);
	for (int i = 0; i < 4096; i++)
		frame_defer(pm, self, pfn[i]);
	assert_true(frame_alloc(pm, self) == PHYSMEM_NONE);              /* inside a section it does not wait */
	assert_int_equal(usage(pm).deferred, 4096);
	if (point_available()) {
		assert_int_equal(point_mutant_select("frame_poll_early"), 0);
		reused = frame_alloc(pm, self);                          /* what the mutant takes from under us */
		point_reset();
		assert_true(reused != PHYSMEM_NONE);
		frame_defer(pm, self, reused);
	}
	assert_int_equal(rcu_waits(), waits);
	rcu_leave(self);
	while (got < 4096 && frame_alloc(pm, self) != PHYSMEM_NONE)      /* outside it may */
		got++;
	assert_int_equal(got, 4096);
	for (int i = 0; i < 4096; i++)
		frame_free(pm, self, pfn[i]);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void test_backlog_is_bounded(void **state)
{
	struct physmem *pm = make(1 << 16, 0);
	struct thread_slot *self = thread_self();
	uint64_t peak = 0, waits = rcu_waits(), used;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint64_t pfn[16];

		for (int i = 0; i < 16; i++)
			pfn[i] = frame_alloc(pm, self);
		rcu_enter(self);
		for (int i = 0; i < 16; i++)
			frame_defer(pm, self, pfn[i]);
		rcu_leave(self);
		frame_tidy(pm, self);
		if (usage(pm).deferred > peak)
			peak = usage(pm).deferred;
	}
	assert_in_range(peak, 1, 2 * FRAME_DEFER_BATCH);
	assert_int_equal(rcu_waits(), waits);
	used = pm->frames - usage(pm).free;
	assert_in_range(used, 1, 512);                                   /* the same frames go round, warm */
	assert_clean(pm);
	physmem_destroy(pm);
}

/* A long read section leaves a backlog on the late stack; later closes take it down again. */
static void test_late_stack_shrinks(void **state)
{
	struct physmem *pm = make(1 << 16, 0);
	struct thread_slot *self = thread_self();

	(void)state;
	rcu_enter(self);
	for (int i = 0; i < 50000; i++)
		frame_defer(pm, self, frame_alloc(pm, self));
	rcu_leave(self);
	assert_int_equal(usage(pm).deferred, 50000);
	assert_true((uint32_t)pm->late_stack.head != 0);
	for (int i = 0; i < 60 * 128; i++)
		frame_defer(pm, self, frame_alloc(pm, self));
	assert_in_range(usage(pm).deferred, 1, 256);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* The threads that get no slot block for want of memory still free and defer. */
static void test_free_without_memory(void **state)
{
	struct physmem *pm = make(8192, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn[3];

	(void)state;
	mem_fail_nth(1);
	assert_true(frame_alloc(pm, self) == PHYSMEM_NONE);
	for (int i = 0; i < 3; i++) {                            /* as if another thread had allocated them */
		assert_true(frame_bits_take_in(&pm->bits, 0, 0, FRAME_CLASS_MOVABLE, false, &pfn[i]));
		pm->word[pfn[i]] = frame_owned(FRAME_OWNER_MAP, 0);
		pm->stray_taken++;
	}
	for (int i = 0; i < 3; i++) {
		mem_fail_nth(1);
		if (i)
			frame_free(pm, self, pfn[i]);
		else
			frame_defer(pm, self, pfn[i]);
		assert_true(mem_fail_fired());
	}
	assert_int_equal(usage(pm).deferred, 1);
	assert_int_equal(usage(pm).free, 8191);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- slots that only allocate or only free, the last frame, exits ---- */

static void *alloc_all(void *arg)
{
	struct physmem *pm = arg;
	struct thread_slot *self = thread_self();
	uint64_t *pfn = malloc(4096 * sizeof(*pfn)), n = 0;

	while (n < 4096 && (pfn[n] = frame_alloc(pm, self)) != PHYSMEM_NONE)
		n++;
	for (uint64_t i = 0; i < n; i++)
		frame_free(pm, self, pfn[i]);
	free(pfn);
	return (void *)(uintptr_t)n;
}

static uint64_t on_a_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	void *result = NULL;

	assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
	pthread_join(thread, &result);
	return (uint64_t)(uintptr_t)result;
}

static void test_exit_gives_everything_back(void **state)
{
	struct physmem *pm = make(4096, 0);

	(void)state;
	assert_int_equal(on_a_thread(alloc_all, pm), 4096);
	assert_int_equal(usage(pm).free, 4096);
	assert_clean(pm);
	if (point_available()) {
		assert_int_equal(point_mutant_select("frame_exit_keeps"), 0);
		assert_int_equal(on_a_thread(alloc_all, pm), 4096);
		point_reset();
		assert_true(usage(pm).free < 4096);              /* what the mutant keeps */
	}
	physmem_destroy(pm);
}

static void *defer_all_then_exit(void *arg)
{
	struct physmem *pm = arg;
	struct thread_slot *self = thread_self();

	for (int i = 0; i < 1000; i++)
		frame_defer(pm, self, frame_alloc(pm, self));
	return NULL;
}

static void test_exit_with_deferred_frames(void **state)
{
	struct physmem *pm = make(1 << 14, 0);
	struct thread_slot *self = thread_self();

	(void)state;
	rcu_enter(self);
	on_a_thread(defer_all_then_exit, pm);
	assert_int_equal(usage(pm).deferred, 1000);
	assert_int_equal(usage(pm).cached, 0);
	rcu_leave(self);
	frame_settle(pm);
	assert_int_equal(usage(pm).free, 1 << 14);
	assert_clean(pm);
	physmem_destroy(pm);
}

struct turn {
	struct physmem *pm;
	atomic_u32 at;
	uint64_t pfn;
};

static void turn_wait(struct turn *t, uint32_t at)
{
	uint32_t now;

	while ((now = atomic_load_acquire(&t->at)) != at)
		(void)park_wait(&t->at, now, PARK_FOREVER);
}

static void turn_set(struct turn *t, uint32_t at)
{
	atomic_store_release(&t->at, at);
	park_wake(&t->at, 8);
}

static void *hoard(void *arg)
{
	struct turn *t = arg;
	struct thread_slot *self = thread_self();
	uint64_t pfn[4096];
	int n = 0;

	while (n < 4096 && (pfn[n] = frame_alloc(t->pm, self)) != PHYSMEM_NONE)
		n++;
	while (n--)
		frame_defer(t->pm, self, pfn[n]);
	turn_set(t, 1);
	turn_wait(t, 2);
	return NULL;
}

/* A slot that sits on deferred frames does not starve the others: shelf and late stack are open to all. */
static void test_idle_slot_does_not_starve_others(void **state)
{
	struct turn t = { .pm = make(4096, 0) };
	struct thread_slot *self = thread_self();
	uint64_t n = 0, pfn[4096];
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, hoard, &t), 0);
	turn_wait(&t, 1);
	while (n < 4096 && (pfn[n] = frame_alloc(t.pm, self)) != PHYSMEM_NONE)
		n++;
	assert_in_range(n, 4096 - FRAME_DEFER_BATCH - FRAME_BATCH, 4096);
	turn_set(&t, 2);
	pthread_join(thread, NULL);
	while (n)
		frame_free(t.pm, self, pfn[--n]);
	assert_clean(t.pm);
	physmem_destroy(t.pm);
}

/* ---- a frame deferred is not reused under a reader ---- */

struct watch {
	struct physmem *pm;
	atomic_u64 published;            /* pfn, or PHYSMEM_NONE                                                   */
	atomic_u32 stop;
	atomic_u64 reads;
	uint64_t changed;
};

static void *watch_frame(void *arg)
{
	struct watch *w = arg;
	struct thread_slot *self = thread_self();

	while (!atomic_load_relaxed(&w->stop)) {
		uint64_t pfn, stamp, again;

		rcu_enter(self);
		pfn = atomic_load_acquire(&w->published);
		if (pfn != PHYSMEM_NONE) {
			frame_read(w->pm, pfn, 0, &stamp, 8);
			for (int i = 0; i < 200; i++)
				atomic_pause();
			frame_read(w->pm, pfn, 0, &again, 8);
			atomic_bump(&w->reads, 1);
			w->changed += stamp != again;
		}
		rcu_leave(self);
	}
	return NULL;
}

/* Every frame that is allocated gets a new stamp, so a reader sees reuse as a change. */
static void test_reader_against_reuse(void **state)
{
	struct watch w = { .pm = make(4096, 1), .published = PHYSMEM_NONE };
	struct thread_slot *self = thread_self();
	pthread_t thread;
	uint64_t stamp = 1;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, watch_frame, &w), 0);
	for (int i = 0; i < 300000 || atomic_load_relaxed(&w.reads) < 1000; i++) {
		uint64_t pfn = frame_alloc(w.pm, self), old;

		stamp++;
		frame_write(w.pm, pfn, 0, &stamp, 8);
		old = atomic_swap_acqrel(&w.published, pfn);
		if (old != PHYSMEM_NONE)
			frame_defer(w.pm, self, old);
	}
	atomic_store_relaxed(&w.stop, 1);
	pthread_join(thread, NULL);
	frame_defer(w.pm, self, w.published);
	frame_settle(w.pm);
	assert_clean(w.pm);
	physmem_destroy(w.pm);
	assert_int_equal(w.changed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_without_memory),              /* first: this thread has no block yet */
		cmocka_unit_test(test_last_freed_is_first_allocated),
		cmocka_unit_test(test_own_frames_come_back),
		cmocka_unit_test(test_spare_chains_are_taken),
		cmocka_unit_test(test_lives_count_up),
		cmocka_unit_test(test_reader_keeps_deferred_frames_away),
		cmocka_unit_test(test_backlog_is_bounded),
		cmocka_unit_test(test_late_stack_shrinks),
		cmocka_unit_test(test_exit_gives_everything_back),
		cmocka_unit_test(test_exit_with_deferred_frames),
		cmocka_unit_test(test_idle_slot_does_not_starve_others),
		cmocka_unit_test(test_reader_against_reuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
