/* SPDX-License-Identifier: MIT */
/*
 * physmem_model.h - a byte for each frame of a physmem: what it is; and what calls on the physmem have to say. Below
 * the maps: segments, runs, the host.
 */
#ifndef TESTS_UNIT_SPACE_PHYSMEM_MODEL_H
#define TESTS_UNIT_SPACE_PHYSMEM_MODEL_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/prng.h"
#include "tests/unit/space/maps.h"
#include "vmmap/physmem_host.h"
#include "vmmap/physmem_hotplug.h"
#include "vmmap/space/space.h"

#define BLOCK  512u
#define BLOCKS 12u
#define FRAMES (BLOCKS * BLOCK)
#define FIRST  UINT64_C(5120)                    /* pfn of frame 0 of the model                                    */

/* Of a run's first frame, of its others; of pages; the host's; out of use. */
enum place { ABSENT, FREE, RUN, INSIDE, SHOWN, BALLOON, POISON };
enum kind { NOTHING, ANY, MOVABLE };             /* what a block's segments take                                   */


static struct physmem *pm;
static unsigned char place[FRAMES], kind[BLOCKS];
static unsigned users[FRAMES];                   /* pages that show the frame                                      */
static struct physmem_run run[FRAMES];
static unsigned runs;
static struct prng rng;
static uint64_t stamp;
/* How often what a program is to meet was met. */
enum event { PLUGS, CLASHES, NO_RUN, FORKS, COPIES, NO_FRAME, ACCEPTED,
	     INFLATED, PRESSED, POISONED, UNPLUGS, LEFT, EVENTS };
static const char *const event_name[EVENTS] = {
	[PLUGS] = "plugs", [CLASHES] = "plugs that clash", [NO_RUN] = "runs that are not there", [FORKS] = "forks",
	[COPIES] = "copies", [NO_FRAME] = "stores short of frames", [ACCEPTED] = "blocks reported",
	[INFLATED] = "frames to the balloon", [PRESSED] = "that it gave back unasked", [POISONED] = "poisoned",
	[UNPLUGS] = "unplugs", [LEFT] = "that left it",
};
static uint64_t seen[EVENTS];
static bool reports, inflates, asked;            /* asked: the host gives back what it is asked for               */
static uint64_t host_was_wrong;                  /* it was told of a frame that is not free                        */
static bool failing;                             /* one allocation of memory is ordered to fail                    */

static unsigned pick(unsigned n) { return (unsigned)prng_below(&rng, n); }

/* An -ENOMEM that needs no reason: the order has just been carried out. */
static bool ordered(int err) { return err == -ENOMEM && failing && mem_fail_fired(); }

static unsigned count(enum place what)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FRAMES; i++)
		n += place[i] == what;
	return n;
}

/* There is a free run, in memory that takes everything; or, movable too, in any. */
static bool has_run(unsigned order, bool movable_too)
{
	for (unsigned at = 0; at < FRAMES; at += 1u << order) {
		unsigned n = 0;

		if (kind[at / BLOCK] == MOVABLE && !movable_too)
			continue;
		while (n < 1u << order && place[at + n] == FREE)
			n++;
		if (n == 1u << order)
			return true;
	}
	return false;
}

/* ---- segments ---- */

/* Pages may have other frames now: looks at each, by its map. */
static void pages_moved(void);

static void forget_kinds(void)
{
	for (unsigned block = 0; block < BLOCKS; block++) {
		unsigned n = 0;

		for (unsigned i = block * BLOCK; i < (block + 1) * BLOCK; i++)
			n += place[i] != ABSENT;
		if (n == 0)
			kind[block] = NOTHING;
	}
}

static bool clashes(unsigned block, enum kind with) { return kind[block] != NOTHING && kind[block] != (unsigned)with; }

static void do_plug(void)
{
	unsigned lo = pick(FRAMES), pages = 1 + pick(pick(3) ? 60 : 1500), end;
	enum kind want = pick(5) ? ANY : MOVABLE;
	bool there = false, mixed;
	int err;

	if (pick(2)) {                                   /* whole blocks                                           */
		lo -= lo % BLOCK;
		pages += BLOCK - pages % BLOCK;
	}
	end = lo + pages;
	err = physmem_plug(pm, FIRST + lo, pages, want == MOVABLE);
	if (ordered(err))
		return;
	if (end > FRAMES) {
		assert_int_equal(err, -EINVAL);
		return;
	}
	mixed = clashes(lo / BLOCK, want) || clashes((end - 1) / BLOCK, want);
	for (unsigned i = lo; i < end; i++)
		there |= place[i] != ABSENT;
	if (mixed || there) {
		assert_true((mixed && err == -EINVAL) || (there && err == -EEXIST));
		seen[CLASHES]++;
		return;
	}
	assert_int_equal(err, 0);
	seen[PLUGS]++;
	for (unsigned i = lo; i < end; i++)
		place[i] = FREE, kind[i / BLOCK] = (unsigned char)want;
}

/* What must move had room, so it must have moved; who has it by name keeps it. The map says where the rest is now. */
static void do_unplug(void)
{
	unsigned lo = pick(FRAMES), pages = 1 + pick(pick(3) ? 60 : 1500), end, used = 0, kept = 0, holes = 0;
	struct physmem_unplug_result result;
	int err;

	if (pick(2)) {
		lo -= lo % BLOCK;
		pages += BLOCK - pages % BLOCK;
	}
	end = lo + pages;
	for (unsigned i = lo; i < end && end <= FRAMES; i++) {
		holes += place[i] == ABSENT;
		kept += place[i] == RUN || place[i] == INSIDE;
		used += place[i] == SHOWN;
	}
	if (used != 0 && pick(2))                        /* it needs who moves pages                               */
		return;
	err = physmem_unplug(pm, FIRST + lo, pages, NULL, &result);
	if (ordered(err))
		return;
	if (end > FRAMES || holes != 0) {
		assert_int_equal(err, end > FRAMES ? -EINVAL : -ENXIO);
		return;
	}
	pages_moved();
	if (err != 0) {
		assert_true(err == -EBUSY || err == -ENOMEM);
		assert_true(err == -ENOMEM || kept != 0 || used != 0);
		seen[LEFT]++;
		return;
	}
	assert_int_equal(kept, 0);
	for (unsigned i = lo; i < end; i++) {
		assert_true(place[i] == FREE || place[i] == POISON);
		place[i] = ABSENT;
	}
	forget_kinds();
	seen[UNPLUGS]++;
}

/* ---- runs ---- */

static void mark_run(const struct physmem_run *r, enum place from, enum place first, enum place others)
{
	uint64_t at = r->pfn - FIRST;

	assert_true(r->pfn % (UINT64_C(1) << r->order) == 0 && at < FRAMES);
	for (uint64_t i = 0; i < UINT64_C(1) << r->order; i++) {
		assert_int_equal(place[at + i], i == 0 || from == FREE ? from : INSIDE);
		place[at + i] = (unsigned char)(i == 0 ? first : others);
	}
}

static void do_alloc(void)
{
	unsigned order = pick(3) ? 0 : pick(10);
	struct physmem_run r;
	struct physmem_usage u;
	int err;

	if (runs == FRAMES)
		return;
	err = physmem_run_alloc(pm, order, &r);
	physmem_get_usage(pm, &u);
	if (ordered(err))
		return;
	if (err != 0) {                                  /* readers may hold parts of a run back, never a frame    */
		assert_int_equal(err, -ENOMEM);
		assert_true(!has_run(order, false) || (order != 0 && u.deferred != 0));
		seen[NO_RUN]++;
		return;
	}
	assert_int_equal(r.order, order);
	mark_run(&r, FREE, RUN, INSIDE);
	assert_int_equal(kind[(r.pfn - FIRST) / BLOCK], ANY);
	memcpy(physmem_frame_bytes(pm, r.pfn), &r, sizeof(r));
	run[runs++] = r;
}

static void do_free(void)
{
	unsigned i = runs != 0 ? pick(runs) : 0;

	if (runs == 0)
		return;
	assert_memory_equal(physmem_frame_bytes(pm, run[i].pfn), &run[i], sizeof(run[i].pfn));
	assert_int_equal(physmem_run_free(pm, &run[i]), 0);
	assert_int_equal(physmem_run_free(pm, &run[i]), -EALREADY);
	mark_run(&run[i], RUN, FREE, FREE);
	run[i] = run[--runs];
}

/* Of a frame that nobody, somebody else, or no segment has. Of a run only the first frame says whose it is. */
static void do_wrong_free(void)
{
	unsigned at = pick(FRAMES);
	int err;

	if (place[at] == RUN)
		return;
	err = physmem_frame_free(pm, FIRST + at);
	if (place[at] == BALLOON)
		assert_true(err == -EPERM || err == -EALREADY);
	else if (place[at] == SHOWN || place[at] == POISON)
		assert_int_equal(err, -EPERM);
	else
		assert_int_equal(err, place[at] == ABSENT ? -EINVAL : -EALREADY);
}

/* ---- the host ---- */

/* It uses what it accepts: whoever has such a frame all the same does not read what was stored. */
static void host_is_told(void *arg, struct physmem_told *told, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		told[i].verdict = (enum physmem_verdict)pick(3);
		for (unsigned k = 0; k < 1u << told[i].order; k++) {
			host_was_wrong += place[told[i].pfn - FIRST + k] != FREE;
			if (told[i].verdict == PHYSMEM_ACCEPTED)
				memset(physmem_frame_bytes(pm, told[i].pfn + k), 0xdd, 64);
		}
		seen[ACCEPTED] += told[i].verdict == PHYSMEM_ACCEPTED;
	}
}

/* The host takes runs, of some; and gives back what it had. */
static void host_takes(void *arg, struct physmem_told *told, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		told[i].verdict = (enum physmem_verdict)pick(3);
		for (unsigned k = 0; told[i].verdict == PHYSMEM_ACCEPTED && k < 1u << told[i].order; k++) {
			host_was_wrong += place[told[i].pfn - FIRST + k] != FREE;
			place[told[i].pfn - FIRST + k] = BALLOON;
			memset(physmem_frame_bytes(pm, told[i].pfn + k), 0xdd, 64);
			seen[INFLATED]++;
		}
	}
}

static void host_gives(void *arg, const struct physmem_told *told, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < 1u << told[i].order; k++) {
			host_was_wrong += place[told[i].pfn - FIRST + k] != BALLOON;
			place[told[i].pfn - FIRST + k] = FREE;
			seen[PRESSED] += !asked;
		}
}

static void do_balloon(void)
{
	struct physmem_balloon_config config = PHYSMEM_BALLOON_CONFIG;
	uint64_t n = 0;
	int err;

	asked = true;
	if (!inflates) {
		config.inflate = host_takes;
		config.deflate = host_gives;
		config.order = pick(10);
		config.most = 1 + pick(64);
		config.low = pick(300);
		err = physmem_balloon_start(pm, &config);
		inflates = err == 0;
		assert_true(err == 0 || ordered(err));
	} else if (pick(16) == 0) {
		physmem_balloon_stop(pm);
		inflates = false;
	} else if (pick(3) == 0) {
		n = count(BALLOON);
		assert_true(physmem_balloon_deflate(pm, pick(800)) <= n);
	} else {
		physmem_balloon_inflate(pm, 1 + pick(1500));
	}
	asked = false;
	assert_int_equal(physmem_balloon_size(pm), count(BALLOON));
	assert_int_equal(host_was_wrong, 0);
}

/* ---- poison ---- */

static void do_unpoison(unsigned at)
{
	assert_int_equal(physmem_poison(pm, FIRST + at), 0);     /* it is already                                  */
	assert_int_equal(physmem_unpoison(pm, FIRST + at), 0);
	assert_int_equal(physmem_unpoison(pm, FIRST + at), -EINVAL);
	place[at] = FREE;
}

/* What is free may be in the hands of readers. What the balloon has leaves it (host_gives). */
static void do_poison(void)
{
	unsigned at = pick(FRAMES);
	struct physmem_usage u;
	int err;

	if (place[at] == POISON)
		do_unpoison(at);
	if (place[at] == SHOWN || count(POISON) > 20)
		return;
	err = physmem_poison(pm, FIRST + at);
	if (ordered(err))
		return;
	if (err == 0) {
		assert_int_equal(place[at], FREE);
		place[at] = POISON;
		seen[POISONED]++;
	} else {
		assert_int_equal(err, place[at] == ABSENT ? -EINVAL : -EBUSY);
		physmem_get_usage(pm, &u);
		assert_true(place[at] != FREE || u.deferred != 0);
	}
}

static void do_report(void)
{
	static const unsigned capture[] = { 0, 1, 4, 64 };
	struct physmem_report_config config = PHYSMEM_REPORT_CONFIG;
	int err;

	if (pick(8) == 0) {
		physmem_report_stop(pm);
		reports = false;
	} else if (!reports) {
		config.tell = host_is_told;
		config.low = pick(100);
		config.most = 1 + pick(8);
		config.capture = capture[pick(4)];
		err = physmem_report_start(pm, &config);
		reports = err == 0;
		assert_true(err == 0 || ordered(err));
	} else {
		assert_int_equal(physmem_report_pass(pm, (enum physmem_report_how)pick(3), NULL), 0);
	}
	assert_int_equal(host_was_wrong, 0);
}

/* ---- what was met ---- */

static void model_print_seen(void)
{
	for (unsigned i = 0; i < EVENTS; i++)
		print_message("%llu %s%s", (unsigned long long)seen[i], event_name[i], i + 1 < EVENTS ? ", " : "\n");
}

static bool model_saw_all(void)
{
	bool all = true;

	for (unsigned i = 0; i < EVENTS; i++)
		all &= seen[i] != 0;
	return all;
}

#endif
