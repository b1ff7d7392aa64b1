/* SPDX-License-Identifier: MIT */
/* test_physmem_unplug.c - memory goes while it is used: which parts, what moves, what stays, and how it ends. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/prng.h"
#include "tests/unit/phys/hotplug_fixture.h"
#include "vmmap/phys/frame_isolate.h"
#include "vmmap/phys/frame_mover.h"
#include "vmmap/physmem_host.h"

/* What can be had is what is there. */
static void assert_there(struct physmem *pm, const unsigned char *there)
{
	static uint64_t pfn[LIMIT];
	static unsigned char got[LIMIT];
	uint64_t n = 0;

	memset(got, 0, sizeof(got));
	assert_clean(pm);
	while ((pfn[n] = frame_alloc(pm, thread_self())) != PHYSMEM_NONE) {
		assert_int_equal(got[pfn[n]]++, 0);
		n++;
	}
	assert_memory_equal(got, there, sizeof(got));
	assert_int_equal(usage(pm).frames, n);
	while (n > 0)
		frame_free(pm, thread_self(), pfn[--n]);
	assert_clean(pm);
}

static void set(unsigned char *there, uint64_t pfn, uint64_t pages, int is)
{
	memset(there + pfn, is, pages);
}

static void any_part_of_what_is_there(void **state)
{
	static const struct { uint64_t pfn, pages; int err; } part[] = {
		{ 0, 0, -EINVAL }, { LIMIT - 1, 2, -EINVAL }, { LIMIT, 1, -EINVAL }, { 5, UINT64_MAX, -EINVAL },
		{ 2048, 1, -ENXIO }, { 2000, 100, -ENXIO }, { 4000, 200, -ENXIO }, { 0, LIMIT, -ENXIO },
		{ 100, 200, 0 },                         /* a hole in a block */
		{ 100, 200, -ENXIO }, { 90, 20, -ENXIO },
		{ 512, 512, 0 }, { 0, 100, 0 }, { 2047, 1, 0 }, { 300, 212, 0 },
		{ 1024, 1023, 0 },                       /* all of the first */
		{ 5000, 700, 0 }, { 4096, 904, 0 },
		{ 5700, 444, -ENOMEM },                  /* the last */
	};
	struct physmem *pm = two_segments();
	static unsigned char there[LIMIT];

	(void)state;
	set(there, 0, LIMIT, 0);
	set(there, 0, 2048, 1);
	set(there, 4096, 2048, 1);
	for (unsigned i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		assert_int_equal(unplug(pm, part[i].pfn, part[i].pages), part[i].err);
		if (part[i].err == 0)
			set(there, part[i].pfn, part[i].pages, 0);
		assert_there(pm, there);
	}
	physmem_destroy(pm);
}

/* Random plugs and unplugs against a byte for each frame. */
static void random_parts(void **state)
{
	struct physmem *pm = two_segments();
	struct prng rng = prng_seed(7, 0);
	static unsigned char there[LIMIT];

	(void)state;
	set(there, 0, LIMIT, 0);
	set(there, 0, 2048, 1);
	set(there, 4096, 2048, 1);
	for (unsigned step = 0; step < 400; step++) {
		uint64_t pfn = prng_below(&rng, LIMIT), pages = 1 + prng_below(&rng, step % 3 ? 700 : 3000), n = 0;
		bool plugs = prng_below(&rng, 2);

		pages = pages < LIMIT - pfn ? pages : LIMIT - pfn;
		for (uint64_t i = pfn; i < pfn + pages; i++)
			n += there[i];
		if (plugs)
			assert_int_equal(physmem_plug(pm, pfn, pages, 0), n ? -EEXIST : 0);
		else
			assert_int_equal(unplug(pm, pfn, pages), n != pages ? -ENXIO : 0);
		if (plugs ? n == 0 : n == pages)
			set(there, pfn, pages, plugs);
		if (step % 20 == 0)
			assert_there(pm, there);
	}
	assert_there(pm, there);
	physmem_destroy(pm);
}

/* ---- frames in use ---- */

/* In place of maps: page i shows frame shown[i]. */
#define SHOWN 1500u

static struct { struct physmem *pm; uint64_t pfn[SHOWN]; atomic_u32 lock; uint32_t busy, pinned; } map;

static enum frame_moved move_shown(struct physmem *pm, struct thread_slot *self, uint64_t pfn, struct frame_left *left)
{
	for (unsigned i = 0; i < SHOWN; i++) {
		uint64_t to;

		if (map.pfn[i] != pfn)
			continue;
		if (map.pinned == i)
			return FRAME_PINNED;
		if (map.busy > 0 && map.busy--)
			return FRAME_BUSY;
		to = frame_take(pm, self, FRAME_OWNER_MAP);
		if (to == PHYSMEM_NONE)
			return FRAME_NO_MEMORY;
		frame_copy(pm, to, pfn);
		map.pfn[i] = to;
		rcu_enter(self);
		frame_left_put(pm, self, left, pfn, FRAME_OWNER_MAP);
		rcu_leave(self);
		return FRAME_MOVED;
	}
	return FRAME_GONE;
}

static const struct frame_mover mover = { move_shown };

static struct physmem *used(void)
{
	struct physmem *pm = two_segments();

	map.pm = pm;
	map.busy = 0;
	map.pinned = SHOWN;
	physmem_set_mover(pm, &mover);
	for (unsigned i = 0; i < SHOWN; i++) {
		uint64_t is = i * 3 + 1;

		map.pfn[i] = frame_alloc(pm, thread_self());
		assert_true(map.pfn[i] != PHYSMEM_NONE);
		frame_write(pm, map.pfn[i], 16, &is, 8);
	}
	return pm;
}

static void done(struct physmem *pm)
{
	for (unsigned i = 0; i < SHOWN; i++) {
		uint64_t is = 0;

		frame_read(pm, map.pfn[i], 16, &is, 8);
		assert_int_equal(is, i * 3 + 1);
		frame_free(pm, thread_self(), map.pfn[i]);
	}
	assert_clean(pm);
	physmem_destroy(pm);
}

static uint64_t shown_in(uint64_t lo, uint64_t hi)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SHOWN; i++)
		n += map.pfn[i] >= lo && map.pfn[i] < hi;
	return n;
}

static void what_is_used_moves(void **state)
{
	struct physmem_unplug_result result;
	struct physmem *pm = used();

	(void)state;
	for (unsigned round = 0; round < 6; round++) {
		uint64_t lo = round % 2 ? 4096 : 0, n = shown_in(lo, lo + 2048), periods;

		map.busy = round;
		periods = atomic_load_relaxed(&rcu_global.epoch);
		assert_int_equal(physmem_unplug(pm, lo, 2048, NULL, &result), 0);
		/* Each interrupts all other processors: not one for so many frames. */
		assert_in_range(atomic_load_relaxed(&rcu_global.epoch) - periods, 1, 2 + 2 * (round > 0));
		assert_int_equal(result.moved, n);
		assert_int_equal(result.attempts, 1 + (round > 0));      /* what has moved is waited for in it     */
		assert_int_equal(result.reason, PHYSMEM_REASON_NONE);
		assert_int_equal(result.first, 0);
		for (unsigned why = 0; why < PHYSMEM_REASONS; why++)
			assert_int_equal(result.left[why], 0);
		assert_int_equal(shown_in(lo, lo + 2048), 0);
		assert_int_equal(usage(pm).owned, SHOWN);
		assert_int_equal(usage(pm).isolated, 0);
		assert_int_equal(physmem_audit(pm, stderr), 0);
		assert_int_equal(physmem_plug(pm, lo, 2048, round % 3 == 0), 0);
		assert_int_equal(physmem_audit(pm, stderr), 0);
	}
	done(pm);
}

static void what_is_held_stays(void **state)
{
	struct physmem_unplug_result result;
	struct physmem *pm = two_segments();
	struct physmem_run run;
	uint64_t one = physmem_frame_alloc(pm), lo;

	(void)state;
	assert_int_equal(physmem_run_alloc(pm, 4, &run), 0);
	lo = one < 2048 ? 0 : 4096;
	assert_in_range(run.pfn, lo, lo + 2047);
	frame_flush(pm, thread_self());
	result = fails(pm, lo, 2048, NULL, -EBUSY);
	assert_int_equal(result.reason, PHYSMEM_REASON_HELD);
	assert_int_equal(result.first, one < run.pfn ? one : run.pfn);
	assert_int_equal(result.left[PHYSMEM_REASON_HELD], 17);
	result = fails(pm, run.pfn + 3, 2, NULL, -EBUSY);                /* inside of a run */
	assert_int_equal(result.first, run.pfn + 3);
	assert_int_equal(result.left[PHYSMEM_REASON_HELD], 2);
	assert_int_equal(physmem_frame_free(pm, one), 0);
	assert_int_equal(physmem_run_free(pm, &run), 0);
	assert_int_equal(unplug(pm, lo, 2048), 0);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void what_is_pinned_stays(void **state)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem_unplug_result result;
	struct physmem *pm = used();
	uint64_t lo;

	(void)state;
	lo = map.pfn[700] < 2048 ? 0 : 4096;
	how.deadline_ns = 0;                             /* nothing keeps it but that */
	result = fails(pm, lo, 2048, &how, -EAGAIN);
	assert_int_equal(result.reason, PHYSMEM_REASON_NONE);
	assert_true(shown_in(result.first, result.first + 1) == 1 && shown_in(lo, result.first) == 0);
	assert_int_equal(result.left[PHYSMEM_REASON_NONE], shown_in(lo, lo + 2048));
	map.pinned = 700;
	result = fails(pm, lo, 2048, NULL, -EBUSY);
	assert_int_equal(result.reason, PHYSMEM_REASON_PINNED);
	assert_int_equal(result.first, map.pfn[700]);
	assert_int_equal(result.left[PHYSMEM_REASON_PINNED], 1);
	map.pinned = SHOWN;
	assert_int_equal(unplug(pm, lo, 2048), 0);
	done(pm);
}

/* A block of 512 frames, all of them shown. */
static uint64_t block_shown(void)
{
	uint64_t lo = 0;

	while (shown_in(lo, lo + 512) != 512)
		lo += 512;
	assert_in_range(lo, 0, LIMIT - 512);
	return lo;
}

/* One frame too few, and the answer is no before anything is moved; with that one it works, and takes them all. */
static void where_there_is_no_room(void **state)
{
	struct physmem_unplug_result result;
	struct physmem *pm = used();
	uint64_t *pfn = calloc(LIMIT, sizeof(*pfn)), n = 0, lo = block_shown();

	(void)state;
	while ((pfn[n] = frame_alloc(pm, thread_self())) != PHYSMEM_NONE)
		n++;
	assert_true(n > 512);
	for (unsigned i = 0; i < 512; i++) {
		result = fails(pm, lo, 512, NULL, -ENOMEM);
		assert_int_equal(result.attempts, 0);
		assert_int_equal(result.moved, 0);
		assert_int_equal(result.reason, PHYSMEM_REASON_NO_ROOM);
		assert_int_equal(result.first, lo);
		assert_int_equal(result.left[PHYSMEM_REASON_NO_ROOM], 512);
		frame_free(pm, thread_self(), pfn[--n]);
	}
	assert_int_equal(physmem_unplug(pm, lo, 512, NULL, &result), 0);
	assert_int_equal(result.moved, 512);
	assert_int_equal(usage(pm).owned, usage(pm).frames);
	while (n > 0)
		frame_free(pm, thread_self(), pfn[--n]);
	free(pfn);
	done(pm);
}

/* Of a machine that is full: what stays where it is whatever the room is the reason, not the want of room. */
static void what_is_held_is_why(void **state)
{
	struct physmem_unplug_result result;
	struct physmem *pm = used();
	uint64_t *pfn = calloc(LIMIT, sizeof(*pfn)), n = 0, held = 0, first = PHYSMEM_NONE;

	(void)state;
	while ((pfn[n] = physmem_frame_alloc(pm)) != PHYSMEM_NONE)
		n++;
	for (uint64_t i = 0; i < n; i++)
		if (pfn[i] < 2048) {
			held++;
			first = pfn[i] < first ? pfn[i] : first;
		}
	assert_true(n > 512 && held > 0 && shown_in(0, 2048) > 0);
	result = fails(pm, 0, 2048, NULL, -EBUSY);
	assert_int_equal(result.reason, PHYSMEM_REASON_HELD);
	assert_int_equal(result.first, first);
	assert_int_equal(result.left[PHYSMEM_REASON_HELD], held);
	assert_int_equal(result.left[PHYSMEM_REASON_NO_ROOM], shown_in(0, 2048));
	assert_int_equal(result.moved + result.attempts, 0);
	while (n > 0)
		assert_int_equal(physmem_frame_free(pm, pfn[--n]), 0);
	free(pfn);
	done(pm);
}

/* ---- modes ---- */

static int give_up(void *arg)
{
	struct asked *a = arg;

	return ++a->times == 3;
}

static void wish(void *arg, uint64_t pfn, uint64_t pages)
{
	struct asked *a = arg;

	a->revoked++;
	a->pfn = pfn;
	a->pages = pages;
	if (a->revoked == 2) {
		struct physmem_run run = { pfn, (uint32_t)(a->pm->word[pfn] >> FRAME_LIVES_SHIFT), 3 };

		assert_int_equal(physmem_run_free(a->pm, &run), 0);
	}
}

static void modes_and_ends(void **state)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem_unplug_result result;
	struct physmem *pm = two_segments();
	struct asked asked = { .pm = pm };
	struct physmem_run run;

	(void)state;
	assert_int_equal(physmem_run_alloc(pm, 3, &run), 0);
	how.mode = PHYSMEM_UNPLUG_REVOKE;
	assert_int_equal(physmem_unplug(pm, 0, 2048, &how, NULL), -EINVAL);
	how.mode = PHYSMEM_UNPLUG_WAIT;
	how.size--;
	assert_int_equal(physmem_unplug(pm, 0, 2048, &how, NULL), -EINVAL);
	how.size++;
	how.attempts = 5;
	result = fails(pm, run.pfn, 512, &how, -EBUSY);
	assert_int_equal(result.attempts, 5);
	assert_int_equal(result.reason, PHYSMEM_REASON_HELD);
	how.attempts = 0;
	how.deadline_ns = 0;
	result = fails(pm, run.pfn, 512, &how, -EAGAIN);
	assert_int_equal(result.reason, PHYSMEM_REASON_HELD);
	assert_int_equal(result.first, run.pfn);
	assert_int_equal(result.left[PHYSMEM_REASON_HELD], 8);
	how.deadline_ns = clock_ns() + 3000000;
	(void)fails(pm, run.pfn, 512, &how, -ETIMEDOUT);
	how.deadline_ns = UINT64_MAX;
	how.cancelled = give_up;
	how.arg = &asked;
	(void)fails(pm, run.pfn, 512, &how, -ECANCELED);
	assert_int_equal(asked.times, 3);
	how.cancelled = NULL;
	how.mode = PHYSMEM_UNPLUG_REVOKE;
	how.revoke = wish;
	assert_int_equal(physmem_unplug(pm, run.pfn, 512, &how, &result), 0);
	assert_int_equal(asked.revoked, 2);
	assert_int_equal(asked.pfn, run.pfn);
	assert_int_equal(asked.pages, 8);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- out of use ---- */

/* It goes as if it were free; where the unplug fails it stays out of use. */
static void what_is_poisoned_goes(void **state)
{
	struct physmem *pm = two_segments();
	uint64_t held = physmem_frame_alloc(pm), lo = held - held % 512;

	(void)state;
	for (uint64_t pfn = lo + 511; pfn > lo + 500; pfn--)
		assert_int_equal(physmem_poison(pm, pfn), 0);
	(void)fails(pm, lo, 512, NULL, -EBUSY);
	assert_int_equal(usage(pm).poisoned, 11);
	assert_int_equal(physmem_unpoison(pm, lo + 501), 0);
	assert_int_equal(physmem_frame_free(pm, held), 0);
	assert_int_equal(unplug(pm, lo, 512), 0);
	assert_int_equal(usage(pm).poisoned, 0);
	assert_int_equal(physmem_unpoison(pm, lo + 502), -EINVAL);
	assert_int_equal(physmem_plug(pm, lo, 512, 0), 0);
	assert_int_equal(physmem_unpoison(pm, lo + 502), -EINVAL);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- the balloon's ---- */

static void host_takes(void *arg, struct physmem_told *run, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		run[i].verdict = PHYSMEM_ACCEPTED;
}

static void host_gives(void *arg, const struct physmem_told *run, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		*(uint64_t *)arg += UINT64_C(1) << run[i].order;
}

/* The balloon leaves what goes, for other frames or for none: it is never the reason why an unplug fails. */
static void the_balloon_leaves(void **state)
{
	struct physmem_balloon_config c = PHYSMEM_BALLOON_CONFIG;
	struct physmem *pm = two_segments();
	uint64_t given = 0;

	(void)state;
	c.inflate = host_takes;
	c.deflate = host_gives;
	c.arg = &given;
	c.low = 0;
	assert_int_equal(physmem_balloon_start(pm, &c), 0);
	assert_int_equal(physmem_balloon_inflate(pm, 4096), 4096);
	assert_int_equal(unplug(pm, 1024, 1024), 0);
	assert_int_equal(given, 1024);
	assert_int_equal(physmem_balloon_size(pm), 3072);
	assert_int_equal(physmem_balloon_deflate(pm, 1024), 1024);
	assert_int_equal(unplug(pm, 4096, 2000), 0);
	assert_int_equal(usage(pm).frames, 4096 - 1024 - 2000);
	assert_int_equal(physmem_audit(pm, stderr), 0);
	physmem_balloon_stop(pm);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- want of memory ---- */

static void want_for_memory_changes_nothing(void **state)
{
	struct physmem *pm = two_segments();
	bool fired = true;

	(void)state;
	for (uint64_t nth = 1; fired; nth++) {
		int err;

		mem_fail_nth(nth);
		err = unplug(pm, 100, 300);              /* takes a segment more */
		fired = mem_fail_fired();
		mem_fail_nth(0);
		assert_true(err == 0 || (fired && err == -ENOMEM));
		assert_int_equal(usage(pm).frames, err == 0 ? 4096 - 300 : 4096);
		assert_clean(pm);
		if (err == 0)
			assert_int_equal(physmem_plug(pm, 100, 300, 0), 0);
	}
	physmem_destroy(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_part_of_what_is_there),
		cmocka_unit_test(random_parts),
		cmocka_unit_test(what_is_used_moves),
		cmocka_unit_test(what_is_held_stays),
		cmocka_unit_test(what_is_pinned_stays),
		cmocka_unit_test(where_there_is_no_room),
		cmocka_unit_test(what_is_held_is_why),
		cmocka_unit_test(modes_and_ends),
		cmocka_unit_test(what_is_poisoned_goes),
		cmocka_unit_test(the_balloon_leaves),
		cmocka_unit_test(want_for_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
