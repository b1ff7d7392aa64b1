/* SPDX-License-Identifier: MIT */
/*
 * physmem_model.h - a byte for each frame of a physmem: what it is, and how many pages and pins it has; segments that
 * come and go, and who listens, who may say no. What calls on the physmem have to say. physmem_model_use.h has the
 * rest.
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

/* Of a run's first frame, of its others; of pages; of pins alone; the host's; out of use. */
enum place { ABSENT, FREE, RUN, INSIDE, SHOWN, PINNED, BALLOON, POISON, PLACES };
enum kind { NOTHING, ANY, MOVABLE };             /* what a block's segments take                                   */

static struct physmem *pm;
static unsigned char place[FRAMES], kind[BLOCKS];
static unsigned placed[PLACES];                  /* frames                                                         */
static unsigned users[FRAMES], pins[FRAMES];     /* pages that show the frame; pins                                */
static struct physmem_run run[FRAMES];
static unsigned runs;
static struct prng rng;
static uint64_t stamp;

/* How often what a program is to meet was met. */
enum event { PLUGS, CLASHES, NO_RUN, FORKS, COPIES, NO_FRAME, ACCEPTED, INFLATED, PRESSED, POISONED, POISON_MOVED,
	     UNPOISONED, POISON_PINNED, UNPLUGS, LEFT, PIN_LEFT, MOVED, REVOKED, CANCELLED, VETOES, PINS, PIN_COPIES,
	     FORK_COPIES, PIN_LAST, RUN_TAKEN, RUN_FREED, WRONG_FREES, EVENTS };
static const char *const event_name[EVENTS] = {
	[PLUGS] = "plugs", [CLASHES] = "plugs that clash", [NO_RUN] = "runs that are not there", [FORKS] = "forks",
	[COPIES] = "copies", [NO_FRAME] = "stores short of frames", [ACCEPTED] = "blocks reported",
	[INFLATED] = "frames to the balloon", [PRESSED] = "that it gave back unasked", [POISONED] = "poisoned",
	[POISON_MOVED] = "... that pages showed", [UNPOISONED] = "in use again",
	[POISON_PINNED] = "kept from it by pins",
	[UNPLUGS] = "unplugs", [LEFT] = "that left it", [PIN_LEFT] = "... for pins", [MOVED] = "pages moved by them",
	[REVOKED] = "frames given up to them", [CANCELLED] = "cancelled", [VETOES] = "vetoes", [PINS] = "pins",
	[PIN_COPIES] = "that moved their page", [FORK_COPIES] = "pages copied by a fork for pins",
	[PIN_LAST] = "frames freed by their last pin", [RUN_TAKEN] = "runs taken", [RUN_FREED] = "runs freed",
	[WRONG_FREES] = "wrong frees",
};
static uint64_t seen[EVENTS];
static bool reports, inflates, asked;            /* asked: the host gives back what it is asked for               */
static uint64_t host_was_wrong;                  /* it was told of a frame that is not free                        */
static bool failing, failed_before;      /* one allocation of memory is ordered to fail; it did, in an earlier step */

static unsigned pick(unsigned n) { return (unsigned)prng_below(&rng, n); }

/* An -ENOMEM that needs no reason: the order has been carried out in this step. */
static bool ordered(int err) { return err == -ENOMEM && failing && mem_fail_fired() && !failed_before; }

static unsigned count(enum place what) { return placed[what]; }

static void set_place(uint64_t at, enum place what)
{
	placed[place[at]]--;
	placed[what]++;
	place[at] = (unsigned char)what;
}

/* The frame has lost a page, or a pin. */
static void set_let_go(uint64_t at)
{
	if (users[at] == 0)
		set_place(at, pins[at] != 0 ? PINNED : FREE);
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

/* ---- who listens ---- */

static struct {
	struct physmem_listener l;
	bool vetoes;                             /* the next beginning                                             */
	unsigned begun, ended;
	uint64_t pfn, pages;
} ear;

static int ear_hears(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	bool begins = event == PHYSMEM_GOING_ONLINE || event == PHYSMEM_GOING_OFFLINE;

	assert_ptr_equal(l, &ear.l);
	assert_int_equal(ear.begun - ear.ended, begins ? 0 : 1);
	ear.begun += begins;
	ear.ended += !begins;
	if (begins)
		ear.pfn = pfn, ear.pages = pages;
	assert_true(ear.pfn == pfn && ear.pages == pages);
	return begins && ear.vetoes ? -EPERM : 0;
}

/* ---- segments ---- */

/* Pages may have other frames than these now: looks at each, by its map. */
static void pages_moved(unsigned lo, unsigned end);
/* The owner of that pin gives it up. */
static void pin_is_revoked(unsigned at);
static void run_is_revoked(uint64_t pfn);

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

struct range { unsigned lo, end; };

/* In the upper half, mostly whole blocks come and go: some are to be all free. */
#define UPPER (FRAMES / 2)

static struct range any_range(void)
{
	bool whole = pick(2);
	unsigned lo = whole ? pick(BLOCKS) * BLOCK : pick(UPPER);
	unsigned pages = whole ? (1 + pick(3)) * BLOCK : 1 + pick(pick(16) ? 60 : 1500);

	return (struct range){ lo, lo + pages };
}

/* Of frames that are such, from somewhere on; none: any range. */
static struct range range_of(bool (*such)(unsigned at))
{
	bool whole = pick(3) != 0;
	unsigned in = whole ? FRAMES : UPPER, from = pick(in), most = 1 + pick(whole ? 2000 : 60);
	struct range r = { from, 0 };

	for (unsigned i = 0; i < in && !such(r.lo); i++)
		r.lo = (r.lo + 1) % in;
	if (!such(r.lo))
		return any_range();
	while (whole && r.lo % BLOCK != 0 && such(r.lo - 1))
		r.lo--;
	for (r.end = r.lo + 1; r.end < FRAMES && r.end - r.lo < most && such(r.end);)
		r.end++;
	while (whole && r.end < FRAMES && r.end % BLOCK != 0 && such(r.end))
		r.end++;
	return r;
}

/* One of them. */
static unsigned one_of(bool (*such)(unsigned at))
{
	unsigned at = pick(FRAMES);

	for (unsigned i = 0; i < FRAMES && !such(at); i++)
		at = (at + 1) % FRAMES;
	return at;
}

static bool is_absent(unsigned at) { return place[at] == ABSENT; }
static bool is_there(unsigned at) { return place[at] != ABSENT; }
static bool is_pinned(unsigned at) { return pins[at] != 0; }
static bool may_go(unsigned at)
{
	return is_there(at) && place[at] != RUN && place[at] != INSIDE && place[at] != BALLOON && pins[at] == 0;
}

static void do_plug(void)
{
	struct range r = pick(5) > 1 ? range_of(is_absent) : any_range();
	enum kind of = r.end <= FRAMES && pick(8) ? (enum kind)kind[r.lo / BLOCK] : NOTHING;
	enum kind want = of != NOTHING ? of : pick(5) ? ANY : MOVABLE;
	bool there = false, mixed = false;
	int err;

	ear.vetoes = pick(5) == 0;
	err = physmem_plug(pm, FIRST + r.lo, r.end - r.lo, want == MOVABLE);
	if (ordered(err))
		return;
	if (r.end > FRAMES || ear.vetoes) {
		assert_int_equal(err, r.end > FRAMES ? -EINVAL : -EPERM);
		seen[VETOES] += r.end <= FRAMES;
		return;
	}
	for (unsigned i = r.lo; i < r.end; i++) {
		mixed |= (i == r.lo || i == r.end - 1) && clashes(i / BLOCK, want);
		there |= place[i] != ABSENT;
	}
	if (mixed || there) {
		assert_true((mixed && err == -EINVAL) || (there && err == -EEXIST));
		seen[CLASHES]++;
		return;
	}
	assert_int_equal(err, 0);
	seen[PLUGS]++;
	for (unsigned i = r.lo; i < r.end; i++) {
		set_place(i, FREE);
		kind[i / BLOCK] = (unsigned char)want;
	}
}

/* ---- unplug ---- */

/* What there is in a range before it goes; elsewhere: free, in no block that it touches. */
struct there { unsigned used, kept, pinned, holes, balloon, free, elsewhere; };

static struct there look_there(struct range r)
{
	struct there t = { 0 };

	for (unsigned i = r.lo; i < r.end && r.end <= FRAMES; i++) {
		t.holes += place[i] == ABSENT;
		t.kept += place[i] == RUN || place[i] == INSIDE;
		t.pinned += pins[i] != 0;
		t.used += place[i] == SHOWN && pins[i] == 0;
		t.balloon += place[i] == BALLOON;
		t.free += place[i] == FREE || place[i] == POISON;
	}
	for (unsigned i = 0; i < FRAMES; i++)
		t.elsewhere += place[i] == FREE && (i / BLOCK < r.lo / BLOCK || i / BLOCK > (r.end - 1) / BLOCK);
	return t;
}

static void is_asked(void *arg, uint64_t pfn, uint64_t pages)
{
	(void)arg;
	if (place[pfn - FIRST] == BALLOON || pick(2))
		return;
	seen[REVOKED] += pages;
	if (pins[pfn - FIRST] != 0)
		pin_is_revoked((unsigned)(pfn - FIRST));
	else
		run_is_revoked(pfn);
}

static int gives_up(void *arg)
{
	(void)arg;
	return pick(3) != 0;
}

static struct physmem_unplug_options some_options(void)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;

	how.mode = pick(4) ? (enum physmem_unplug_mode)pick(3) : PHYSMEM_UNPLUG_WAIT;
	how.revoke = is_asked;
	if (how.mode != PHYSMEM_UNPLUG_FAIL) {
		how.cancelled = pick(8) ? gives_up : NULL;
		how.attempts = pick(4) + (how.cancelled == NULL);        /* 0: no bound                           */
		how.deadline_ns = pick(8) ? UINT64_MAX : 0;
	}
	return how;
}

/* It names a frame, and why that is left; an owner who was asked may have let go of it since. */
static void assert_named(struct range r, const struct physmem_unplug_options *how,
			 const struct physmem_unplug_result *result)
{
	uint64_t at = result->first - FIRST;

	if (result->reason == PHYSMEM_REASON_NONE && result->left[PHYSMEM_REASON_NONE] == 0 && how->deadline_ns == 0) {
		assert_int_equal(result->first, 0);      /* but for the time it would have gone                     */
		return;
	}
	assert_true(at >= r.lo && at < r.end);
	assert_true(result->left[result->reason] != 0 || result->reason == PHYSMEM_REASON_VETO);
	if (result->reason == PHYSMEM_REASON_ABSENT)
		assert_int_equal(place[at], ABSENT);
	if (result->reason == PHYSMEM_REASON_HELD && how->mode == PHYSMEM_UNPLUG_FAIL)
		assert_true(place[at] == RUN || place[at] == INSIDE);
	if (result->reason == PHYSMEM_REASON_PINNED && how->mode == PHYSMEM_UNPLUG_FAIL)
		assert_int_not_equal(pins[at], 0);
}

/* It did not go: was there a reason? Of FAIL: what must move has room, so it would have moved. */
static void has_reason(int err, const struct physmem_unplug_options *how, const struct physmem_unplug_result *result,
		       struct there t)
{
	bool all = t.used + t.kept + t.pinned + t.balloon + t.free >= FRAMES - count(ABSENT);

	if (how->mode == PHYSMEM_UNPLUG_FAIL && err == -EBUSY)
		assert_true(t.kept != 0 || t.pinned != 0);
	else if (how->mode == PHYSMEM_UNPLUG_FAIL || err == -ENOMEM)
		assert_true(err == -ENOMEM && (all || t.used > t.elsewhere || t.kept + t.pinned + t.balloon != 0));
	else
		assert_true(err == -EBUSY || (err == -EAGAIN && how->deadline_ns == 0) ||
			    (err == -ECANCELED && how->cancelled != NULL));
	seen[err == -ECANCELED ? CANCELLED : LEFT]++;
	seen[PIN_LEFT] += result->left[PHYSMEM_REASON_PINNED] != 0;
	assert_true(result->left[PHYSMEM_REASON_PINNED] <= t.pinned);
}

/* What may go; or what there is, maybe from a pin on; or anything. */
static struct range unplug_range(void)
{
	struct range r = { 0 };

	switch (pick(10)) {
	case 0: return any_range();
	case 1:
	case 2:
	case 3: return range_of(is_there);
	case 4:
	case 5:
	case 6:
		r.lo = one_of(is_pinned);
		r.end = r.lo + 1 + pick(60);
		return r.lo < UPPER ? r : (struct range){ r.lo - r.lo % BLOCK, r.lo - r.lo % BLOCK + BLOCK };
	default: return range_of(may_go);
	}
}

/* The map says where what has moved is now. */
static void do_unplug(void)
{
	struct range r = unplug_range();
	struct physmem_unplug_options how = some_options();
	struct there t = look_there(r);
	struct physmem_unplug_result result;
	int err;

	ear.vetoes = pick(8) == 0;
	err = physmem_unplug(pm, FIRST + r.lo, r.end - r.lo, &how, &result);
	if (r.end > FRAMES || t.holes != 0) {
		assert_true(ordered(err) || err == (r.end > FRAMES ? -EINVAL : -ENXIO));
		if (err == -ENXIO) {
			assert_int_equal(result.left[PHYSMEM_REASON_ABSENT], t.holes);
			assert_named(r, &how, &result);
		}
		return;
	}
	pages_moved(r.lo, r.end);
	seen[MOVED] += result.moved;
	if (ordered(err))
		return;
	if (err != 0)
		assert_named(r, &how, &result);
	if (ear.vetoes && err != -ENOMEM && (err != -EBUSY || how.mode != PHYSMEM_UNPLUG_FAIL)) {
		assert_int_equal(err, -EPERM);
		assert_int_equal(result.reason, PHYSMEM_REASON_VETO);
		seen[VETOES]++;
		return;
	}
	if (err != 0) {
		has_reason(err, &how, &result, t);
		return;
	}
	for (unsigned i = r.lo; i < r.end; i++) {
		assert_true(place[i] == FREE || place[i] == POISON);
		set_place(i, ABSENT);
	}
	forget_kinds();
	seen[UNPLUGS]++;
}

#endif
