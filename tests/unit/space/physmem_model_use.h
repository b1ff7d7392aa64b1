/* SPDX-License-Identifier: MIT */
/* physmem_model_use.h - who uses the frames of physmem_model.h, below the maps: runs, the host, poison. */
#ifndef TESTS_UNIT_SPACE_PHYSMEM_MODEL_USE_H
#define TESTS_UNIT_SPACE_PHYSMEM_MODEL_USE_H

#include "tests/unit/space/physmem_model.h"

/* ---- runs ---- */

static void mark_run(const struct physmem_run *r, enum place from, enum place first, enum place others)
{
	uint64_t at = r->pfn - FIRST;

	assert_true(r->pfn % (UINT64_C(1) << r->order) == 0 && at < FRAMES);
	for (uint64_t i = 0; i < UINT64_C(1) << r->order; i++) {
		assert_int_equal(place[at + i], i == 0 || from == FREE ? from : INSIDE);
		set_place(at + i, i == 0 ? first : others);
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
	seen[RUN_TAKEN]++;
}

static void free_run(unsigned i)
{
	assert_memory_equal(physmem_frame_bytes(pm, run[i].pfn), &run[i], sizeof(run[i].pfn));
	assert_int_equal(physmem_run_free(pm, &run[i]), 0);
	assert_int_equal(physmem_run_free(pm, &run[i]), -EALREADY);
	mark_run(&run[i], RUN, FREE, FREE);
	run[i] = run[--runs];
	seen[RUN_FREED]++;
}

static void do_free(void)
{
	if (runs != 0)
		free_run(pick(runs));
}

static void run_is_revoked(uint64_t pfn)
{
	for (unsigned i = 0; i < runs; i++)
		if (run[i].pfn == pfn) {
			free_run(i);
			return;
		}
	fail_msg("no run at %llu", (unsigned long long)pfn);
}

/* Of a frame that nobody, somebody else, or no segment has. Of a run only the first frame says whose it is. */
static void do_wrong_free(void)
{
	unsigned at = pick(FRAMES);
	int err;

	if (place[at] == RUN)
		return;
	err = physmem_frame_free(pm, FIRST + at);
	seen[WRONG_FREES]++;
	if (place[at] == BALLOON)
		assert_true(err == -EPERM || err == -EALREADY);
	else if (place[at] == SHOWN || place[at] == PINNED || place[at] == POISON)
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
		told[i].verdict = (enum physmem_verdict)((1 + pick(4)) % 3);
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
			set_place(told[i].pfn - FIRST + k, BALLOON);
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
			set_place(told[i].pfn - FIRST + k, FREE);
			seen[PRESSED] += !asked;
		}
}

static void do_balloon(bool little)
{
	struct physmem_balloon_config config = PHYSMEM_BALLOON_CONFIG;
	uint64_t n = 0;
	int err;

	asked = true;
	if (!inflates && little && pick(4)) {
		asked = false;
		return;
	}
	if (!inflates) {
		config.inflate = host_takes;
		config.deflate = host_gives;
		config.order = pick(10);
		config.most = 1 + pick(64);
		config.low = pick(300);
		err = physmem_balloon_start(pm, &config);
		inflates = err == 0;
		assert_true(err == 0 || ordered(err));
	} else if (pick(little ? 2 : 16) == 0) {
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
	set_place(at, FREE);
	seen[UNPOISONED]++;
}

static bool is_poisoned(unsigned at) { return place[at] == POISON; }
static bool is_shown(unsigned at) { return place[at] == SHOWN; }

/* It stays: whoever has it keeps it, or no other block has a frame for its page. What is free readers may have. */
static void keeps_it(unsigned at, int err)
{
	unsigned elsewhere = look_there((struct range){ at, at + 1 }).elsewhere;
	struct physmem_usage u;

	physmem_get_usage(pm, &u);
	if (place[at] == ABSENT) {
		assert_int_equal(err, -EINVAL);
	} else if (place[at] == SHOWN && pins[at] == 0) {
		assert_true((err == -ENOMEM && elsewhere == 0) || u.deferred != 0);
	} else {
		assert_int_equal(err, -EBUSY);
		assert_true(place[at] != FREE || u.deferred != 0);
		seen[POISON_PINNED] += pins[at] != 0;
	}
}

/* What pages show goes elsewhere. What the balloon has leaves it (host_gives). */
static void do_poison(void)
{
	static bool (*const such[])(unsigned) = {
		is_poisoned, is_shown, is_shown, is_pinned, is_pinned, is_there, is_absent,
	};
	unsigned at = one_of(such[pick(7)]);
	bool shown = place[at] == SHOWN;
	int err;

	if (place[at] == POISON)
		do_unpoison(at);
	err = physmem_poison(pm, FIRST + at);
	if (shown)
		pages_moved(at, at + 1);
	if (ordered(err))
		return;
	if (err != 0) {
		keeps_it(at, err);
		return;
	}
	assert_int_equal(place[at], FREE);
	set_place(at, POISON);
	seen[POISONED]++;
	seen[POISON_MOVED] += shown;
	if (count(POISON) > 2)
		do_unpoison(at);
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

#define MODEL_OFTEN 1000u                        /* in 100,000 steps                                               */

static void model_print_seen(void)
{
	for (unsigned i = 0; i < EVENTS; i++)
		print_message("%llu %s%s", (unsigned long long)seen[i], event_name[i], i + 1 < EVENTS ? ", " : "\n");
}

static bool model_saw_all(void)
{
	bool all = true;

	for (unsigned i = 0; i < EVENTS; i++)
		all &= seen[i] >= MODEL_OFTEN;
	return all;
}

#endif
