/* SPDX-License-Identifier: MIT */
/*
 * scenario_unplug.c - memory leaves the machine, or a frame of it, beside other memory that does, the host, and who
 * uses it. Blocks of 512 frames; nobody but the bodies has one.
 */
#include "bench/explore/scene.h"

#include "vmmap/physmem_host.h"
#include "vmmap/physmem_hotplug.h"

#define BLOCK UINT64_C(512)
#define TWO   (2 * BLOCK)
#define PFN   scene.word[2]                      /* of the page that is there                                       */

static void unplug_here(unsigned i, uint64_t pfn, uint64_t pages, unsigned attempts)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem_unplug_result result;

	how.attempts = attempts;
	scene.result[i] = physmem_unplug(scene.physmem, pfn, pages, &how, &result);
	scene.word[4 + i] = result.attempts;
}

static uint64_t frames_there(void)
{
	struct physmem_usage usage;

	physmem_get_usage(scene.physmem, &usage);
	return usage.frames;
}

static uint64_t frames_poisoned(void)
{
	struct physmem_usage usage;

	physmem_get_usage(scene.physmem, &usage);
	return usage.poisoned;
}

static void two_blocks(void)
{
	scene_frames(TWO);
	scene_map();
}
static void unplug_last(void) { unplug_here(0, BLOCK, BLOCK, 0); }
static void unplug_last_too(void) { unplug_here(1, BLOCK, BLOCK, 0); }

/* ---- two unplugs ---- */

/* Of the other one the block is being unplugged, or is gone; it was never all that there is. */
static void one_went(void)
{
	unsigned other = scene.result[0] == 0;

	expect(scene.result[!other] == 0);
	expect(scene.result[other] == -EBUSY || scene.result[other] == -ENXIO);
	expect(frames_there() == BLOCK);
}

SCENARIO(unplug_two, .what = "two unplug one block", .flags = SCENARIO_COLD, .set_up = two_blocks,
	 .body = { unplug_last, unplug_last_too }, .check = one_went, .mutants = "unplug_claims_twice");

static void goes_and_comes(void)
{
	unplug_last_too();
	if (scene.result[1] == 0)
		expect(physmem_plug(scene.physmem, BLOCK, BLOCK, 0) == 0);
}

/* The block was never all that there was. */
static void gone_or_there(void)
{
	bool here = scene.result[0] != 0 && scene.result[1] == 0;

	expect(scene.result[0] == 0 || scene.result[0] == -EBUSY || scene.result[0] == -ENXIO);
	expect(frames_there() == (here ? TWO : BLOCK));
}

SCENARIO(unplug_comes, .what = "a block is unplugged that goes and comes again", .flags = SCENARIO_COLD,
	 .set_up = two_blocks, .body = { unplug_last, goes_and_comes }, .check = gone_or_there,
	 .mutants = "unplug_sums_alone");

static void unplug_some(void) { unplug_here(0, BLOCK, BLOCK, 3); }
static void unplug_part(void) { unplug_here(1, BLOCK + 100, 50, 0); }

/* What it has claimed was all there, so nothing kept it. */
static void all_or_not_begun(void)
{
	expect(scene.result[0] == 0 || scene.word[4] == 0);
	expect(scene.result[0] == 0 || scene.result[1] == 0);
	expect(frames_there() == (scene.result[0] == 0 ? BLOCK : TWO - 50));
}

SCENARIO(unplug_part, .what = "a block is unplugged, and a part of it", .flags = SCENARIO_COLD, .set_up = two_blocks,
	 .body = { unplug_some, unplug_part }, .check = all_or_not_begun, .mutants = "unplug_looks_early");

static void unplug_first(void) { unplug_here(1, 0, BLOCK, 0); }
static void one_block_stays(void)
{
	unsigned other = scene.result[0] == 0;

	expect(scene.result[!other] == 0 && scene.result[other] == -ENOMEM && frames_there() == BLOCK);
}

SCENARIO(unplug_all, .what = "all there is goes, by two: one is too late", .flags = SCENARIO_COLD,
	 .set_up = two_blocks, .body = { unplug_last, unplug_first }, .check = one_block_stays);

static void three_blocks(void)
{
	scene_frames(TWO + BLOCK);
	scene_map();
}
static void unplug_third(void) { unplug_here(1, TWO, BLOCK, 0); }
static void as_little_boots(void)
{
	expect(scene.result[0] == 0 || scene.result[1] == 0);
	expect(scene_batch() == (frames_there() == BLOCK ? 8 : 16));
}

SCENARIO(unplug_sizes, .what = "two blocks of three go at once; caches keep as much as if the rest had never been",
	 .flags = SCENARIO_COLD, .set_up = three_blocks, .body = { unplug_last, unplug_third },
	 .check = as_little_boots, .mutants = "unplug_keeps_sizes");

/* ---- two that each wait for the block ---- */

static void waits_for(unsigned i, uint64_t pfn, uint64_t pages)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;

	how.mode = PHYSMEM_UNPLUG_WAIT;
	scene.result[i] = physmem_unplug(scene.physmem, pfn, pages, &how, NULL);
}
static void waits_low(void) { waits_for(0, BLOCK, 200); }
static void waits_high(void) { waits_for(1, BLOCK + 200, 312); }
static void both_went(void)
{
	expect(scene.result[0] == 0 && scene.result[1] == 0 && frames_there() == BLOCK);
}

SCENARIO(unplug_parts, .what = "two parts of a block are unplugged, each waits for the other", .flags = SCENARIO_COLD,
	 .set_up = two_blocks, .body = { waits_low, waits_high }, .check = both_went, .mutants = "unplug_tries_once");

/* ---- who takes what he has just given ---- */

static void listen(void) { scene_listen(); }
static void goes_round(void) { scene.result[1] = scene_goes_round(TWO, 10); }
static void it_went(void) { expect(scene.result[1] == 0 && frames_there() == BLOCK); }

SCENARIO(unplug_round, .what = "a frame is freed and taken again whenever an unplug looks, while one begins to listen",
	 .flags = SCENARIO_COLD, .set_up = three_blocks, .body = { goes_round, listen }, .check = it_went,
	 .mutants = "unplug_keeps_open");

/* ---- who listens ---- */

static void each_end_has_a_beginning(void)
{
	expect(scene.result[0] == 0 && scene.word[0] == scene.word[1] && frames_there() == BLOCK);
}

SCENARIO(unplug_listen, .what = "one begins to listen while a block goes", .flags = SCENARIO_COLD,
	 .set_up = two_blocks, .body = { unplug_last, listen }, .check = each_end_has_a_beginning,
	 .mutants = "notify_ends_only");

/* ---- the host ---- */

static void two_blocks_and_host(void)
{
	two_blocks();
	scene_host();
}
static void tell(void)
{
	expect(physmem_report_pass(scene.physmem, PHYSMEM_REPORT_NOW, NULL) == 0);
}
static void unplug_at_once(void) { unplug_here(1, BLOCK, BLOCK, 1); }

SCENARIO(unplug_told, .what = "a block goes, in one attempt, while the host is being told of it",
	 .flags = SCENARIO_COLD, .set_up = two_blocks_and_host, .body = { tell, unplug_at_once }, .check = it_went,
	 .mutants = "unplug_trusts_host");

static void all_in_balloon(void)
{
	two_blocks_and_host();
	expect(physmem_balloon_inflate(scene.physmem, TWO) == TWO);
}
static void shrink(void) { (void)physmem_balloon_deflate(scene.physmem, BLOCK); }
static void unplug_of_balloon(void) { unplug_here(1, BLOCK, BLOCK, 0); }

SCENARIO(unplug_balloon, .what = "a block of the balloon goes, while that shrinks", .flags = SCENARIO_COLD,
	 .set_up = all_in_balloon, .body = { shrink, unplug_of_balloon }, .check = it_went,
	 .mutants = "unplug_room_forgets");

/* ---- who reads what moves ---- */

static void a_page_of_two_blocks(void)
{
	struct vmmap_fault_info info;

	two_blocks();
	scene_mmap(PAGES(0, 4), RW);
	expect(vmmap_fault(scene.map, PAGE(0), PROT_WRITE, &info) == 0);
	PFN = info.pfn;
}
static void unplug_page(void) { unplug_here(0, PFN - PFN % BLOCK, BLOCK, 0); }
static void read(void) { expect(scene_frame_stays(PAGE(0))); }
static void page_moved(void)
{
	expect(scene.result[0] == 0 && frames_there() == BLOCK && scene_present(PAGE(0)));
}

SCENARIO(unplug_load, .what = "a block goes beside a load from its one page", .flags = SCENARIO_COLD,
	 .set_up = a_page_of_two_blocks, .body = { unplug_page, read }, .check = page_moved,
	 .mutants = "unplug_moved_at_once");

/* ---- a frame goes out of use ---- */

static void poison_free(void) { scene.result[1] = physmem_poison(scene.physmem, BLOCK + 44); }
static void is_poisoned(void) { expect(scene.result[1] == 0 && frames_poisoned() == 1); }

SCENARIO(poison_told, .what = "a frame goes out of use while the host is being told of its block",
	 .flags = SCENARIO_COLD, .set_up = two_blocks_and_host, .body = { tell, poison_free }, .check = is_poisoned,
	 .mutants = "physmem_poison_hurries");

static void a_page(void)
{
	struct vmmap_fault_info info;

	scene_map();
	scene_mmap(PAGES(0, 4), RW);
	expect(vmmap_fault(scene.map, PAGE(0), PROT_WRITE, &info) == 0);
	PFN = info.pfn;
}
static void poison_used(void) { scene.result[0] = physmem_poison(scene.physmem, PFN); }
static void unmap(void) { scene_munmap(1, PAGES(0, 1)); }
static void migrate(void) { (void)scene_migrate(scene.map, PAGE(0)); }

/* Its answer is true, and it can be had again. */
static void as_it_said(void)
{
	expect(scene.result[0] == 0 || scene.result[0] == -EBUSY);
	expect(frames_poisoned() == (scene.result[0] == 0));
	expect(physmem_unpoison(scene.physmem, PFN) == (scene.result[0] == 0 ? 0 : -EINVAL));
}

SCENARIO(poison_unmap, .what = "a frame goes out of use while its page is unmapped", .set_up = a_page,
	 .body = { poison_used, unmap }, .check = as_it_said, .mutants = "physmem_poison_trusts");
SCENARIO(poison_migrate, .what = "... while it moves by itself", .set_up = a_page, .body = { poison_used, migrate },
	 .check = as_it_said, .mutants = "physmem_poison_trusts");

/* ---- what threads keep that do nothing more ---- */

static void two_pages(void)
{
	two_blocks_and_host();
	scene_mmap(PAGES(0, 2), RW);
}
static void use_and_idle(unsigned page)
{
	expect(vmmap_fault(scene.map, PAGE(page), PROT_WRITE, NULL) == 0);
	expect(scene_munmap(page, PAGES(page, 1)) == 0);
}
static void use_first(void) { use_and_idle(0); }
static void use_second(void) { use_and_idle(1); }
static void all_is_told(void) { expect(scene_told() == TWO); }

SCENARIO(report_idle, .what = "two threads have freed what they had, and idle", .set_up = two_pages,
	 .body = { use_first, use_second }, .check = all_is_told,
	 .mutants = "physmem_report_gathers_not physmem_report_spares_idle");
