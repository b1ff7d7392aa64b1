/* SPDX-License-Identifier: MIT */
/*
 * scenario_going.c - memory goes: who is told, who begins and ends to listen meanwhile; frames that were out of use.
 * And a balloon that another host gets.
 */
#include "bench/explore/scene.h"

#include "vmmap/physmem_host.h"
#include "vmmap/physmem_hotplug.h"

#define BLOCK UINT64_C(512)
#define LEFT  scene.word[2]                      /* physmem_unlisten has returned                                   */
#define LEAST scene.word[3]                      /* order that the host has asked for                               */

static int64_t unplug_at(uint64_t block) { return physmem_unplug(scene.physmem, block * BLOCK, BLOCK, NULL, NULL); }

static void three_blocks(void)
{
	scene_frames(3 * BLOCK);
	scene_map();
}

static void unplug_last(void) { scene.result[0] = unplug_at(2); }
static void unplug_middle(void) { scene.result[1] = unplug_at(1); }

static uint64_t frames_poisoned(void)
{
	struct physmem_usage usage;

	physmem_get_usage(scene.physmem, &usage);
	return usage.poisoned;
}

/* ---- who is told: word[0] beginnings, word[1] ends ---- */

static int hear(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	(void)l, (void)pfn, (void)pages;
	expect(!LEFT);
	scene.word[event != PHYSMEM_GOING_OFFLINE]++;
	scene_pause();
	expect(!LEFT);
	return 0;
}

static struct physmem_listener one = { .fn = hear };

static void listened_to(void)
{
	three_blocks();
	expect(physmem_listen(scene.physmem, &one) == 0);
}
static void unlisten(void)
{
	physmem_unlisten(scene.physmem, &one);
	LEFT = 1;
}
static void it_went(void) { expect(scene.result[0] == 0 && scene.word[0] >= scene.word[1]); }

SCENARIO(listen_leave, .what = "one listens no more while a block goes", .flags = SCENARIO_COLD,
	 .set_up = listened_to, .body = { unplug_last, unlisten }, .check = it_went,
	 .mutants = "notify_leaves_early");

static void both_went(void)
{
	it_went();
	expect(scene.result[1] == 0);
}

SCENARIO(unplug_cut, .what = "the middle and the end of a segment go", .flags = SCENARIO_COLD, .set_up = three_blocks,
	 .body = { unplug_last, unplug_middle }, .check = both_went, .mutants = "unplug_trusts_handle");

SCENARIO(listen_leave_two, .what = "... while two go", .flags = SCENARIO_COLD, .set_up = listened_to,
	 .body = { unplug_last, unlisten, unplug_middle }, .check = both_went, .mutants = "notify_leaves_early");

static int hear_late(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	(void)l, (void)pfn, (void)pages;
	scene.word[event != PHYSMEM_GOING_OFFLINE]++;
	return 0;
}

static struct physmem_listener late = { .fn = hear_late, .priority = -1 };

static int pause_only(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	(void)l, (void)event, (void)pfn, (void)pages;
	scene_pause();
	return 0;
}

static struct physmem_listener first = { .fn = pause_only };

static void first_listens(void)
{
	three_blocks();
	expect(physmem_listen(scene.physmem, &first) == 0);
}
static void listen_late(void) { expect(physmem_listen(scene.physmem, &late) == 0); }
static void as_many_ends(void) { expect(scene.result[0] == 0 && scene.word[0] == scene.word[1]); }

SCENARIO(listen_behind, .what = "one begins to listen behind another, which is being told that a block goes",
	 .flags = SCENARIO_COLD, .set_up = first_listens, .body = { unplug_last, listen_late },
	 .check = as_many_ends, .mutants = "notify_begins_only notify_ends_only");

/* The listener of one unplug sleeps until the other has gone by. */
static int sleep_for_other(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	(void)l, (void)event, (void)pages;
	if (pfn == 2 * BLOCK)
		scene_must(THERE);
	return 0;
}

static struct physmem_listener sleeper = { .fn = sleep_for_other };

static void sleeper_listens(void)
{
	three_blocks();
	expect(physmem_listen(scene.physmem, &sleeper) == 0);
}
static void unplug_and_say(void)
{
	unplug_middle();
	scene_signal(THERE);
}

SCENARIO(listen_sleeps, .what = "two blocks go, and who hears of the one sleeps until the other is gone",
	 .flags = SCENARIO_COLD, .set_up = sleeper_listens, .body = { unplug_last, unplug_and_say },
	 .check = both_went);

/* ---- a frame that was out of use ---- */

/* Two of the last block; one of them is held. */
static void held_and_poisoned(void)
{
	uint64_t pfn = 0;

	three_blocks();
	while (pfn < 2 * BLOCK) {
		pfn = physmem_frame_alloc(scene.physmem);
		expect(pfn != PHYSMEM_NONE);
	}
	expect(physmem_poison(scene.physmem, 2 * BLOCK + 300) == 0);
}
static void unplug_twice_tried(void)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;

	how.mode = PHYSMEM_UNPLUG_WAIT;
	how.attempts = 2;
	scene.result[0] = physmem_unplug(scene.physmem, 2 * BLOCK, BLOCK, &how, NULL);
}
static void unpoison(void) { scene.result[1] = physmem_unpoison(scene.physmem, 2 * BLOCK + 300); }
static void can_be_had(void)
{
	expect(scene.result[0] == -EBUSY && scene.result[1] == 0);
	expect(frames_poisoned() == 0);
}

SCENARIO(poison_ends, .what = "a frame is to be had again, while its block goes, which fails",
	 .flags = SCENARIO_COLD | SCENARIO_SHARED, .set_up = held_and_poisoned,
	 .body = { unplug_twice_tried, unpoison },
	 .check = can_be_had, .mutants = "unpoison_denies");

/* ---- another host ---- */

static void host_takes(void *arg, struct physmem_told *run, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		expect(run[i].order >= LEAST);
		run[i].verdict = PHYSMEM_ACCEPTED;
	}
}

static void host_gives(void *arg, const struct physmem_told *run, unsigned n) { (void)arg, (void)run, (void)n; }

static void host_comes(unsigned order)
{
	struct physmem_balloon_config c = PHYSMEM_BALLOON_CONFIG;

	c.inflate = host_takes;
	c.deflate = host_gives;
	c.order = order;
	c.most = 1;
	c.low = 0;
	LEAST = order;
	expect(physmem_balloon_start(scene.physmem, &c) == 0);
}

/* One frame of the only block is used: what the host gets are smaller runs. */
static void smaller_runs(void)
{
	scene_frames(BLOCK);
	scene_map();
	expect(physmem_poison(scene.physmem, BLOCK - 1) == 0);
	host_comes(0);
}
static void inflate(void) { (void)physmem_balloon_inflate(scene.physmem, BLOCK); }
static void another_host(void)
{
	physmem_balloon_stop(scene.physmem);
	host_comes(9);
}
static void last_host_has_nothing(void) { expect(physmem_balloon_size(scene.physmem) == 0); }

SCENARIO(balloon_another_host, .what = "a balloon is given to a host that wants larger runs, while it grows",
	 .flags = SCENARIO_COLD, .set_up = smaller_runs, .body = { inflate, another_host },
	 .check = last_host_has_nothing, .mutants = "frame_balloon_lives_on");
