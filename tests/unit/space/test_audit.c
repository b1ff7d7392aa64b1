/* SPDX-License-Identifier: MIT */
/*
 * test_audit.c - the audit of a map finds each kind of damage, says what it is, and is content again when that is
 * undone. And the policy `checked`: it ends the process at the first touch outside of what is locked.
 */
#include "tests/unit/base/child.h"
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

static struct vmmap *map;
static struct thread_slot *self;

/* Its own physical memory, so that frames are counted: [0, 4) written, [8, 12) read-only and read, an object at 16. */
static int make(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap_object *file;

	config.policy = *state;
	self = thread_self();
	assert_int_equal(vmmap_create(&map, &config), 0);
	assert_true(maps_fixed(map, 0, 4, RW, ANON) > 0);
	assert_true(maps_fixed(map, 8, 4, PROT_READ, ANON) > 0);
	assert_int_equal(maps_touch(map, 0), 0);
	assert_int_equal(maps_touch(map, 1), 0);
	assert_int_equal(vmmap_fault(map, BASE + 8 * PAGE, PROT_READ, NULL), 0);
	assert_int_equal(vmmap_object_create(&file, map->physmem, "file", 4 * PAGE, NULL), 0);
	assert_true(vmmap_mmap(map, BASE + 16 * PAGE, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0) > 0);
	assert_int_equal(vmmap_fault(map, BASE + 17 * PAGE, PROT_READ, NULL), 0);
	vmmap_object_put(file);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
	return 0;
}

static struct vma *vma_at(uint64_t page)
{
	struct vtree_seen seen;

	rcu_enter(self);
	vtree_find(&map->tree, BASE + page * PAGE, &seen);
	rcu_leave(self);
	assert_non_null(seen.vma);
	return seen.vma;
}

static atomic_u64 *entry_at(uint64_t page)
{
	atomic_u64 *entry = pt_find(&map->pt, BASE + page * PAGE);

	assert_non_null(entry);
	return entry;
}

/* The audit complains, in these words; without a report it counts the same. */
static void says(const char *words)
{
	char *text = NULL;
	size_t bytes;
	FILE *report = open_memstream(&text, &bytes);
	uint64_t bad = vmmap_audit(map, report);

	fclose(report);
	assert_true(bad > 0);
	if (!strstr(text, words))
		fail_msg("'%s' is not in: %s", words, text);
	free(text);
	assert_int_equal(vmmap_audit(map, NULL), bad);
}

/* The audit says so while the word is damaged. */
static void damaged(atomic_u64 *word, uint64_t value, const char *words)
{
	uint64_t before = atomic_load_relaxed(word);

	atomic_store_relaxed(word, value);
	says(words);
	atomic_store_relaxed(word, before);
}

static void held_word(void **state)
{
	(void)state;
	damaged(&vma_at(0)->slot.lk, LOCK_BRIEF, "is held");
}

static void left_over_dummy(void **state)
{
	struct vma *vma = vma_at(0);

	(void)state;
	damaged(&vma->bits, atomic_load_relaxed(&vma->bits) | VMA_GAP, "a dummy is left over");
}

static void unmerged_neighbours(void **state)
{
	(void)state;
	assert_true(maps_fixed(map, 4, 2, PROT_READ, NORES) > 0);
	damaged(&vma_at(4)->bits, atomic_load_relaxed(&vma_at(0)->bits), "mergeable VMAs meet");
}

static void ghost_entry(void **state)
{
	(void)state;
	assert_int_equal(atomic_load_relaxed(entry_at(100)), 0);
	damaged(entry_at(100), pt_entry(0, PT_PRESENT | PT_READ | PT_ZERO, 0), "ghost");
}

static void entry_allows_more(void **state)
{
	atomic_u64 *entry = entry_at(8);

	(void)state;
	damaged(entry, atomic_load_relaxed(entry) | PT_EXEC, "allows more");
}

static void shared_frame_writable(void **state)
{
	atomic_u64 *entry = entry_at(17);
	uint64_t before = atomic_load_relaxed(entry);

	(void)state;
	assert_true(before & PT_OBJECT);
	damaged(entry, before | PT_WRITE, "a shared frame is writable");
}

static void lost_frame(void **state)
{
	uint64_t pfn = physmem_frame_alloc(map->physmem);

	(void)state;
	says("frames are owned");
	assert_int_equal(physmem_frame_free(map->physmem, pfn), 0);
}

static void damaged_entry(void **state)
{
	atomic_u64 *entry = entry_at(1);

	(void)state;
	damaged(entry, atomic_load_relaxed(entry) | PT_LOCKED, "pt:");
}

/* ---- checked ---- */

static int touch_outside(void *arg)
{
	struct lock_edit e;

	(void)arg;
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	if (space_edit_begin(map, &e, self, (struct lock_range){ BASE, BASE + 2 * PAGE }))
		return 1;
	space_touch(map, self, (struct lock_range){ BASE, BASE + 2 * PAGE }, LOCK_TOUCH_VMA, true);
	space_touch(map, self, (struct lock_range){ BASE + 2 * PAGE, BASE + 3 * PAGE }, LOCK_TOUCH_VMA, true);
	return 0;
}

static void checked_ends_the_process(void **state)
{
	if (CHILD_RUNS)
		assert_int_equal(child_run(touch_outside, NULL), strcmp(*state, "checked") ? 0 : -SIGABRT);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make, end)

static struct CMUnitTest tests[] = {
	CASE(held_word),         CASE(left_over_dummy),       CASE(unmerged_neighbours), CASE(ghost_entry),
	CASE(entry_allows_more), CASE(shared_frame_writable), CASE(lost_frame),          CASE(damaged_entry),
	CASE(checked_ends_the_process),
};

MAPS_MAIN(tests)
