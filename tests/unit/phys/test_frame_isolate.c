/* SPDX-License-Identifier: MIT */
/* test_frame_isolate.c - free frames of blocks that are to be emptied leave every cache, and do not come back there. */
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/phys/fixture.h"
#include "vmmap/phys/frame_isolate.h"

#define SOON UINT64_C(2000000000)
#define BLOCKS 8u
#define FRAMES (BLOCKS * 512u)

static void set_all(struct physmem *pm, unsigned lo, unsigned hi, frame_block_step *step)
{
	for (unsigned block = lo; block < hi; block++)
		assert_true(frame_bits_step(&pm->bits, block, step));
}
static void set_offline(struct physmem *pm, unsigned lo, unsigned hi) { set_all(pm, lo, hi, frame_block_offline); }
static void set_online(struct physmem *pm, unsigned lo, unsigned hi) { set_all(pm, lo, hi, frame_block_online); }

static bool drained(struct physmem *pm, unsigned lo, unsigned hi)
{
	for (unsigned block = lo; block < hi; block++)
		if (!frame_block_drained(frame_bits_word(&pm->bits, block)))
			return false;
	return true;
}

/* Until what is deferred has come home too. */
static void drain(struct physmem *pm)
{
	assert_int_equal(frame_isolate_wait(PARK_FOREVER), 0);
	for (unsigned i = 0; frame_isolate_drain(pm, thread_self()); i++) {
		assert_int_equal(rcu_poll_wait(PARK_FOREVER), 0);
		assert_in_range(i, 0, 3);
	}
}

/* ---- a thread that has frames everywhere, and then does nothing ---- */

struct idler { struct physmem *pm; pthread_t thread; atomic_u32 at; };

static void fill_caches(struct physmem *pm)
{
	struct thread_slot *self = thread_self();
	uint64_t pfn[1500], fixed[300];

	for (unsigned i = 0; i < 1500; i++)
		assert_true((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
	for (unsigned i = 0; i < 300; i++)
		assert_true((fixed[i] = physmem_frame_alloc(pm)) != PHYSMEM_NONE);
	for (unsigned i = 0; i < 1500; i++) {
		if (i % 5 == 0)
			frame_defer(pm, self, pfn[i]);
		else
			frame_free(pm, self, pfn[i]);
	}
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(physmem_frame_free(pm, fixed[i]), 0);
}

static void wait_for(atomic_u32 *at, uint32_t what)
{
	struct park_spin spin = PARK_SPIN;

	while (atomic_load_acquire(at) < what)
		park_spin(&spin);
}

static void *idle(void *arg)
{
	struct idler *i = arg;

	fill_caches(i->pm);
	atomic_store_release(&i->at, 1);
	wait_for(&i->at, 2);
	fill_caches(i->pm);                              /* as if nothing had been */
	return NULL;
}

static void start(struct idler *i, struct physmem *pm)
{
	*i = (struct idler){ .pm = pm };
	assert_int_equal(pthread_create(&i->thread, NULL, idle, i), 0);
	wait_for(&i->at, 1);
}

static void end(struct idler *i)
{
	atomic_store_release(&i->at, 2);
	pthread_join(i->thread, NULL);
}

/* Everything is free: all of it is in the rows of the range after a drain, and the rest is where it was. */
static bool all_leaves(unsigned lo, unsigned hi)
{
	struct physmem *pm = make(FRAMES, 0);
	struct idler idler;
	bool all;

	start(&idler, pm);
	fill_caches(pm);
	set_offline(pm, lo, hi);
	assert_int_equal(frame_isolate_begin(pm, thread_self()), 0);
	drain(pm);
	all = drained(pm, lo, hi);
	assert_int_equal(physmem_audit(pm, stderr), 0);
	frame_isolate_end(pm);
	set_online(pm, lo, hi);
	end(&idler);
	assert_clean(pm);
	physmem_destroy(pm);
	return all;
}

static void idle_threads_are_drained(void **state)
{
	(void)state;
	assert_true(all_leaves(0, BLOCKS));
	assert_true(all_leaves(0, 1));
	assert_true(all_leaves(3, 6));
	if (!point_available())
		skip();
	assert_int_equal(point_mutant_select("drain_own_only"), 0);
	assert_false(all_leaves(0, BLOCKS));
	point_mutant_select(NULL);
}

/* What is used is not in the rows, and goes there when it is freed, deferred ones after their readers. */
static bool frees_go_to_rows(void)
{
	struct physmem *pm = make(FRAMES, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn[3][700];
	bool all;

	for (unsigned i = 0; i < 700; i++) {
		pfn[0][i] = frame_alloc(pm, self);
		pfn[1][i] = physmem_frame_alloc(pm);
		pfn[2][i] = frame_alloc(pm, self);
	}
	set_offline(pm, 0, BLOCKS);
	assert_int_equal(frame_isolate_begin(pm, thread_self()), 0);
	drain(pm);
	assert_int_equal(usage(pm).cached + usage(pm).deferred, 0);
	assert_int_equal(usage(pm).owned, 2100);
	assert_true(frame_alloc(pm, self) == PHYSMEM_NONE);
	for (unsigned i = 0; i < 700; i++) {
		frame_free(pm, self, pfn[0][i]);
		assert_int_equal(physmem_frame_free(pm, pfn[1][i]), 0);
		frame_defer(pm, self, pfn[2][i]);
	}
	all = usage(pm).cached == 0;                     /* at once */
	drain(pm);
	assert_true(drained(pm, 0, BLOCKS));
	frame_isolate_end(pm);
	set_online(pm, 0, BLOCKS);
	assert_clean(pm);
	physmem_destroy(pm);
	return all;
}

static void what_is_freed_late_goes_to_rows(void **state)
{
	(void)state;
	assert_true(frees_go_to_rows());
	if (!point_available())
		skip();
	assert_int_equal(point_mutant_select("free_stays"), 0);
	assert_false(frees_go_to_rows());
	point_mutant_select(NULL);
}

/* ---- caches are open, between two drains ---- */

static bool is_shown(struct physmem *pm) { return thread_local_at(&pm->fast, thread_self()->number) != NULL; }

/* What an inlined path frees stays in its cache, and may be had again there; all else is judged as ever. */
static bool open_caches_judge(void)
{
	struct physmem *pm = make(FRAMES, 0);
	struct thread_slot *self = thread_self();
	uint64_t inlined = frame_alloc(pm, self), called = physmem_frame_alloc(pm), later = frame_alloc(pm, self);
	bool all;

	assert_true(is_shown(pm));
	set_offline(pm, 0, BLOCKS);
	assert_int_equal(frame_isolate_begin(pm, self), 0);
	drain(pm);
	assert_false(is_shown(pm));
	frame_isolate_open(pm);
	assert_true(is_shown(pm));
	assert_int_equal(physmem_frame_free(pm, called), 0);
	frame_defer(pm, self, later);
	all = usage(pm).cached == 0;
	frame_free(pm, self, inlined);
	assert_int_equal(usage(pm).cached, all ? 1 : 2);
	assert_int_equal(frame_alloc(pm, self), inlined);
	frame_free(pm, self, inlined);
	assert_int_equal(frame_isolate_begin(pm, self), 0);              /* another one, that is over sooner */
	frame_isolate_open(pm);
	assert_true(is_shown(pm));
	frame_isolate_close(pm);
	assert_false(is_shown(pm));
	frame_isolate_end(pm);
	assert_true(is_shown(pm));
	frame_isolate_close(pm);
	assert_false(is_shown(pm));
	drain(pm);
	assert_true(drained(pm, 0, BLOCKS));
	assert_true(frame_alloc(pm, self) == PHYSMEM_NONE);
	frame_isolate_end(pm);
	assert_true(is_shown(pm));
	set_online(pm, 0, BLOCKS);
	assert_clean(pm);
	physmem_destroy(pm);
	return all;
}

static void while_caches_are_open(void **state)
{
	(void)state;
	assert_true(open_caches_judge());
	if (!point_available())
		skip();
	assert_int_equal(point_mutant_select("free_stays"), 0);
	assert_false(open_caches_judge());
	assert_int_equal(point_mutant_select("free_unjudged"), 0);
	assert_false(open_caches_judge());
	point_mutant_select(NULL);
}

/* ---- R4: a free that had found its cache before the flag was set, or while caches were open ---- */

static struct physmem *machine;
static uint64_t late;
static bool again, called;

static void *free_late(void *arg)
{
	frame_free(machine, thread_self(), frame_alloc(machine, thread_self()));         /* it has a cache */
	point_role("late");
	if (called)
		assert_int_equal(physmem_frame_free(machine, late), 0);
	else
		frame_free(machine, thread_self(), late);
	point_role(NULL);
	wait_for(arg, 1);
	return NULL;
}

static void *isolate(void *arg)
{
	(void)arg;
	assert_non_null(thread_local_mine(&machine->slots, thread_self()));
	if (again)
		frame_isolate_close(machine);
	else
		assert_int_equal(frame_isolate_begin(machine, thread_self()), 0);
	assert_int_equal(frame_isolate_wait(PARK_FOREVER), 0);
	(void)frame_isolate_drain(machine, thread_self());
	return NULL;
}

/* Its free finds its cache when nobody isolates; or, second, after somebody who does has drained and opened. */
static bool late_free_is_seen(const char *mutant, bool second)
{
	atomic_u32 go = 0;
	pthread_t thread, isolator;
	const char *found = called ? "run_free_found" : "frame_free_found";
	bool seen;

	machine = make(FRAMES, 0);
	late = called ? physmem_frame_alloc(machine) : frame_alloc(machine, thread_self());
	again = false;
	if (second) {
		set_offline(machine, 1, BLOCKS);
		(void)isolate(NULL);
		frame_isolate_open(machine);
		again = true;
	}
	point_reset();
	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_stop("late", found, NULL, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, free_late, &go), 0);
	assert_true(point_wait_reached("late", found, SOON));
	set_offline(machine, 0, second ? 1 : BLOCKS);
	assert_int_equal(pthread_create(&isolator, NULL, isolate, NULL), 0);
	if (mutant)
		pthread_join(isolator, NULL);
	point_release("late", found);
	if (!mutant)
		pthread_join(isolator, NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	seen = drained(machine, 0, BLOCKS);
	atomic_store_release(&go, 1);
	pthread_join(thread, NULL);
	frame_isolate_end(machine);
	set_online(machine, 0, BLOCKS);
	assert_clean(machine);
	physmem_destroy(machine);
	return seen;
}

/* By a fault; by the call from outside, in a brief section: there caches are found when nobody isolates. */
static void a_free_on_its_way_is_waited_for(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	called = false;
	for (unsigned second = 0; second < 2; second++) {
		assert_true(late_free_is_seen(NULL, second));
		assert_false(late_free_is_seen("isolate_no_wait", second));
	}
	called = true;
	assert_true(late_free_is_seen(NULL, false));
	assert_false(late_free_is_seen("isolate_no_wait", false));
	assert_false(late_free_is_seen("rcu_brief_unseen", false));
}

/* ---- R10: a thread ends while caches are drained, its chains in its hands ---- */

static void *end_late(void *arg)
{
	uint64_t pfn[1500];

	for (unsigned i = 0; i < 1500; i++)
		assert_true((pfn[i] = frame_alloc(machine, thread_self())) != PHYSMEM_NONE);
	for (unsigned i = 0; i < 750; i++) {             /* each chain has frames of that block, and others         */
		frame_free(machine, thread_self(), pfn[i]);
		frame_free(machine, thread_self(), pfn[i + 750]);
	}
	atomic_store_release((atomic_u32 *)arg, 1);
	wait_for(arg, 2);
	point_role("ends");
	return NULL;                                     /* the rest is its exit's                                  */
}

static void *drain_only(void *arg)
{
	assert_non_null(thread_local_mine(&machine->slots, thread_self()));
	(void)frame_isolate_drain(machine, thread_self());
	atomic_store_release((atomic_u32 *)arg, 1);
	return NULL;
}

/* Nothing of the first block is in a cache after a drain. What the exit has in its hands has been sorted by it, or the
 * drain waits for it. */
static bool drained_beside_an_exit(const char *mutant)
{
	atomic_u32 at = 0, over = 0;
	pthread_t thread, drainer;
	bool all;

	machine = make(FRAMES, 0);
	point_reset();
	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(pthread_create(&thread, NULL, end_late, &at), 0);
	wait_for(&at, 1);
	set_offline(machine, 0, 1);
	assert_int_equal(frame_isolate_begin(machine, thread_self()), 0);
	assert_int_equal(frame_isolate_wait(PARK_FOREVER), 0);
	assert_int_equal(point_stop("ends", "frame_flush_in_hand", NULL, NULL), 0);
	atomic_store_release(&at, 2);
	assert_true(point_wait_reached("ends", "frame_flush_in_hand", SOON));
	assert_int_equal(pthread_create(&drainer, NULL, drain_only, &over), 0);
	if (mutant)
		wait_for(&over, 1);
	for (uint64_t until = clock_ns() + 20000000; clock_ns() < until && !atomic_load_acquire(&over);)
		sched_yield();
	point_release("ends", "frame_flush_in_hand");
	pthread_join(drainer, NULL);
	pthread_join(thread, NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	all = drained(machine, 0, 1);
	frame_isolate_end(machine);
	set_online(machine, 0, 1);
	assert_clean(machine);
	physmem_destroy(machine);
	return all;
}

static void an_exit_is_waited_for(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_true(drained_beside_an_exit(NULL));
	assert_false(drained_beside_an_exit("frame_exit_unlocked"));
}

/* ---- beside threads that come, use frames, and go (R10) ---- */

#define LIVES 20u

struct user { struct physmem *pm; atomic_u32 *stop, lives; uint64_t seed; };

static void *use(void *arg)
{
	struct user *u = arg;
	struct thread_slot *self = thread_self();
	struct prng rng = prng_seed(u->seed, 0);
	uint64_t pfn[200], fixed[50];
	unsigned n = 0, m = 0;

	for (unsigned i = 0; i < 3000 && !atomic_load_relaxed(u->stop); i++) {
		uint64_t what = prng_below(&rng, 6);

		if (what < 2 && n < 200 && (pfn[n] = frame_alloc(u->pm, self)) != PHYSMEM_NONE)
			n++;
		else if (what == 2 && m < 50 && (fixed[m] = physmem_frame_alloc(u->pm)) != PHYSMEM_NONE)
			m++;
		else if (what == 3 && n > 0)
			frame_free(u->pm, self, pfn[--n]);
		else if (what == 4 && n > 0)
			frame_defer(u->pm, self, pfn[--n]);
		else if (what == 5 && m > 0)
			assert_int_equal(physmem_frame_free(u->pm, fixed[--m]), 0);
	}
	for (; n > 0; n--)
		frame_free(u->pm, self, pfn[n - 1]);
	for (; m > 0; m--)
		assert_int_equal(physmem_frame_free(u->pm, fixed[m - 1]), 0);
	return NULL;
}

static void *users(void *arg)
{
	struct user *u = arg;

	for (; !atomic_load_relaxed(u->stop); u->seed += 10) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, use, u), 0);
		pthread_join(thread, NULL);
		(void)atomic_add_relaxed(&u->lives, 1);
	}
	return NULL;
}

static void beside_users(void **state)
{
	struct physmem *pm = make(FRAMES, 0);
	atomic_u32 stop = 0;
	struct user user[2];
	pthread_t thread[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		user[i] = (struct user){ .pm = pm, .stop = &stop, .seed = i + 1 };
		assert_int_equal(pthread_create(&thread[i], NULL, users, &user[i]), 0);
	}
	for (unsigned round = 0; round < 100 || atomic_load_relaxed(&user[0].lives) < LIVES ||
	     atomic_load_relaxed(&user[1].lives) < LIVES; round++) {
		unsigned lo = round % BLOCKS, hi = lo + 1 + round / 8 % (BLOCKS - lo);

		set_offline(pm, lo, hi);
		assert_int_equal(frame_isolate_begin(pm, thread_self()), 0);
		do {                                     /* in the end who has a frame of the range gives it back */
			assert_int_equal(frame_isolate_wait(PARK_FOREVER), 0);
			(void)frame_isolate_drain(pm, thread_self());
			if (round % 3 == 0) {
				frame_isolate_open(pm);
				sched_yield();
				frame_isolate_close(pm);
			}
		} while (round % 10 == 0 && !drained(pm, lo, hi));
		frame_isolate_end(pm);
		set_online(pm, lo, hi);
	}
	atomic_store_relaxed(&stop, 1);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_clean(pm);
	physmem_destroy(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_threads_are_drained),
		cmocka_unit_test(what_is_freed_late_goes_to_rows),
		cmocka_unit_test(while_caches_are_open),
		cmocka_unit_test(a_free_on_its_way_is_waited_for),
		cmocka_unit_test(an_exit_is_waited_for),
		cmocka_unit_test(beside_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
