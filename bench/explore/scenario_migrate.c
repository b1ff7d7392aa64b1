/* SPDX-License-Identifier: MIT */
/*
 * scenario_migrate.c - the frame of a page moves, beside all that looks at the page or changes it. Whatever comes
 * first: no store is lost, no load shows another page, no frame is lost or used twice.
 */
#include "bench/explore/scene.h"

#define OURS   1                                 /* words: what the page has at first; what a body stores           */
#define STORED 5
#define CHILD  scene.word[0]                     /* the child, if there is one                                      */

static struct vmmap *child(void) { return (struct vmmap *)(uintptr_t)CHILD; }
static void fork_now(void) { CHILD = scene_fork(); }

static void written(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 4), RW);
	scene_put(scene.map, PAGE(0), OURS);
}

static void shared(void)
{
	written();
	fork_now();
}

static void migrate(void) { (void)scene_migrate(scene.map, PAGE(0)); }
static void store(void) { scene_put(scene.map, PAGE(0), STORED); }
static void store_theirs(void) { scene_put(child(), PAGE(0), 2); }

static void child_ends(void)
{
	expect(vmmap_audit(child(), stderr) == 0);
	vmmap_destroy(child());
}

/* ---- one map ---- */

static void is_stored(void) { expect(scene_word_of(scene.map, PAGE(0)) == STORED && scene_owned() == 1); }

SCENARIO(migrate_store, .what = "a frame moves beside a store", .set_up = written, .body = { migrate, store },
	 .check = is_stored, .mutants = "migrate_copies_early");

/* What is freed at once is the next frame that the mover gets. */
static void migrate_and_use(void)
{
	migrate();
	scene_put(scene.map, PAGE(1), 99);
}
static void load(void) { scene.word[1] = scene_word_of(scene.map, PAGE(0)); }
static void is_loaded(void) { expect(scene.word[1] == OURS && scene_word_of(scene.map, PAGE(1)) == 99); }

SCENARIO(migrate_load, .what = "a frame moves beside a load", .set_up = written, .body = { migrate_and_use, load },
	 .check = is_loaded, .mutants = "migrate_frees_at_once");

static void unmap(void) { scene_munmap(1, PAGES(0, 4)); }
static void is_gone(void) { expect(scene_owned() == 0); }

SCENARIO(migrate_unmap, .what = "a frame moves beside an unmap", .set_up = written, .body = { migrate, unmap },
	 .check = is_gone, .mutants = "migrate_old_bits");

static void protect(void) { expect(scene_protect(1, PAGES(0, 1), PROT_READ) == 0); }
static void is_protected(void)
{
	uint64_t word = STORED;

	expect(vmmap_write(scene.map, PAGE(0), &word, sizeof word) == -EFAULT);
	expect(scene_word_of(scene.map, PAGE(0)) == OURS && scene_owned() == 1);
}

SCENARIO(migrate_protect, .what = "a frame moves beside an mprotect", .set_up = written, .body = { migrate, protect },
	 .check = is_protected, .mutants = "migrate_old_bits");

static void move(void)
{
	expect(vmmap_mremap(scene.map, PAGE(0), 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, PAGE(8)) ==
	       (int64_t)PAGE(8));
}
static void is_moved(void)
{
	expect(scene_word_of(scene.map, PAGE(8)) == OURS && scene_owned() == 1);
	expect(scene_migrate(scene.map, PAGE(8)));
	expect(scene_word_of(scene.map, PAGE(8)) == OURS && scene_owned() == 1);
}

SCENARIO(migrate_move, .what = "a frame moves beside an mremap", .set_up = written, .body = { migrate, move },
	 .check = is_moved, .mutants = "seek_unmoved");

SCENARIO(migrate_twice, .what = "two threads move one frame", .set_up = written, .body = { migrate, migrate, store },
	 .check = is_stored);

/* ---- two maps ---- */

static void is_apart(void)
{
	expect(scene_word_of(scene.map, PAGE(0)) == OURS && scene_word_of(child(), PAGE(0)) == OURS);
	store_theirs();
	expect(scene_word_of(scene.map, PAGE(0)) == OURS);
	store();
	expect(scene_word_of(child(), PAGE(0)) == 2 && scene_owned() == 2);
	child_ends();
	expect(scene_owned() == 1);
}

SCENARIO(migrate_fork, .what = "a frame moves beside a fork", .set_up = written, .body = { migrate, fork_now },
	 .check = is_apart, .mutants = "share_counts_late migrate_uncounted");

static void are_stored(void)
{
	expect(scene_word_of(scene.map, PAGE(0)) == STORED && scene_word_of(child(), PAGE(0)) == 2 &&
	       scene_owned() == 2);
	child_ends();
}

SCENARIO(migrate_shared, .what = "a frame that two maps show moves; both store", .set_up = shared,
	 .body = { migrate, store, store_theirs }, .check = are_stored, .mutants = "migrate_undoes_nothing");

static void child_exits(void) { vmmap_destroy(child()); }

SCENARIO(migrate_exit, .what = "a frame that two maps show moves; one map ends", .set_up = shared,
	 .body = { migrate, child_exits, store }, .check = is_stored);

/* A child, whose own fork has not got what moved in it. */
static void shared_thrice(void)
{
	struct vmmap *last;

	written();
	scene_put(scene.map, PAGE(1), 2);
	fork_now();
	expect(vmmap_mremap(child(), PAGE(1), 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, PAGE(8)) == (int64_t)PAGE(8));
	expect(vmmap_madvise(child(), PAGE(8), 4096, MADV_DONTFORK) == 0);
	expect(vmmap_fork(&last, child()) == 0);
	scene.word[1] = CHILD;
	CHILD = (uintptr_t)last;
}

static void middle_exits(void) { vmmap_destroy((struct vmmap *)(uintptr_t)scene.word[1]); }

static void middle_ended(void)
{
	expect(scene_word_of(scene.map, PAGE(0)) == OURS && scene_word_of(child(), PAGE(0)) == 2);
	child_ends();
	expect(scene_word_of(scene.map, PAGE(1)) == 2 && scene_owned() == 2);
}

SCENARIO(migrate_ended, .what = "a frame that three maps show moves; the middle one ends", .set_up = shared_thrice,
	 .body = { migrate, middle_exits, store_theirs }, .check = middle_ended, .mutants = "seek_no_gate");
