/* SPDX-License-Identifier: MIT */
/*
 * test_range_lock.c - range locks over the smallest map there is: eight pages, each a VMA of its own, no gaps.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/park.h"
#include "base/rcu.h"
#include "locks/range_lock.h"

#define PAGES 8

static struct lock_slot slot[PAGES], dummy_slot;
static struct range_locks locks;

static void mini_find(struct lock_space *space, uint64_t addr, struct lock_seen *seen)
{
	uint64_t page = addr >> PAGE_SHIFT;

	(void)space;
	*seen = (struct lock_seen){ &slot[page], atomic_load_acquire(&slot[page].lk),
				    { page << PAGE_SHIFT, (page + 1) << PAGE_SHIFT }, false };
}

static int mini_claim(struct lock_space *space, struct lock_claim *c)
{
	uint64_t lk;

	mini_find(space, c->r.lo, &c->held);
	lk = c->held.lk;
	if (lock_word_held(lk) || !atomic_cas_seqcst(&c->held.slot->lk, &lk, c->mine.lk))
		return -EBUSY;
	c->r.lo = c->held.r.hi;
	return 0;
}

static void mini_pass(struct lock_space *space, struct lock_range r, const struct lock_holder *from,
		      const struct lock_holder *to)
{
	struct lock_seen seen;

	for (uint64_t at = r.lo; at < r.hi; at = seen.r.hi) {
		mini_find(space, at, &seen);
		if (seen.lk == from->lk)
			atomic_store_release(&seen.slot->lk, to->lk);
	}
}

static uint64_t mini_look(struct lock_space *space, struct thread_slot *self, struct lock_range *r,
			  struct lock_slot **out)
{
	struct lock_seen seen;

	(void)self;
	mini_find(space, r->lo, &seen);
	*out = seen.slot;
	r->hi = seen.r.hi < r->hi ? seen.r.hi : r->hi;
	return seen.lk;
}

static void mini_dummy_init(struct lock_space *space, void *buffer, struct lock_slot **out)
{
	(void)space, (void)buffer;
	*out = &dummy_slot;
}

static const struct lock_view mini_view = {
	.find = mini_find, .look = mini_look, .next = mini_find, .claim = mini_claim, .pass = mini_pass,
	.dummy_init = mini_dummy_init,
};

static struct lock_range pages(uint64_t lo, uint64_t hi)
{
	return (struct lock_range){ lo << PAGE_SHIFT, hi << PAGE_SHIFT };
}

static int set_up(void **state)
{
	(void)state;
	memset(&locks, 0, sizeof(locks));
	for (unsigned i = 0; i < PAGES; i++) {
		atomic_store_relaxed(&slot[i].lk, thread_next_number(thread_self()));
		atomic_store_relaxed(&slot[i].pins, 0);
	}
	return range_locks_init(&locks, NULL, &mini_view, offsetof(struct lock_slot, pins));
}

static int tear_down(void **state)
{
	uint64_t bad = range_audit(&locks, stderr);

	(void)state;
	range_locks_fini(&locks);
	return bad != 0;
}

static struct range_take want(struct lock_range r)
{
	return (struct range_take){ .self = thread_self(), .r = r, .number = thread_next_number(thread_self()) };
}

/* One lock object stands in all VMAs; release stores the acquisition's number in each. */
static void test_take_and_give(void **state)
{
	struct range_take t = want(pages(2, 5));
	struct lock_range notes;

	(void)state;
	assert_int_equal(range_take(&locks, &t, PARK_FOREVER), 0);
	for (unsigned i = 2; i < 5; i++)
		assert_ptr_equal(lock_word_lock(atomic_load_relaxed(&slot[i].lk)), t.lock);
	assert_true(lock_word_free(atomic_load_relaxed(&slot[1].lk)));
	assert_true(lock_word_free(atomic_load_relaxed(&slot[5].lk)));
	assert_true(range_audit(&locks, NULL) > 0);
	range_give(&locks, &t);
	notes = t.notes;
	assert_true(notes.lo > notes.hi);                /* nobody left one                                        */
	for (unsigned i = 2; i < 5; i++)
		assert_int_equal(atomic_load_relaxed(&slot[i].lk), t.number);
}

static void test_two_levels(void **state)
{
	struct range_take a = want(pages(1, 2)), b = want(pages(3, 4)), c = want(pages(6, 7));

	(void)state;
	assert_int_equal(range_take(&locks, &a, PARK_FOREVER), 0);
	assert_int_equal(range_take(&locks, &b, PARK_FOREVER), 0);
	assert_ptr_not_equal(a.lock, b.lock);
	assert_int_equal(range_take(&locks, &c, PARK_FOREVER), -EDEADLK);
	range_give(&locks, &a);                          /* in any order                                           */
	assert_int_equal(range_take(&locks, &c, PARK_FOREVER), 0);
	range_give(&locks, &b);
	range_give(&locks, &c);
}

struct holder { pthread_t thread; struct lock_range r, notes; atomic_u32 holds, go; };

static void *holder_main(void *arg)
{
	struct holder *h = arg;
	struct range_take t = want(h->r);

	if (range_take(&locks, &t, PARK_FOREVER))
		return NULL;
	atomic_store_release(&h->holds, 1);
	while (!atomic_load_acquire(&h->go))
		usleep(100);
	range_give(&locks, &t);
	h->notes = t.notes;
	return NULL;
}

static void holder_start(struct holder *h, struct lock_range r)
{
	*h = (struct holder){ .r = r };
	assert_int_equal(pthread_create(&h->thread, NULL, holder_main, h), 0);
	while (!atomic_load_acquire(&h->holds))
		usleep(100);
}

static void holder_end(struct holder *h)
{
	atomic_store_release(&h->go, 1);
	pthread_join(h->thread, NULL);
}

static unsigned records_in_use(void)
{
	struct range_thread *home = range_thread_mine(&locks, thread_self());
	unsigned n = 0;

	for (unsigned i = 0; i < WAITERS_PER_THREAD; i++)
		n += atomic_load_relaxed(&home->waiter[i].state) != WAITER_FREE;
	return n;
}

/* An attempt that fails leaves nothing held, and forty time-outs on one acquisition need one record. */
static void test_deadlines(void **state)
{
	struct holder h;
	unsigned free_below = 0, used;
	int wrong = 0, try;

	(void)state;
	holder_start(&h, pages(4, 5));
	for (unsigned i = 0; i < 40; i++) {
		struct range_take t = want(pages(2, 6));

		wrong += range_take(&locks, &t, clock_ns() + 200000) != -ETIMEDOUT || !t.touched;
		free_below += lock_word_free(atomic_load_relaxed(&slot[2].lk));
	}
	struct range_take t = want(pages(2, 6));

	try = range_take(&locks, &t, PARK_TRY);
	used = records_in_use();
	holder_end(&h);
	assert_int_equal(wrong, 0);
	assert_int_equal(free_below, 40);
	assert_int_equal(try, -EAGAIN);
	assert_int_equal(used, 1);
	assert_int_equal(records_in_use(), 0);           /* the release returned it                                */
}

static void test_notes(void **state)
{
	struct holder h;
	bool left, free_word;

	(void)state;
	holder_start(&h, pages(4, 6));
	left = range_leave_note(&locks, thread_self(), &slot[4], pages(4, 4).lo);
	free_word = range_leave_note(&locks, thread_self(), &slot[1], pages(1, 1).lo);
	holder_end(&h);
	assert_true(left);
	assert_false(free_word);
	assert_true(h.notes.lo == pages(4, 4).lo && h.notes.hi == h.notes.lo);
	holder_start(&h, pages(4, 6));                   /* the next acquisition begins without notes              */
	left = range_leave_note(&locks, thread_self(), &slot[5], pages(6, 6).lo);
	left = range_leave_note(&locks, thread_self(), &slot[5], pages(5, 5).lo) && left;
	holder_end(&h);
	assert_true(left);
	assert_true(h.notes.lo == pages(5, 5).lo && h.notes.hi == pages(6, 6).lo);
}

static void *waiter_main(void *arg)
{
	struct range_take t = want(*(struct lock_range *)arg);

	if (!range_take(&locks, &t, PARK_FOREVER))
		range_give(&locks, &t);
	return NULL;
}

/* The dump names holder, waiter and chain, and the statistics the wait. */
static void test_dump(void **state)
{
	struct lock_range r = pages(4, 5);
	struct range_stats stats;
	struct holder h;
	pthread_t thread;
	char *text = NULL;
	size_t bytes;
	FILE *out;

	(void)state;
	holder_start(&h, pages(3, 5));
	assert_int_equal(pthread_create(&thread, NULL, waiter_main, &r), 0);
	do {
		usleep(1000);
		range_stats(&locks, &stats);
	} while (!stats.edits_waited);
	out = open_memstream(&text, &bytes);
	range_dump(&locks, out);
	fclose(out);
	holder_end(&h);
	pthread_join(thread, NULL);
	assert_non_null(strstr(text, "holds [0x3000, 0x5000)"));
	assert_non_null(strstr(text, "waiting at 0x4000"));
	assert_non_null(strstr(text, "-(0x4000)->"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_take_and_give, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deadlines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_notes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dump, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
