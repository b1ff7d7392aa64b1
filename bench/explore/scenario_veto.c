/* SPDX-License-Identifier: MIT */
/*
 * scenario_veto.c - an unplug, or a plug, that comes to nothing: a listener says no, or what somebody has stays too
 * long. All is as it was then, also for who frees, takes, listens or unplugs meanwhile. Two blocks of 512 frames.
 */
#include "bench/explore/scene.h"

#include "vmmap/physmem_hotplug.h"

#define BLOCK UINT64_C(512)
#define TWO   (2 * BLOCK)
#define EARS  4u

/* Words: beginnings that an ear heard, and ends; frames; beginnings in all; how many of these are refused. */
#define BEGUN(ear) scene.word[(ear)]
#define ENDED(ear) scene.word[EARS + (ear)]
#define HELD       scene.word[2 * EARS]
#define TAKEN      scene.word[2 * EARS + 1]
#define TOLD       scene.word[2 * EARS + 2]
#define VETOES     scene.word[2 * EARS + 3]

/* ---- who listens: ear 1 may say no, between two others; ear 3 comes later, and is told before all ---- */

static int hear(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages);

static struct physmem_listener ear[EARS] = {
	{ .fn = hear, .priority = 30 }, { .fn = hear, .priority = 20 }, { .fn = hear, .priority = 10 },
	{ .fn = hear, .priority = 40 },
};

static int hear(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	bool begins = event == PHYSMEM_GOING_ONLINE || event == PHYSMEM_GOING_OFFLINE;
	unsigned who = (unsigned)(l - ear);

	expect(pfn >= BLOCK && pages == BLOCK);
	(*(begins ? &BEGUN(who) : &ENDED(who)))++;
	expect(BEGUN(who) >= ENDED(who));
	scene_pause();
	return begins && who == 1 && TOLD++ < VETOES ? -EPERM : 0;
}

static void listen_to(unsigned who) { expect(physmem_listen(scene.physmem, &ear[who]) == 0); }

static void two_blocks(uint64_t vetoes)
{
	scene_frames(TWO);
	scene_map();
	scene_mmap(PAGES(0, 4), RW);
	for (unsigned who = 0; who < 3; who++)
		listen_to(who);
	VETOES = vetoes;
}
static void one_veto(void) { two_blocks(1); }
static void no_veto(void) { two_blocks(0); }

static int unplug_of(uint64_t pfn, unsigned attempts)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;

	how.attempts = attempts;
	return physmem_unplug(scene.physmem, pfn, BLOCK, &how, NULL);
}

static uint64_t frames_there(void)
{
	struct physmem_usage usage;

	physmem_get_usage(scene.physmem, &usage);
	return usage.frames;
}

/* Each beginning has had its end; and nothing holds the block back, now that nobody says no. */
static void nothing_is_left(void)
{
	for (unsigned who = 0; who < EARS; who++)
		expect(BEGUN(who) == ENDED(who));
	expect(frames_there() == TWO);
	VETOES = 0;
	expect(unplug_of(BLOCK, 0) == 0 && frames_there() == BLOCK);
}

static void unplug_vetoed(void) { expect(unplug_of(BLOCK, 0) == -EPERM); }

/* ---- beside a free, a fault, who listens ---- */

static void held_and_veto(void)
{
	one_veto();
	do
		HELD = physmem_frame_alloc(scene.physmem);
	while (HELD < BLOCK);
	for (uint64_t pfn = 0; pfn < HELD; pfn++)
		(void)physmem_frame_free(scene.physmem, pfn);
}
static void free_and_take(void)
{
	expect(physmem_frame_free(scene.physmem, HELD) == 0);
	TAKEN = physmem_frame_alloc(scene.physmem);
	expect(TAKEN < TWO);
}
static void free_taken(void)
{
	expect(physmem_frame_free(scene.physmem, TAKEN) == 0);
	nothing_is_left();
}

SCENARIO(unplug_veto_free, .what = "a listener says no to an unplug, while a frame there is freed, and one is taken",
	 .flags = SCENARIO_COLD, .set_up = held_and_veto, .body = { unplug_vetoed, free_and_take }, .check = free_taken,
	 .mutants = "unplug_ignores_veto unplug_veto_keeps notify_cancel_untold");

static void fault(void)
{
	expect(scene_fault(1, PAGE(1), PROT_WRITE) == 0);
	expect(scene_munmap(1, PAGES(1, 1)) == 0);
}

SCENARIO(unplug_veto_fault, .what = "... while a page gets a frame, and goes", .flags = SCENARIO_COLD,
	 .set_up = one_veto, .body = { unplug_vetoed, fault }, .check = nothing_is_left,
	 .mutants = "unplug_ignores_veto unplug_veto_keeps");

static void listen(void) { listen_to(3); }

SCENARIO(unplug_veto_listen, .what = "... while one begins to listen, who would have been told first",
	 .flags = SCENARIO_COLD, .set_up = one_veto, .body = { unplug_vetoed, listen }, .check = nothing_is_left,
	 .mutants = "notify_cancels_all");

/* ---- beside another one ---- */

static void unplug_first(void) { scene.result[0] = unplug_of(BLOCK, 0); }
static void unplug_second(void) { scene.result[1] = unplug_of(BLOCK, 0); }

/* Who is told no is the first that was to begin; the other one is after it, or meets its claim. */
static void one_was_refused(void)
{
	unsigned refused = scene.result[0] != -EPERM;

	expect(scene.result[refused] == -EPERM && (scene.result[!refused] == 0 || scene.result[!refused] == -EBUSY));
	if (scene.result[!refused] == 0)
		expect(physmem_plug(scene.physmem, BLOCK, BLOCK, 0) == 0);
	nothing_is_left();
}

SCENARIO(unplug_veto_two, .what = "... while another unplug wants the same block", .flags = SCENARIO_COLD,
	 .set_up = one_veto, .body = { unplug_first, unplug_second }, .check = one_was_refused,
	 .mutants = "unplug_ignores_veto notify_cancel_untold");

static void one_block_and_veto(void)
{
	no_veto();
	expect(unplug_of(BLOCK, 0) == 0);
	TOLD = 0;
	VETOES = 1;
}
static void plug_first(void) { scene.result[0] = physmem_plug(scene.physmem, BLOCK, BLOCK, 0); }
static void plug_second(void) { scene.result[1] = physmem_plug(scene.physmem, BLOCK, BLOCK, 0); }
static void one_came(void)
{
	unsigned refused = scene.result[0] != -EPERM;

	expect(scene.result[refused] == -EPERM && scene.result[!refused] == 0);
	nothing_is_left();
}

SCENARIO(plug_veto, .what = "a listener says no to a plug, beside another one of the same block",
	 .flags = SCENARIO_COLD, .set_up = one_block_and_veto, .body = { plug_first, plug_second }, .check = one_came,
	 .mutants = "plug_ignores_veto");

/* ---- R5: it gives up beside the last free ---- */

static void held(void)
{
	held_and_veto();
	VETOES = 0;
}
static void gives_up(void) { scene.result[0] = unplug_of(BLOCK, 1); }
static void free_last(void) { expect(physmem_frame_free(scene.physmem, HELD) == 0); }

/* Whichever it was, no frame is lost or free twice: the audit; and all can be had. */
static void all_can_be_had(void)
{
	expect(scene.result[0] == 0 || scene.result[0] == -EBUSY);
	if (scene.result[0] == 0)
		expect(physmem_plug(scene.physmem, BLOCK, BLOCK, 0) == 0);
	nothing_is_left();
}

SCENARIO(unplug_gives_up, .what = "an unplug gives up, while the last frame of its block is freed",
	 .flags = SCENARIO_COLD, .set_up = held, .body = { gives_up, free_last }, .check = all_can_be_had,
	 .mutants = "unplug_fail_keeps");

/* The free goes to its row, since somebody isolates, and has read the block's word when that gives up. */
static void held_and_stop(void)
{
	held();
	scene_stop(1, "frame_bits_changing", THERE, BACK);
}
static int cancelled(void *arg)
{
	(void)arg;
	scene_signal(THIRD);
	(void)scene_await(THERE);
	return 1;
}
static void is_cancelled(void)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;

	how.mode = PHYSMEM_UNPLUG_WAIT;
	how.cancelled = cancelled;
	scene.result[0] = physmem_unplug(scene.physmem, BLOCK, BLOCK, &how, NULL);
	expect(scene.result[0] == -ECANCELED);
	scene.result[0] = -EBUSY;
	scene_signal(BACK);
}
static void free_meanwhile(void)
{
	scene_must(THIRD);
	free_last();
}

SCENARIO(unplug_cancelled, .what = "... is told to, while that frame is on its way to its row",
	 .flags = SCENARIO_COLD, .set_up = held_and_stop, .body = { is_cancelled, free_meanwhile },
	 .check = all_can_be_had, .mutants = "frame_bits_keeps_new");
