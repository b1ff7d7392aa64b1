/* SPDX-License-Identifier: MIT */
/* scenario_place.c - mremap, searches for a place, advices and mlock, led to a window by stops. */
#include "bench/explore/scene.h"

#define FAR_AWAY 256

static void eight_pages(void) { scene_pages(8); }

/* ---- mremap ---- */

static void source_and_target(void)
{
	scene_pages(4);
	scene_mmap(PAGES(8, 4), PROT_READ);
	scene_stop(0, "remap_part_moved", THERE, BACK);
}
static void move_twelve(void)
{
	int64_t at = vmmap_mremap_until(scene.map, PAGES(0, 12), 12 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, PAGE(100),
					VMMAP_TRY);

	expect(at == (int64_t)PAGE(100) || at == -EAGAIN);
	scene_signal(THIRD);
}
static int try_fault(uint64_t page)
{
	struct vmmap_fault_info info;

	return vmmap_fault_until(scene.map, PAGE(page), PROT_READ, &info, VMMAP_TRY);
}
static void try_target(void)
{
	int first, rest;

	scene_await(THERE);
	first = try_fault(100);
	rest = try_fault(106);
	expect((first == -EAGAIN && rest == -EAGAIN) || scene.signal[THIRD]);
	scene_signal(BACK);
}

SCENARIO(place_move_whole, .what = "two VMAs are moved under one hold; the destination is tried between",
	 .set_up = source_and_target, .body = { move_twelve, try_target }, .mutants = "cut_spares_dummies");

static void source_with_tail(void)
{
	scene_pages(4);
	scene_stop(0, "remap_part_moved", THERE, BACK);
}
static void move_half(void)
{
	expect(vmmap_mremap(scene.map, PAGES(0, 8), 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, PAGE(100)) ==
	       (int64_t)PAGE(100));
	scene_signal(THIRD);
}
static void try_source(void)
{
	int moved, tail;

	scene_await(THERE);
	moved = try_fault(0);
	tail = try_fault(6);
	expect((moved == -EAGAIN && tail == -EAGAIN) || scene.signal[THIRD]);
	scene_signal(BACK);
}

SCENARIO(place_move_tail, .what = "a VMA is moved and a gap beside it cut off; the source is tried between",
	 .set_up = source_with_tail, .body = { move_half, try_source }, .mutants = "remap_tail_apart");

static void four_above(void)
{
	scene_map();
	scene_mmap(PAGES(4, 4), RW);
}
static void dont_unmap(void)
{
	int64_t at = vmmap_mremap_until(scene.map, PAGES(4, 4), 4 * 4096,
					MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, PAGE(0), VMMAP_TRY);

	expect(at == (int64_t)PAGE(0) || at == -EAGAIN);
	scene.word[0] = at == (int64_t)PAGE(0);
}
static void fault_moved(void) { expect(scene_fault(1, PAGE(5), PROT_READ) == 0); }
static void one_if_moved(void) { expect(!scene.word[0] || scene_vma(PAGE(0)) == scene_vma(PAGE(4))); }

SCENARIO(place_dont_unmap, .what = "mremap with DONTUNMAP to the place right below", .policy = "checked",
	 .set_up = four_above, .body = { dont_unmap, fault_moved }, .check = one_if_moved,
	 .mutants = "remap_ends_late");

#define HALF (UINT64_C(1) << 46)         /* of the space: it fits only around the page in the middle                */

static void hold_in_middle(void)
{
	scene_hold(0, HALF, 4096);
	scene_signal(THERE);
	scene_asleep(1);
	expect(vmmap_fault_until(scene.map, PAGE(0), PROT_WRITE, NULL, VMMAP_TRY) == 0 || scene.signal[BACK]);
	scene_release(0);
}
static void move_to_half(void)
{
	scene_await(THERE);
	expect(vmmap_mremap(scene.map, PAGES(0, 4), HALF, MREMAP_MAYMOVE, 0) > 0);
	scene_signal(BACK);
}

SCENARIO(place_move_waits, .what = "mremap waits for a gap, and holds nothing meanwhile",
	 .set_up = eight_pages, .body = { hold_in_middle, move_to_half }, .mutants = "remap_waits_holding");

/* ---- two places ---- */

static void arenas(void)
{
	struct vmmap_config config = VMMAP_CONFIG;

	scene_map_with(&config);
	scene_stop(0, "mmap_after_place", THERE, SCENE_MUST + BACK);
}
static void map_one_0(void) { expect(scene_anywhere(0, 4096) > 0); }
static void map_one_1(void)
{
	scene_must(THERE);
	expect(scene_anywhere(1, 4096) > 0);
	scene_signal(BACK);
}

SCENARIO(place_two_places, .what = "two threads map anywhere, each in a place of its own", .policy = "range-tree",
	 .set_up = arenas, .body = { map_one_0, map_one_1 }, .mutants = "map_holds_all");

/* ---- madvise ---- */

static void hold_gap(void) { scene_keep(0, PAGES(0, 4), BACK); }
static void will_need(void)
{
	scene_await(THERE);
	expect(vmmap_madvise(scene.map, PAGES(0, 4), MADV_WILLNEED) == -ENOMEM);
	scene_signal(BACK);
}

SCENARIO(place_will_need, .what = "MADV_WILLNEED over a gap that another holds",
	 .set_up = scene_map, .body = { hold_gap, will_need }, .mutants = "willneed_believes_dummies");

static void private_object(uint64_t at)
{
	expect(vmmap_mmap(scene.map, at, 4096, RW, MAP_PRIVATE | MAP_FIXED, scene.object, 0) == (int64_t)at);
}
static void to_be_freed(const char *stop)
{
	scene_map_bytes();
	scene_object(1, false);
	scene_mmap(PAGES(0, 1), RW);
	expect(scene_write(0, PAGE(0), 1) == 8);
	scene_stop(0, stop, THERE, BACK);
}
static void freed_late(void)  { to_be_freed("advise_before_entry"); }
static void denied_late(void) { to_be_freed("advise_after_begin"); }
static void advise_free(void) { scene.result[0] = vmmap_madvise(scene.map, PAGES(0, 1), MADV_FREE); }
static void private_copy(void)
{
	scene_await(THERE);
	private_object(PAGE(0));
	expect(scene_write(1, PAGE(0), 7) == 8);
	scene_signal(BACK);
}
static void copy_is_there(void)
{
	uint64_t word = 0;

	expect(scene_read(1, PAGE(0), &word) == 8 && word == 7);
}

SCENARIO(place_free, .what = "MADV_FREE has found a VMA, and the page becomes a private copy",
	 .flags = SCENARIO_SHARED, .set_up = freed_late, .body = { advise_free, private_copy },
	 .check = copy_is_there, .mutants = "advise_drops_unchecked");

static void anonymous_and_object(void)
{
	scene_await(THERE);
	expect(scene_fixed(1, PAGES(0, 1), RW) == (int64_t)PAGE(0));
	expect(scene_write(1, PAGE(0), 2) == 8);
	private_object(PAGE(FAR_AWAY));
	scene_signal(BACK);
}
static void not_denied(void) { expect(scene.result[0] == 0); }

SCENARIO(place_free_denied, .what = "the VMA that MADV_FREE has found lives again, over an object",
	 .flags = SCENARIO_SHARED, .set_up = denied_late, .body = { advise_free, anonymous_and_object },
	 .check = not_denied, .mutants = "advise_denies_unchecked");

/* ---- mlock ---- */

static void locked_late(void)
{
	eight_pages();
	scene_stop(0, "mlock_before_populate", THERE, BACK);
}
static void try_lock(void)
{
	struct vmmap_vma v;
	int rc = vmmap_mlock_until(scene.map, PAGES(0, 4), 0, VMMAP_TRY);

	expect(rc == 0 || rc == -EAGAIN);
	expect(vmmap_query(scene.map, PAGE(0), &v) == 0 && (v.locked != 0) == (rc == 0));
}
static void hold_two(void)
{
	scene_await(THERE);
	scene_hold(1, PAGES(0, 2));
	scene_signal(BACK);
	scene_asleep(0);
	scene_release(1);
}

SCENARIO(place_mlock, .what = "a try of mlock has locked, and cannot fault in",
	 .set_up = locked_late, .body = { try_lock, hold_two }, .mutants = "mlock_tells_late");

/* ---- the piece below a cut gets its version when the cut has been published ---- */

static void cut_and_fault(void)
{
	scene_pages(2 * LONG);
	scene_stop(0, "claim_before_leave", THERE, BACK);
	scene_stop(1, "fault_before_cas", BACK, THIRD);
}
static void unmap_upper(void)
{
	expect(scene_munmap(0, PAGES(LONG, LONG)) == 0);
	scene_signal(THIRD);
}
static void fault_upper(void)
{
	(void)scene_await(THERE);
	scene_fault(1, PAGE(LONG + 1), PROT_WRITE);
	expect(scene.result[1] == 0 || scene.info[1].code == VMMAP_MAPERR);
}

SCENARIO(place_left_piece, .what = "a cut is about to be published, and a fault comes to the upper part",
	 .set_up = cut_and_fault, .body = { unmap_upper, fault_upper }, .mutants = "claim_left_early");
