/* SPDX-License-Identifier: MIT */
/* test_frame_record.c - who has a frame, how many, where it is mapped; and the last one of those who let it go. */
#include <pthread.h>

#include "base/point.h"
#include "tests/unit/phys/fixture.h"
#include "vmmap/phys/frame_record.h"

#define THREADS 4u
#define ROUNDS  2000u

static void assert_counts(struct physmem *pm, uint64_t pfn, uint32_t refs, uint32_t maps)
{
	struct frame_counts c = frame_counts(pm, pfn);

	assert_int_equal(c.refs, refs);
	assert_int_equal(c.maps, maps);
}

static void is_small(void **state)
{
	(void)state;
	assert_true(sizeof(uint64_t) + sizeof(struct frame_batch) + sizeof(struct frame_record) <= 64);
}

static void owner_and_order_are_in_the_word(void **state)
{
	static const enum frame_owner owners[] = { FRAME_OWNER_CALLER, FRAME_OWNER_MAP, FRAME_OWNER_OBJECT };
	struct physmem *pm = make(1024, 0);
	struct thread_slot *self = thread_self();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t pfn = frame_alloc_for(pm, self, owners[i]);

		assert_int_equal(frame_owner_of(pm, pfn), owners[i]);
		assert_int_equal(frame_order(pm->word[pfn - pm->base]), 0);
		frame_free_by(pm, self, pfn, owners[i]);
	}
	assert_int_equal(frame_order(frame_owned(FRAME_OWNER_OBJECT, 9)), 9);
	assert_int_equal(frame_owner(frame_owned(FRAME_OWNER_OBJECT, 9)), FRAME_OWNER_OBJECT);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* A public free knows the frames of its own callers. */
static void a_free_says_whose_it_is(void **state)
{
	struct physmem *pm = make(1024, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn = frame_alloc(pm, self);

	(void)state;
	assert_int_equal(physmem_frame_free(pm, pfn), -EPERM);
	frame_free(pm, self, pfn);
	pfn = physmem_frame_alloc(pm);
	assert_int_equal(physmem_frame_free(pm, pfn), 0);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void who_is_alone_has_written_nothing(void **state)
{
	struct physmem *pm = make(1024, 0);
	struct thread_slot *self = thread_self();
	uint64_t of_map = frame_alloc(pm, self), of_object = frame_alloc_for(pm, self, FRAME_OWNER_OBJECT);

	(void)state;
	assert_counts(pm, of_map, 1, 1);
	assert_counts(pm, of_object, 1, 1);
	assert_true(frame_drop(pm, of_map, true));
	assert_true(frame_drop(pm, of_object, true));
	frame_free(pm, self, of_map);
	frame_free_by(pm, self, of_object, FRAME_OWNER_OBJECT);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void counts_are_exact(void **state)
{
	struct physmem *pm = make(1024, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn = frame_alloc(pm, self);

	(void)state;
	frame_share(pm, pfn, 1, 1);                                     /* a fork                                     */
	assert_counts(pm, pfn, 2, 2);
	frame_share(pm, pfn, 1, 0);                                     /* one who copies it elsewhere                */
	frame_share(pm, pfn, 3, 3);
	assert_counts(pm, pfn, 6, 5);
	for (unsigned left = 5; left-- > 0;) {
		assert_false(frame_drop(pm, pfn, true));
		assert_counts(pm, pfn, 1 + left, left);
	}
	assert_true(frame_drop(pm, pfn, false));                        /* no map is left, and then nothing           */
	frame_free(pm, self, pfn);
	assert_clean(pm);

	pfn = frame_alloc_for(pm, self, FRAME_OWNER_OBJECT);
	frame_share(pm, pfn, 2, 0);
	assert_counts(pm, pfn, 3, 1);
	assert_false(frame_drop(pm, pfn, true));                        /* the object lets it go first                */
	assert_false(frame_drop(pm, pfn, false));
	assert_counts(pm, pfn, 1, 0);
	frame_share(pm, pfn, 1, 0);                                     /* from one on, again                         */
	assert_false(frame_drop(pm, pfn, false));
	assert_true(frame_drop(pm, pfn, false));
	frame_free_by(pm, self, pfn, FRAME_OWNER_OBJECT);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void where_stays_for_a_life(void **state)
{
	struct physmem *pm = make(1024, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn = frame_alloc(pm, self), page;
	struct frame_name name = { 0 };
	int group;

	(void)state;
	assert_int_equal(frame_where(pm, pfn, &page), 0);
	frame_set_where(pm, pfn, (uint64_t)(uintptr_t)&group, 77);
	frame_share(pm, pfn, 1, 1);
	assert_false(frame_drop(pm, pfn, true));
	assert_int_equal(frame_where(pm, pfn, &page), (uintptr_t)&group);
	assert_int_equal(page, 77);
	assert_true(frame_name(pm, pfn, &name));
	assert_true(name.where == (uintptr_t)&group && name.page == 77);
	assert_true(frame_drop(pm, pfn, true));
	frame_free(pm, self, pfn);
	assert_false(frame_name(pm, pfn, &name));                       /* nobody has it: nobody believes it          */
	assert_int_equal(frame_alloc_named(pm, self, FRAME_OWNER_OBJECT, 8, 5), pfn);
	assert_true(frame_name(pm, pfn, &name));
	assert_true(name.where == 8 && name.page == 5 && frame_owner(name.word) == FRAME_OWNER_OBJECT);
	frame_free_by(pm, self, pfn, FRAME_OWNER_OBJECT);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void the_audit_sees_a_record_that_was_left(void **state)
{
	struct physmem *pm = make(1024, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn = frame_alloc(pm, self);

	(void)state;
	frame_free(pm, self, pfn);
	frame_record_of(pm, pfn)->counts = 1;
	assert_int_equal(physmem_audit(pm, NULL), 1);
	frame_record_of(pm, pfn)->counts = 0;
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- who is the last ---- */

static struct physmem *shared;
static uint64_t shared_pfn;
static unsigned last;

static void drop_beside(void *arg)
{
	(void)arg;
	last += frame_drop(shared, shared_pfn, true);
}

/* Between the two looks of who asks for its name the frame is freed, and taken for another. */
static void taken_again(void *arg)
{
	struct thread_slot *self = thread_self();

	(void)arg;
	frame_free(shared, self, shared_pfn);
	assert_int_equal(frame_alloc_named(shared, self, FRAME_OWNER_MAP, 16, 6), shared_pfn);
}

static bool named_beside(void)
{
	struct frame_name name;
	bool named;

	shared = make(1024, 0);
	shared_pfn = frame_alloc_named(shared, thread_self(), FRAME_OWNER_MAP, 8, 5);
	assert_int_equal(point_call("names", "frame_name_read", taken_again, NULL), 0);
	point_role("names");
	named = frame_name(shared, shared_pfn, &name);
	point_role(NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	frame_free(shared, thread_self(), shared_pfn);
	physmem_destroy(shared);
	return named;
}

static void a_name_is_of_one_life(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_false(named_beside());
	assert_int_equal(point_mutant_select("frame_name_one_look"), 0);
	assert_true(named_beside());
}

/* Of two that let go at once, one is the last. */
static unsigned two_let_go(void)
{
	struct thread_slot *self = thread_self();

	shared = make(1024, 0);
	shared_pfn = frame_alloc(shared, self);
	last = 0;
	frame_share(shared, shared_pfn, 1, 1);
	assert_int_equal(point_call("drop", "frame_drop_seen", drop_beside, NULL), 0);
	point_role("drop");
	last += frame_drop(shared, shared_pfn, true);
	point_role(NULL);
	if (last == 0)
		assert_true(frame_drop(shared, shared_pfn, true));      /* the mutant's */
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	frame_free(shared, self, shared_pfn);
	physmem_destroy(shared);
	return last;
}

static void of_two_one_is_the_last(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_int_equal(two_let_go(), 1);
	assert_int_equal(point_mutant_select("frame_drop_stores"), 0);
	assert_int_equal(two_let_go(), 0);
}

struct sharer { struct physmem *pm; uint64_t pfn; pthread_barrier_t *together; unsigned last; };

/* Who is the last uses the frame again, with plain stores. */
static void drop_one(struct sharer *s, bool map)
{
	if (!frame_drop(s->pm, s->pfn, map))
		return;
	s->last++;
	frame_zero(s->pm, s->pfn);
}

static void *share_and_drop(void *arg)
{
	struct sharer *s = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(s->together);
		frame_share(s->pm, s->pfn, 2, 1);
		frame_write(s->pm, s->pfn, 0, &i, sizeof(i));
		drop_one(s, true);
		drop_one(s, false);
		drop_one(s, true);                                      /* the one it came with                       */
		pthread_barrier_wait(s->together);
	}
	return NULL;
}

static void of_many_one_is_the_last(void **state)
{
	struct sharer s[THREADS];
	struct thread_slot *self = thread_self();
	struct physmem *pm = make(1024, 1);
	uint64_t pfn = frame_alloc(pm, self);
	pthread_barrier_t together;
	pthread_t thread[THREADS];
	unsigned told = 0;

	(void)state;
	assert_int_equal(pthread_barrier_init(&together, NULL, THREADS + 1), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		s[i] = (struct sharer){ pm, pfn, &together, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, share_and_drop, &s[i]), 0);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		frame_share(pm, pfn, THREADS - 1, THREADS - 1);
		pthread_barrier_wait(&together);
		pthread_barrier_wait(&together);
		assert_counts(pm, pfn, 1, 1);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		told += s[i].last;
	}
	assert_int_equal(told, ROUNDS);
	pthread_barrier_destroy(&together);
	frame_free(pm, self, pfn);
	assert_clean(pm);
	physmem_destroy(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_small),
		cmocka_unit_test(owner_and_order_are_in_the_word),
		cmocka_unit_test(a_free_says_whose_it_is),
		cmocka_unit_test(who_is_alone_has_written_nothing),
		cmocka_unit_test(counts_are_exact),
		cmocka_unit_test(where_stays_for_a_life),
		cmocka_unit_test(the_audit_sees_a_record_that_was_left),
		cmocka_unit_test(of_two_one_is_the_last),
		cmocka_unit_test(a_name_is_of_one_life),
		cmocka_unit_test(of_many_one_is_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
