/* SPDX-License-Identifier: MIT */
/*
 * scenario_frames.c - a machine of few frames, all of them used: who wants one more gets what was freed, wherever that
 * is, and not before its readers have gone.
 */
#include "bench/explore/scenario.h"

#include <sched.h>

#include "vmmap/physmem.h"

#define FEW  64
#define SOME 16                          /* two batches of deferred frames                                          */
#define HIGH 128                         /* a place where nothing is present yet                                    */

enum { THERE = 1, BACK, INSIDE, DEFERRED, LEFT };

static uint64_t touched(uint64_t page, uint64_t pages)
{
	uint64_t n = 0;

	while (n < pages && vmmap_fault(scene.map, PAGE(page + n), PROT_WRITE, NULL) == 0)
		n++;
	return n;
}

/* All but `left` frames are used, from page 0 on. */
static void all_used(uint64_t left)
{
	scene_mmap(PAGES(0, FEW), RW);
	scene_mmap(PAGES(HIGH, FEW), RW);
	expect(touched(0, FEW - left) == FEW - left);
}

/* ---- frames that wait for a round ---- */

static void object_has_all(void)
{
	scene_frames(FEW);
	scene_map();
	scene_object(FEW, false);
	scene_share(PAGE(0), FEW, 0);
	vmmap_object_put(scene.object);
	expect(touched(0, FEW) == FEW);
}
static void object_dies(void)
{
	expect(scene_munmap(0, PAGES(0, FEW)) == 0);
	expect(scene_fixed(0, PAGES(0, FEW), RW) == (int64_t)PAGE(0));
	expect(touched(0, FEW) == FEW);
}
static void object_dies_until(void)
{
	int rc;

	expect(scene_munmap(0, PAGES(0, FEW)) == 0);
	expect(scene_fixed(0, PAGES(0, FEW), RW) == (int64_t)PAGE(0));
	rc = vmmap_fault_until(scene.map, PAGE(0), PROT_WRITE, NULL, VMMAP_TRY);
	expect(rc == 0 || rc == -EAGAIN);
	expect(vmmap_fault_until(scene.map, PAGE(0), PROT_WRITE, NULL, UINT64_MAX - 1) == 0);
	expect(touched(0, FEW) == FEW);
}

SCENARIO(frames_object_dies, .what = "an object had all frames and has died: they are there for the next",
	 .flags = SCENARIO_COLD, .set_up = object_has_all, .body = { object_dies }, .mutants = "refill_no_drain");
SCENARIO(frames_object_until, .what = "the same by those who wait until a time", .flags = SCENARIO_COLD,
	 .set_up = object_has_all, .body = { object_dies_until }, .mutants = "frame_flush_keeps");

/* ---- one has in its hands what another looks for ---- */

static void search_stops(void)
{
	scene_frames(FEW);
	scene_map();
	all_used(0);
	scene_stop(1, "visit_before_valid", INSIDE, DEFERRED);
	scene_stop(0, "frame_refill_late_in_hand", THERE, BACK);
}
static void want_one(void)
{
	(void)scene_await(INSIDE);
	expect(scene_munmap(0, PAGES(0, SOME)) == 0);
	scene_thread_exit();
	scene_signal(DEFERRED);
	(void)scene_await(LEFT);
	expect(scene_fault(0, PAGE(HIGH), PROT_WRITE) == 0);
}
static void want_another(void)
{
	bool there;

	expect(vmmap_fault(scene.map, PAGE(SOME), PROT_READ, NULL) == 0);        /* it reads while they are freed   */
	scene_signal(LEFT);
	there = scene_await(THERE);
	expect(scene_fault(1, PAGE(HIGH + 1), PROT_WRITE) == 0 || !there);
	scene_signal(BACK);
}

SCENARIO(frames_two_search, .what = "two look for a frame; one has all that is left in its hands",
	 .flags = SCENARIO_COLD, .set_up = search_stops, .body = { want_one, want_another },
	 .mutants = "refill_no_lock");

static void closes(void)
{
	scene_frames(FEW);
	scene_map();
	all_used(0);
	scene_stop(0, "frame_close_before_shelf", THERE, BACK);
}
static void unmap_some(void) { expect(scene_munmap(0, PAGES(0, SOME)) == 0); }
static void want_freed(void)
{
	bool there = scene_await(THERE);

	expect(scene_fault(1, PAGE(HIGH), PROT_WRITE) == 0 || !there);
	scene_signal(BACK);
}

SCENARIO(frames_close, .what = "a fault, and all that is free goes from hand to shelf meanwhile",
	 .flags = SCENARIO_COLD, .set_up = closes, .body = { unmap_some, want_freed },
	 .mutants = "refill_one_look refill_patience_ends");

static void shelf_of_free(void)
{
	scene_frames(FEW);
	scene_map();
	all_used(SOME);
	scene_shelf(SOME / 2);
	scene_stop(0, "frame_spare_in_hand", THERE, BACK);
}
static void take_and_give(unsigned n)
{
	uint64_t pfn[SOME];

	for (unsigned i = 0; i < n; i++)
		pfn[i] = physmem_frame_alloc(scene.physmem);
	for (unsigned i = 0; i < n; i++)
		if (pfn[i] != PHYSMEM_NONE)
			expect(physmem_frame_free(scene.physmem, pfn[i]) == 0);
}
static void take_spare(void)
{
	take_and_give(SOME);
	take_and_give(SOME / 2);
}
static void want_most(void)
{
	bool there = scene_await(THERE);
	uint64_t got = touched(HIGH, SOME);

	expect(got >= SOME / 2 || !there);
	scene_signal(BACK);
}

SCENARIO(frames_spare, .what = "a fault, and all that is free is in the hands of who takes a chain from its shelf",
	 .flags = SCENARIO_COLD, .set_up = shelf_of_free, .body = { take_spare, want_most },
	 .mutants = "refill_untold");

/* ---- the last frame is another's page no more, but still read ---- */

static void last_is_read(void)
{
	scene_frames(FEW);
	scene_map_bytes();
	all_used(0);
	expect(scene_write(0, PAGE(0), 1) == 8);
}
static void use_again(void)
{
	expect(scene_munmap(0, PAGES(0, 1)) == 0);
	expect(scene_write(0, PAGE(HIGH), 0xbad) == 8);
}
static void read_first(void)
{
	int64_t rc = scene_read(1, PAGE(0), &scene.word[0]);

	expect((rc == 8 && scene.word[0] == 1) || rc == -EFAULT);
}

SCENARIO(frames_last_read, .what = "a load from a page whose frame is the only one for the next",
	 .flags = SCENARIO_COLD, .set_up = last_is_read, .body = { use_again, read_first },
	 .mutants = "rcu_poll_blind frame_poll_early retire_at_once");

/* ---- a thread ends ---- */

#define LEAVES 3                         /* frames that fill no batch                                               */

static void none_free(void)
{
	scene_frames(FEW);
	scene_map();
	all_used(0);
}
/* What nobody else has touched is free at once, in its own hands. */
static void free_and_end(void)
{
	expect(scene_munmap(0, PAGES(0, LEAVES)) == 0);
	scene.word[0] = touched(HIGH, LEAVES);
	expect(scene_munmap(0, PAGES(HIGH, LEAVES)) == 0);
	scene_thread_exit();
	scene_signal(LEFT);
}
static void want_all(void)
{
	if (scene_await(LEFT))
		expect(touched(HIGH + LEAVES, LEAVES) == scene.word[0]);
}

SCENARIO(frames_end, .what = "a thread ends; another wants all that it has freed",
	 .set_up = none_free, .body = { free_and_end, want_all }, .mutants = "frame_exit_keeps");

static void object_has_some(void)
{
	scene_map();
	scene_object(LEAVES, false);
	scene_share(PAGE(0), LEAVES, 0);
	vmmap_object_put(scene.object);
	expect(touched(0, LEAVES) == LEAVES);
}
static void drop_object_and_end(void)
{
	expect(scene_munmap(0, PAGES(0, LEAVES)) == 0);
	scene_thread_exit();
}
/* Nobody has asked for a round but who has ended; it looks until there is none left. */
static void look_for_object(void)
{
	while (scene_owned() != 0)
		sched_yield();
}

SCENARIO(frames_object_ends, .what = "an object dies, and with it the thread that has had the last of it",
	 .set_up = object_has_some, .body = { drop_object_and_end, look_for_object },
	 .mutants = "rcu_exit_keeps_items");

/* ---- the depot's head comes back ---- */

#define CHAINS 4
#define OWNER  8                         /* words from here on: who has the chain                                   */

static uint32_t kept[FEW];               /* chains that are not the depot's, of the set-up                          */
static unsigned kept_n;

static unsigned number_of(uint32_t chain)
{
	unsigned n = 0;

	while (n < CHAINS && scene.word[n] != chain)
		n++;
	expect(n < CHAINS);
	return n;
}
static uint32_t take_chain(unsigned i)
{
	uint32_t chain = scene_chain();
	unsigned n;

	if (chain == 0)
		return 0;
	n = number_of(chain);
	expect(scene.word[OWNER + n] == 0);
	scene.word[OWNER + n] = i + 1;
	return chain;
}
static void give_chain(uint32_t chain)
{
	if (chain == 0)
		return;
	scene.word[OWNER + number_of(chain)] = 0;
	scene_chain_back(chain);
}
/* All that there is, in a few chains, the depot's. */
static void depot_of_chains(void)
{
	scene_frames(FEW);
	scene_map();
	for (unsigned n = 0; n < CHAINS; n++)
		scene.word[n] = scene_chain();
	for (kept_n = 0; kept_n < FEW && (kept[kept_n] = scene_chain()) != 0; kept_n++)
		;
	for (unsigned n = 0; n < CHAINS; n++)
		scene_chain_back((uint32_t)scene.word[n]);
}
/* For the audit: nobody else knows them. */
static void none_is_lost(void)
{
	for (unsigned n = 0; n < kept_n; n++)
		scene_chain_back(kept[n]);
}
static void take_two(void)
{
	uint32_t first = take_chain(0), second = take_chain(0);

	give_chain(second);
	give_chain(first);
}
static void take_and_return(void)
{
	uint32_t first = take_chain(1), second = take_chain(1);

	give_chain(first);
	scene_pause();
	give_chain(second);
}

SCENARIO(frames_depot, .what = "chains of frames go out of the depot and come back",
	 .flags = SCENARIO_COLD | SCENARIO_SHARED, .set_up = depot_of_chains, .body = { take_two, take_and_return },
	 .check = none_is_lost, .mutants = "depot_no_tag");
