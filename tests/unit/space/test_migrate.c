/* SPDX-License-Identifier: MIT */
/* test_migrate.c - pages of objects go to other frames: one thread, every policy. Private pages: test_fork_model.c. */
#include "tests/pager.h"
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

#define SHARED (MAP_SHARED | MAP_FIXED)
#define PRIVATE (MAP_PRIVATE | MAP_FIXED)
#define PLACES 40u                               /* more than a mover has room for at first                        */

static struct vmmap_object *file;

static uint64_t at(uint64_t page) { return BASE + page * PAGE; }

static void plain_file(uint64_t pages)
{
	assert_int_equal(vmmap_object_create(&file, maps_memory, "plain", pages * PAGE, NULL), 0);
}

static void map_file(struct vmmap *map, uint64_t page, uint64_t pages, int flags)
{
	assert_int_equal(vmmap_mmap(map, at(page), pages * PAGE, RW, flags, file, 0), at(page));
}

static uint64_t frame_at(struct vmmap *map, uint64_t addr)
{
	struct vmmap_fault_info info;

	assert_int_equal(vmmap_fault(map, addr, PROT_READ, &info), 0);
	return info.pfn;
}

static enum frame_moved migrate(uint64_t pfn)
{
	return space_mover.move(maps_memory, thread_self(), pfn, NULL);
}

static void put(struct vmmap *map, uint64_t addr, uint64_t word)
{
	assert_int_equal(vmmap_write(map, addr, &word, sizeof word), sizeof word);
}

static uint64_t get(struct vmmap *map, uint64_t addr)
{
	uint64_t word = 0;

	assert_int_equal(vmmap_read(map, addr, &word, sizeof word), sizeof word);
	return word;
}

static void finish(struct vmmap *map)
{
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_object_put(file);
	maps_free(map);
}

/* All places of two maps show the new frame, and what one stores the others see. */
static void test_many_places(void **state)
{
	struct vmmap *map = maps_new(*state), *child;
	uint64_t before, after;

	plain_file(1);
	for (unsigned i = 0; i < PLACES; i++)
		map_file(map, 2 * i, 1, SHARED);
	put(map, at(0), 1);
	before = frame_at(map, at(0));
	assert_int_equal(vmmap_fork(&child, map), 0);
	for (unsigned i = 0; i < PLACES; i++) {
		assert_int_equal(frame_at(map, at(2 * i)), before);
		assert_int_equal(frame_at(child, at(2 * i)), before);
	}
	assert_int_equal(migrate(before), FRAME_MOVED);
	after = frame_at(map, at(0));
	assert_true(after != before);
	for (unsigned i = 0; i < PLACES; i++) {
		assert_int_equal(frame_at(map, at(2 * i)), after);
		assert_int_equal(frame_at(child, at(2 * i)), after);
	}
	put(child, at(2), 2);
	assert_int_equal(get(map, at(4)), 2);
	assert_int_equal(migrate(before), FRAME_GONE);
	assert_int_equal(vmmap_audit(child, stderr), 0);
	vmmap_destroy(child);
	finish(map);
}

/* A private mapping shows the page until it stores: then both have one of their own, and both move. */
static void test_private(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t page, copy;

	plain_file(1);
	map_file(map, 0, 1, SHARED);
	map_file(map, 4, 1, PRIVATE);
	put(map, at(0), 1);
	page = frame_at(map, at(0));
	assert_int_equal(frame_at(map, at(4)), page);
	assert_int_equal(migrate(page), FRAME_MOVED);
	page = frame_at(map, at(0));
	assert_int_equal(frame_at(map, at(4)), page);
	put(map, at(4), 2);
	copy = frame_at(map, at(4));
	assert_true(copy != page);
	assert_int_equal(migrate(copy), FRAME_MOVED);
	assert_int_equal(migrate(page), FRAME_MOVED);
	assert_int_equal(get(map, at(0)), 1);
	assert_int_equal(get(map, at(4)), 2);
	finish(map);
}

/* Cached, mapped nowhere; then mapped, moved by mremap; then shared anonymous memory. */
static void test_no_entry(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t page;

	plain_file(1);
	map_file(map, 0, 1, SHARED);
	put(map, at(0), 7);
	page = frame_at(map, at(0));
	assert_int_equal(vmmap_munmap(map, at(0), PAGE), 0);
	assert_int_equal(migrate(page), FRAME_MOVED);
	map_file(map, 8, 1, SHARED);
	assert_int_equal(get(map, at(8)), 7);
	assert_int_equal(vmmap_mremap(map, at(8), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(20)), at(20));
	assert_int_equal(migrate(frame_at(map, at(20))), FRAME_MOVED);
	assert_int_equal(get(map, at(20)), 7);
	assert_int_equal(vmmap_mmap(map, at(30), PAGE, RW, SHARED | MAP_ANONYMOUS, NULL, 0), at(30));
	put(map, at(30), 9);
	assert_int_equal(migrate(frame_at(map, at(30))), FRAME_MOVED);
	assert_int_equal(get(map, at(30)), 9);
	finish(map);
}

/* A dirty page stays dirty, a clean one clean; what a store marks after that is written, too. */
static void test_dirty(void **state)
{
	static struct pager pager;
	struct vmmap_pager calls = pager_of(&pager);
	struct vmmap *map = maps_new(*state);

	pager_init(&pager);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "paged", 2 * PAGE, &calls), 0);
	map_file(map, 0, 2, SHARED);
	put(map, at(0), 1);
	(void)get(map, at(1));
	assert_int_equal(migrate(frame_at(map, at(0))), FRAME_MOVED);
	assert_int_equal(migrate(frame_at(map, at(1))), FRAME_MOVED);
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 1);
	assert_int_equal(*(uint64_t *)pager.copy, 1);
	assert_int_equal(migrate(frame_at(map, at(0))), FRAME_MOVED);
	put(map, at(0), 2);
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 2);
	assert_int_equal(*(uint64_t *)pager.copy, 2);
	finish(map);
}

/* Who holds a reference that is not the page's pins it. */
static void test_pinned(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t page;

	plain_file(1);
	map_file(map, 0, 1, SHARED);
	put(map, at(0), 1);
	page = frame_at(map, at(0));
	frame_share(maps_memory, page, 1, 0);
	assert_int_equal(migrate(page), FRAME_PINNED);
	assert_false(frame_drop(maps_memory, page, false));
	assert_int_equal(migrate(page), FRAME_MOVED);
	assert_int_equal(get(map, at(0)), 1);
	finish(map);
}

int main(void);
static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_many_places), cmocka_unit_test(test_private), cmocka_unit_test(test_no_entry),
	cmocka_unit_test(test_dirty), cmocka_unit_test(test_pinned),
};
MAPS_MAIN(tests)
