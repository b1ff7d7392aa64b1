/* SPDX-License-Identifier: MIT */
/* test_vtree_part.c - threads that meet in a leaf get one each, and keep it (vtree_part.c); joins that are undone. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/park.h"
#include "tests/unit/vma/fixture.h"
#include "vmmap/vma/vtree_impl.h"

/* ---- contention ---- */

static atomic_u32 turn, done;

#define TURNS     20
#define COLLIDERS 8

static void *collide(void *arg)
{
	for (uint32_t i = 1; i <= TURNS; i++) {
		struct vtree_section s;

		while (atomic_load_acquire(&turn) != i)
			sched_yield();
		vtree_enter(&tree, thread_self(), *(uint64_t *)arg, &s);
		vtree_leave(&s);
		atomic_store_release(&done, i);
	}
	return NULL;
}

/* A thread at b meets us at a, time after time, in one leaf. Returns where the leaf of b begins in the end. */
static uint64_t part(uint64_t a, uint64_t b)
{
	struct vtree_section s;
	pthread_t t;

	atomic_store_release(&turn, 0);
	atomic_store_release(&done, 0);
	pthread_create(&t, NULL, collide, &b);
	for (uint32_t i = 1; i <= TURNS; i++) {
		uint64_t met = vtree_counted(&tree, VTREE_COLLISION);

		vtree_enter(&tree, thread_self(), a, &s);
		atomic_store_release(&turn, i);
		while (lock_range_holds(s.r, b) && vtree_counted(&tree, VTREE_COLLISION) == met)
			sched_yield();
		vtree_leave(&s);
		while (atomic_load_acquire(&done) != i)
			sched_yield();
	}
	pthread_join(t, NULL);
	vtree_enter(&tree, thread_self(), b, &s);
	vtree_leave(&s);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	return s.r.lo;
}

/* Colliders are parted at the best aligned page between them; not if they are too close inside one slot. */
static void colliders_are_parted(void **state)
{
	struct vtree_stats stats;
	uint64_t border;

	(void)state;
	ref_set(&tree, PAGES(1), PAGES(9000), ref_vma(&pool, 1, VMA_READ));
	assert_int_equal(part(PAGES(20), PAGES(21)), 0);
	assert_int_equal(part(PAGES(1000), PAGES(5000)), PAGES(4096));
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.splits, 1);
	assert_true(stats.collisions >= 8);
	vtree_join(&tree, thread_self(), (struct lock_range){ 0, PAGES(9000) });
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.joins, 0);                        /* not at once */
	border = part(PAGES(8999), PAGES(9003));                 /* the end of a VMA between them: close is no matter */
	assert_in_range(border, PAGES(9000), PAGES(9003));
	for (unsigned i = 0; i < 200000 && stats.joins < 2; i++) {
		vtree_join(&tree, thread_self(), (struct lock_range){ 0, PAGES(10000) });
		if (i % 1000 == 0)
			vtree_get_stats(&tree, &stats);
	}
	assert_int_equal(stats.joins, 2);                        /* but in the end */
}

static uint64_t joins(void)
{
	struct vtree_stats stats;

	vtree_get_stats(&tree, &stats);
	return stats.joins;
}

/* Who goes away from one side of a contended border takes nothing from the other side, nor does who has not gone. */
static void both_have_to_be_gone(void **state)
{
	struct thread_slot *self = thread_self();

	(void)state;
	assert_int_equal(part(PAGES(1000), PAGES(5000)), PAGES(4095));   /* in a gap, beside 4096 */
	vtree_join_idle(&tree, self, (struct lock_range){ PAGES(5000), PAGES(5001) }, PAGES(6000));
	vtree_join_idle(&tree, self, (struct lock_range){ PAGES(1000), PAGES(1001) }, PAGES(6000));
	vtree_join(&tree, self, (struct lock_range){ PAGES(1000), PAGES(1001) });
	assert_int_equal(joins(), 0);
	vtree_join_idle(&tree, self, (struct lock_range){ PAGES(5000), PAGES(5001) }, PAGES(1000));
	assert_int_equal(joins(), 1);
}

static void *collide_once(void *arg)
{
	struct vtree_section s;

	point_role("waiter");
	vtree_enter(&tree, thread_self(), *(uint64_t *)arg, &s);
	vtree_leave(&s);
	point_role(NULL);
	return NULL;
}

/* Meets others until it is time to part, and goes on alone before they get the leaf. Parted from whom? */
static bool parted_from_ourselves(void)
{
	uint64_t other = PAGES(5000);
	struct vtree_section s;
	pthread_t t[COLLIDERS];
	bool parted = false;

	for (unsigned i = 0; i < COLLIDERS; i++) {
		point_stop("waiter", "vtree_enter_collided", NULL, NULL);
		vtree_enter(&tree, thread_self(), PAGES(8), &s);
		pthread_create(&t[i], NULL, collide_once, &other);
		while (vtree_counted(&tree, VTREE_COLLISION) <= i)
			sched_yield();
		vtree_leave(&s);
	}
	for (unsigned i = 0; i < 3; i++) {
		vtree_enter(&tree, thread_self(), PAGES(8 + 4 * i), &s);
		parted = !lock_range_holds(s.r, PAGES(8)) || !lock_range_holds(s.r, PAGES(16));
		vtree_leave(&s);
	}
	point_release("waiter", "vtree_enter_collided");
	for (unsigned i = 0; i < COLLIDERS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	return parted;
}

/* Who waits may be passed by one thread again and again: that one's own pages are no rivals. */
static void own_pages_are_no_rivals(void **state)
{
	if (!point_available())
		skip();
	assert_false(parted_from_ourselves());
	teardown(state);
	setup(state);
	assert_int_equal(point_mutant_select("part_own_pages"), 0);
	assert_true(parted_from_ourselves());
	assert_int_equal(point_timeouts(), 0);
}

/* ---- turns: threads that never collide ---- */

struct visits { uint64_t at[2]; unsigned n; bool passes; };      /* a thread's, one in each turn                    */

static void *take_turns(void *arg)
{
	const struct visits *v = arg;

	for (uint32_t i = 1; i <= v->n; i++) {
		struct vtree_section s;

		while (atomic_load_acquire(&turn) != i)
			sched_yield();
		(v->passes ? vtree_pass : vtree_enter)(&tree, thread_self(), v->at[i % 2], &s);
		vtree_leave(&s);
		atomic_store_release(&done, i);
	}
	return NULL;
}

/* We visit a, the other thread b, one after the other, n times. Returns how many splits that made. */
static uint64_t in_turns(struct visits a, struct visits b)
{
	struct vtree_stats before, after;
	struct vtree_section s;
	pthread_t t;

	vtree_get_stats(&tree, &before);
	atomic_store_release(&turn, 0);
	atomic_store_release(&done, 0);
	pthread_create(&t, NULL, take_turns, &b);
	for (uint32_t i = 1; i <= a.n; i++) {
		vtree_enter(&tree, thread_self(), a.at[i % 2], &s);
		vtree_leave(&s);
		atomic_store_release(&turn, i);
		while (atomic_load_acquire(&done) != i)
			sched_yield();
	}
	pthread_join(t, NULL);
	vtree_get_stats(&tree, &after);
	assert_int_equal(after.collisions, before.collisions);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	return after.splits - before.splits;
}

static uint64_t leaf_of(uint64_t addr)
{
	struct vtree_section s;

	vtree_enter(&tree, thread_self(), addr, &s);
	vtree_leave(&s);
	return s.r.lo;
}

/* One below, one above: a leaf each, with the border between all that they visited. */
static void turns_part(void **state)
{
	(void)state;
	ref_set(&tree, PAGES(1), PAGES(9000), ref_vma(&pool, 1, VMA_READ));
	assert_int_equal(in_turns((struct visits){ { PAGES(100), PAGES(1000) }, 20, false },
				  (struct visits){ { PAGES(5000), PAGES(1100) }, 20, false }), 1);
	assert_int_equal(leaf_of(PAGES(5000)), PAGES(1024));
	assert_int_equal(leaf_of(PAGES(100)), 0);
}

/* Threads that work all over a leaf would meet in any part of it. */
static void crossing_turns_do_not_part(void **state)
{
	(void)state;
	ref_set(&tree, PAGES(1), PAGES(9000), ref_vma(&pool, 1, VMA_READ));
	assert_int_equal(in_turns((struct visits){ { PAGES(100), PAGES(5000) }, 200, false },
				  (struct visits){ { PAGES(4000), PAGES(200) }, 200, false }), 0);
}

/* Who comes by once in a long time is let in, and no more. */
static void few_turns_do_not_part(void **state)
{
	struct vtree_section s;

	(void)state;
	ref_set(&tree, PAGES(1), PAGES(9000), ref_vma(&pool, 1, VMA_READ));
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(in_turns((struct visits){ { PAGES(100), PAGES(100) }, 1, false },
					  (struct visits){ { PAGES(5000), PAGES(5000) }, 1, false }), 0);
		for (unsigned k = 0; k < 100; k++) {
			vtree_enter(&tree, thread_self(), PAGES(100), &s);
			vtree_leave(&s);
		}
	}
}

/* Who passes by goes along a VMA: no border in there, nor where two VMAs meet, keeps it away; one in a gap does. */
static void passers_are_parted_in_gaps(void **state)
{
	const struct visits works = { { PAGES(100), PAGES(100) }, 40, false };

	(void)state;
	ref_set(&tree, PAGES(1), PAGES(4000), ref_vma(&pool, 1, VMA_READ));
	ref_set(&tree, PAGES(4000), PAGES(9000), ref_vma(&pool, 1, VMA_READ | VMA_WRITE));
	ref_set(&tree, PAGES(9050), PAGES(9500), ref_vma(&pool, 1, VMA_READ));
	assert_int_equal(in_turns(works, (struct visits){ { PAGES(5000), PAGES(5000) }, 40, true }), 0);
	assert_int_equal(in_turns(works, (struct visits){ { PAGES(9100), PAGES(9100) }, 40, true }), 1);
	assert_in_range(leaf_of(PAGES(9100)), PAGES(9000), PAGES(9050));
	assert_int_equal(in_turns(works, (struct visits){ { PAGES(5000), PAGES(5000) }, 40, false }), 1);
	assert_int_equal(leaf_of(PAGES(5000)), PAGES(4000));
}

/* Two that work in a leaf are parted whoever else passes by. */
static void passers_leave_pairs_alone(void **state)
{
	struct vtree_section s;

	(void)state;
	ref_set(&tree, PAGES(1), PAGES(9000), ref_vma(&pool, 1, VMA_READ));
	for (unsigned i = 0; i < 10; i++) {
		in_turns((struct visits){ { PAGES(100), PAGES(100) }, 1, false },
			 (struct visits){ { PAGES(5000), PAGES(5000) }, 1, false });
		vtree_pass(&tree, thread_self(), PAGES(8000), &s);
		vtree_leave(&s);
	}
	assert_int_equal(leaf_of(PAGES(5000)), PAGES(4096));
}

/* ---- readers that have to look again ---- */

struct reader { char role[2]; bool peeks; };

static void *read_once(void *arg)
{
	const struct reader *r = arg;
	struct vtree_seen seen;

	point_role(r->role);
	rcu_enter(thread_self());
	if (r->peeks)
		vtree_peek(&tree, PAGES(5000), &seen);
	else
		vtree_find(&tree, PAGES(5000), &seen);
	rcu_leave(thread_self());
	point_role(NULL);
	return NULL;
}

/* A writer makes one reader after the other look again. How often was the leaf split? */
static uint64_t splits_beside(bool peeks)
{
	static struct reader r[2 * COLLIDERS];
	struct vtree_stats stats;
	struct vtree_section s;
	pthread_t t;

	ref_set(&tree, PAGES(1), PAGES(9000), ref_vma(&pool, 1, VMA_READ));
	for (unsigned i = 0; i < 2 * COLLIDERS; i++) {
		r[i] = (struct reader){ { (char)('a' + i), 0 }, peeks };
		point_stop(r[i].role, "vtree_find_hit", NULL, NULL);
		pthread_create(&t, NULL, read_once, &r[i]);
		assert_true(point_wait_reached(r[i].role, "vtree_find_hit", 10 * SECOND));
		vtree_enter(&tree, thread_self(), PAGES(100), &s);
		vtree_touch(&s);
		vtree_leave(&s);
		point_release(r[i].role, "vtree_find_hit");
		pthread_join(t, NULL);
	}
	assert_int_equal(point_timeouts(), 0);
	vtree_get_stats(&tree, &stats);
	return stats.splits;
}

/* Who works there is a rival of the writer, who looks across a border is none. */
static void peekers_are_no_rivals(void **state)
{
	if (!point_available())
		skip();
	assert_int_equal(splits_beside(true), 0);
	teardown(state);
	setup(state);
	assert_int_equal(splits_beside(false), 1);
}

/* ---- borders ---- */

#define EDGE 24                                          /* pages at each end of a block                           */

/* Of any two pages the border lies above the lower one and not above the higher. No slot crosses it, or it is a
 * multiple of 16. */
static void borders_of(uint32_t first)
{
	struct vtree_section s;

	vtree_enter(&tree, thread_self(), vtree_addr(0, first), &s);
	for (uint32_t a = first; a - first < EDGE; a++) {
		for (uint32_t b = first; b - first < EDGE; b++) {
			uint32_t border = 0, lo = a < b ? a : b, hi = a < b ? b : a;

			if (!vtree_border_between(&s, (struct vtree_rivals){ a, b, false }, &border))
				continue;
			assert_in_range(border, (uint64_t)lo + 1, hi);
			assert_true(border % 16 == 0 ||
				    (vtree_meets(&s, vtree_addr(0, border - 1), vtree_addr(0, border)) &
				     vtree_meets(&s, vtree_addr(0, border), vtree_addr(0, (uint64_t)border + 1))) == 0);
		}
	}
	vtree_leave(&s);
}

static void borders_lie_between(void **state)
{
	struct vma *vma = ref_vma(&pool, 1, VMA_READ);
	uint32_t last = UINT32_MAX - EDGE + 1;

	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		borders_of(0);
		borders_of(last);
		ref_set(&tree, PAGES(7 * n), PAGES(7 * n + 2 + n), vma);
		ref_set(&tree, PAGES((uint64_t)last + 7 * n), PAGES((uint64_t)last + 7 * n + 2 + n), vma);
	}
}

/* Inside a slot: who was met at the first page of the leaf goes through it, who was met at the last looks across. */
static void who_goes_through_is_parted_above(void **state)
{
	(void)state;
	ref_set(&tree, 0, PAGES(9000), ref_vma(&pool, 1, VMA_READ));
	assert_int_equal(part(0, PAGES(5001)), PAGES(4992));
	assert_int_equal(part(PAGES(1000), PAGES(4991)), PAGES(4976));
}

/* The last page of a block has no page behind it. */
static void colliders_at_the_end_are_parted(void **state)
{
	const uint64_t end = UINT64_C(1) << VTREE_BLOCK_SHIFT;

	(void)state;
	assert_int_equal(part(end - PAGES(2), end - PAGES(1)), end - PAGES(1));
	assert_int_equal(part(0, PAGES(1)), PAGES(1));
}

/* ---- joins that are undone ---- */

static void fill_and_thin(unsigned keep)
{
	struct vma *vma = ref_vma(&pool, 1, VMA_READ);

	for (uint64_t i = 0; i < 30; i++)
		ref_set(&tree, PAGES(4 * i), PAGES(4 * i + 1), vma);
	for (uint64_t i = 0; i < 30; i++)
		if (i % 30 >= keep)
			ref_set(&tree, PAGES(4 * i), PAGES(4 * i + 1), NULL);
}

static void join_times(unsigned n)
{
	while (n-- > 0)
		vtree_join(&tree, thread_self(), (struct lock_range){ 0, PAGES(120) });
}

/* A leaf that is full again soon after its join is not joined a second time so soon, unless it is empty; nor at once
 * if it was, and is full again: it is empty by chance. */
static void undone_joins_rest(void **state)
{
	(void)state;
	fill_and_thin(8);
	join_times(1);
	assert_int_equal(joins(), 1);
	fill_and_thin(8);
	join_times(100);
	assert_int_equal(joins(), 1);
	join_times(2000);
	assert_int_equal(joins(), 2);
	fill_and_thin(0);
	join_times(1);
	assert_int_equal(joins(), 3);
	fill_and_thin(0);
	join_times(2000);
	assert_int_equal(joins(), 3);
	join_times(16000);
	assert_int_equal(joins(), 4);
}

static unsigned leaves_up_to(uint64_t end)
{
	unsigned n = 0;

	for (uint64_t at = 0; at < end; n++) {
		struct vtree_section s;

		vtree_enter(&tree, thread_self(), at, &s);
		vtree_leave(&s);
		at = s.r.hi;
	}
	return n;
}

/* Leaves that are full are split beside a border that colliders have earned. It stays; the others go with what filled
 * the leaves: a VMA that takes its place would be cut in each of them. */
static void only_earned_borders_stay(void **state)
{
	struct vma *vma = ref_vma(&pool, 1, VMA_READ);

	(void)state;
	assert_int_equal(part(PAGES(1000), PAGES(5000)), PAGES(4095));
	for (uint64_t i = 0; i < 900; i++)
		ref_set(&tree, PAGES(4 * i), PAGES(4 * i + 1), vma);
	assert_true(leaves_up_to(PAGES(4095)) > 30);
	for (uint64_t i = 0; i < 900; i++)
		ref_set(&tree, PAGES(4 * i), PAGES(4 * i + 1), NULL);
	for (unsigned i = 0; i < 100; i++)
		vtree_join(&tree, thread_self(), (struct lock_range){ 0, PAGES(4095) });
	assert_int_equal(leaves_up_to(PAGES(4095)), 1);
	assert_int_equal(leaf_of(PAGES(5000)), PAGES(4095));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(colliders_are_parted, setup, teardown),
		cmocka_unit_test_setup_teardown(own_pages_are_no_rivals, setup, teardown),
		cmocka_unit_test_setup_teardown(both_have_to_be_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(turns_part, setup, teardown),
		cmocka_unit_test_setup_teardown(crossing_turns_do_not_part, setup, teardown),
		cmocka_unit_test_setup_teardown(few_turns_do_not_part, setup, teardown),
		cmocka_unit_test_setup_teardown(passers_are_parted_in_gaps, setup, teardown),
		cmocka_unit_test_setup_teardown(passers_leave_pairs_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(peekers_are_no_rivals, setup, teardown),
		cmocka_unit_test_setup_teardown(borders_lie_between, setup, teardown),
		cmocka_unit_test_setup_teardown(who_goes_through_is_parted_above, setup, teardown),
		cmocka_unit_test_setup_teardown(colliders_at_the_end_are_parted, setup, teardown),
		cmocka_unit_test_setup_teardown(undone_joins_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(only_earned_borders_stay, setup, teardown),
	};

	return cmocka_run_group_tests_name("vtree_part", tests, NULL, NULL);
}
