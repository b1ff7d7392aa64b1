/* SPDX-License-Identifier: MIT */
/*
 * scenario_fork.c - a map is forked beside stores, loads, edits and a resize; two maps share frames. Whatever comes
 * first: neither sees what the other stores afterwards, and no frame is lost.
 */
#include "bench/explore/scene.h"

#define OURS   1                                 /* words: what the page has at first; what a body stores           */
#define STORED 5
#define CHILD  scene.word[0]                     /* the child                                                       */

static struct vmmap *child(void) { return (struct vmmap *)(uintptr_t)CHILD; }
static void fork_now(void) { CHILD = scene_fork(); }

/* Behind the bodies: both store, in turn; then the child ends. */
static void apart(void)
{
	uint64_t theirs = scene_word_of(child(), PAGE(0)), ours = scene_word_of(scene.map, PAGE(0));

	scene_put(scene.map, PAGE(0), ours + 10);
	expect(scene_word_of(child(), PAGE(0)) == theirs);
	scene_put(child(), PAGE(0), theirs + 20);
	expect(scene_word_of(scene.map, PAGE(0)) == ours + 10);
	expect(vmmap_audit(child(), stderr) == 0);
	vmmap_destroy(child());
	expect(scene_word_of(scene.map, PAGE(0)) == ours + 10);
}

static void written(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 4), RW);
	scene_put(scene.map, PAGE(0), OURS);
}

/* Its frame has been shared, and its entry still says so. */
static void alone(void)
{
	written();
	fork_now();
	vmmap_destroy(child());
}

static void store(void) { scene_put(scene.map, PAGE(0), STORED); }
static void stored(void)
{
	uint64_t theirs = scene_word_of(child(), PAGE(0));

	expect(scene_word_of(scene.map, PAGE(0)) == STORED && (theirs == OURS || theirs == STORED));
	apart();
}

SCENARIO(fork_store, .what = "a map is forked beside a store", .set_up = written, .body = { fork_now, store },
	 .check = stored, .mutants = "share_skips_locked share_keeps_write share_uncounted fault_takes_over");
SCENARIO(fork_take_over, .what = "... to a page that was shared, and is no longer", .set_up = alone,
	 .body = { fork_now, store }, .check = stored, .mutants = "frame_alone_stores");
SCENARIO(fork_take_over_counted, .what = "... by a visit that is counted", .policy = "vma-count", .set_up = alone,
	 .body = { fork_now, store }, .check = stored, .mutants = "fork_no_shut");

/* ---- two maps, one frame ---- */

static void shared(void)
{
	written();
	fork_now();
}

static void store_theirs(void) { scene_put(child(), PAGE(0), 2); }
static void load_theirs(void) { scene.word[1] = scene_word_of(child(), PAGE(0)); }
static void shared_stop(void)
{
	shared();
	scene_stop(0, "access_before_load", THERE, BACK);
}
/* In this order the second store is in place. */
static void store_both(void)
{
	scene_await(THERE);
	store_theirs();
	store();
	scene_signal(BACK);
}
static void loaded(void)
{
	expect(scene.word[1] == OURS || scene.word[1] == 2);
	expect(scene_word_of(scene.map, PAGE(0)) == STORED && scene_word_of(child(), PAGE(0)) == 2);
	apart();
}

SCENARIO(fork_load, .what = "a load from a shared frame; both maps store", .set_up = shared_stop,
	 .body = { load_theirs, store_both }, .check = loaded, .mutants = "load_looks_once");

static void copied(void)
{
	expect(scene_word_of(scene.map, PAGE(0)) == STORED && scene_word_of(child(), PAGE(0)) == 2 &&
	       scene_owned() == 2);
	apart();
}

SCENARIO(fork_two_copies, .what = "two maps copy the frame that they share", .set_up = shared,
	 .body = { store, store_theirs }, .check = copied, .mutants = "frame_drop_stores");

static void unmap_ours(void) { scene_munmap(0, PAGES(0, 4)); }
static void drop_theirs(void)
{
	expect(vmmap_madvise(child(), PAGES(0, 1), MADV_DONTNEED) == 0);
	scene_put(child(), PAGE(0), 3);
}
static void one_page(void)
{
	expect(scene_owned() == 1 && scene_word_of(child(), PAGE(0)) == 3);
	vmmap_destroy(child());
}

SCENARIO(fork_drop, .what = "one map unmaps a shared frame, the other drops it, and stores", .set_up = shared,
	 .body = { unmap_ours, drop_theirs }, .check = one_page);

static void protect_twice(void)
{
	expect(scene_protect(0, PAGES(0, 4), PROT_READ) == 0);
	expect(scene_protect(0, PAGES(0, 4), RW) == 0);
}

SCENARIO(fork_protect, .what = "a shared page loses the right to be stored to, and gets it back", .set_up = shared,
	 .body = { protect_twice, load_theirs }, .check = apart, .mutants = "protect_unshares");

/* ---- beside edits ---- */

static void unmap_part(void) { scene_munmap(1, PAGES(1, 2)); }
static void store_last(void) { scene_put(scene.map, PAGE(3), 4); }
static void of_one_instant(void)
{
	bool one = vmmap_fault(child(), PAGE(1), PROT_READ, NULL) == 0;

	expect((vmmap_fault(child(), PAGE(2), PROT_READ, NULL) == 0) == one);
	apart();
}

SCENARIO(fork_beside, .what = "a map is forked beside an unmap and a store", .set_up = written,
	 .body = { fork_now, unmap_part, store_last }, .check = of_one_instant);

static void many_vmas(void)
{
	written();
	for (unsigned i = 0; i < 70; i++)
		scene_mmap(PAGES(10 + 2 * i, 1), RW);
	scene_put(scene.map, PAGE(10 + 2 * 69), 9);
	scene_stop(0, "fork_let_go", THERE, NEVER);
}

static void unmap_last(void)
{
	if (scene_await(THERE))
		scene_munmap(1, PAGES(10 + 2 * 69, 1));
}
static void store_first(void)
{
	if (scene_await(THERE))
		store();
}
/* The fork's instant was before the unmap, which waits for what is still held. */
static void has_last(void)
{
	expect(scene_word_of(child(), PAGE(10 + 2 * 69)) == 9 && scene_word_of(child(), PAGE(0)) == OURS);
	apart();
}

SCENARIO(fork_lets_go, .what = "a fork lets go of what it has done; a store there, an unmap above", .set_up = many_vmas,
	 .body = { fork_now, unmap_last, store_first }, .check = has_last, .mutants = "part_gives_all");

/* The fork goes on when the store is through: who waits for what it lets go is woken by that. */
static void many_vmas_must(void)
{
	many_vmas();
	scene.stop[0].awaits = BACK + SCENE_MUST;
	scene_stop(0, "part_before_sweep", THIRD, FOURTH);
}
static void store_late(void)
{
	(void)scene_await(THIRD);
	store();
	scene_signal(BACK);
}

SCENARIO(fork_wakes, .what = "... and a store comes just then, and waits for it", .set_up = many_vmas_must,
	 .body = { fork_now, store_late }, .check = stored, .mutants = "part_opens_early part_wakes_nobody");

/* ---- objects ---- */

static void private_copy(void)
{
	int64_t at;

	scene_map_bytes();
	scene_object(4, false);
	at = vmmap_mmap(scene.map, PAGES(0, 4), RW, MAP_PRIVATE | MAP_FIXED, scene.object, 0);
	expect(at == (int64_t)PAGE(0));
	scene_put(scene.map, PAGE(0), OURS);
	scene_put(scene.map, PAGE(3), 4);
}

static void resize(void) { expect(vmmap_object_resize(scene.object, 4096) == 0); }
static void is_cut(void)
{
	struct vmmap_fault_info info;

	expect(vmmap_fault(child(), PAGE(3), PROT_READ, &info) == -EFAULT && info.code == VMMAP_BUS);
	scene_is_cut(PAGE(3));
	apart();
}

SCENARIO(fork_size, .what = "a map is forked; an object that it maps gets shorter", .flags = SCENARIO_SHARED,
	 .set_up = private_copy, .body = { fork_now, resize }, .check = is_cut, .mutants = "fork_no_size");
