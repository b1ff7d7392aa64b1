/* SPDX-License-Identifier: MIT */
/* nomem_things.h - for test_nomem: calls about things beside the crowded map: objects, other maps, machines, frames. */
#ifndef TESTS_UNIT_SPACE_NOMEM_THINGS_H
#define TESTS_UNIT_SPACE_NOMEM_THINGS_H

#include <vmmap/physseg.h>

#include "tests/unit/space/nomem_map.h"

static int64_t make_object(struct vmmap *map, uint64_t page)
{
	struct vmmap_object *object;
	int err = vmmap_object_create(&object, maps_memory, "more", page * PAGE, NULL);

	(void)map;
	if (!err)
		vmmap_object_put(object);
	return err;
}

static int64_t read_object(struct vmmap *map, uint64_t page)
{
	return vmmap_fault(map, BASE + (5000 + 530 * page) * PAGE, PROT_READ, NULL);
}

static int64_t cut_object(struct vmmap *map, uint64_t page)
{
	(void)map;
	return vmmap_object_resize(paged, page * PAGE);
}

static int64_t sync_object(struct vmmap *map, uint64_t page)
{
	(void)map;
	return vmmap_object_sync(paged, page * PAGE, UINT64_MAX);
}

static int64_t msync_object(struct vmmap *map, uint64_t page)
{
	return vmmap_msync(map, BASE + (5000 + page) * PAGE, 100 * PAGE, MS_SYNC);
}

static int64_t destroy_map(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	vmmap_destroy(other);
	other = NULL;
	return 0;
}

static int64_t make_map(struct vmmap *map, uint64_t page)
{
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	config.policy = policy_now;
	config.physmem = page ? maps_memory : NULL;
	err = vmmap_create(&other, &config);
	if (!err)
		destroy_map(map, page);
	return err;
}

static void other_map(struct vmmap *map, uint64_t page)
{
	struct vmmap_config config = VMMAP_CONFIG;

	(void)map, (void)page;
	config.policy = policy_now;
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&other, &config), 0);
	assert_true(maps_fixed(other, 0, 1000, RW, NORES) > 0);
	assert_int_equal(maps_touch(other, 700), 0);
	assert_true(vmmap_mmap(other, BASE + 4000 * PAGE, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) > 0);
}

static int64_t fork_map(struct vmmap *map, uint64_t page)
{
	int err = vmmap_fork(&other, map);

	if (!err)
		destroy_map(map, page);
	return err;
}

static void other_fork(struct vmmap *map, uint64_t page)
{
	(void)page;
	assert_int_equal(vmmap_fork(&other, map), 0);
}

/* A frame, for a copy; what is shared has its tables. */
static int64_t store_shared(struct vmmap *map, uint64_t page)
{
	ssize_t got = vmmap_write(map, BASE + 1001 * PAGE, &page, sizeof page);

	if (got == sizeof page)
		destroy_map(map, page);
	return got == sizeof page ? 0 : got;
}

static int64_t make_machine(struct vmmap *map, uint64_t page)
{
	static const struct physmem_range segments[] = { { 0, 100 }, { 1000, 100 } };
	struct physmem_config config = PHYSMEM_CONFIG;
	int err;

	(void)map;
	config.bytes = 1;
	config.segments = page ? segments : NULL;
	config.nsegments = page ? 2 : 0;
	err = physmem_create(&machine, &config);
	if (!err)
		physmem_destroy(machine);
	return err;
}

static void other_machine(struct vmmap *map, uint64_t page)
{
	struct physmem_config config = PHYSMEM_CONFIG;

	(void)map, (void)page;
	assert_int_equal(physmem_create(&machine, &config), 0);
}

static int64_t destroy_machine(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	physmem_destroy(machine);
	machine = NULL;
	return 0;
}

/* ---- tables of segments: one of each index, and one in sections ---- */

#define SEGMENT_TABLES 5

static int segment_table(struct physseg_table **t, uint64_t page)
{
	static const char *const indexes[SEGMENT_TABLES] = { "bitmap", "cow-array", "rbtree", "array", "bitmap" };
	struct physseg_config config = PHYSSEG_CONFIG;

	config.index = indexes[page % SEGMENT_TABLES];
	config.limit = 20000;
	config.sections = page == SEGMENT_TABLES - 1;
	return physseg_create(t, &config);
}

/* More segments than a table has slots to begin with. */
static int segments_plugged(struct physseg_table *t)
{
	static const struct physseg_boot boot = { 19000, 19100, 19000, 19100, 1 };
	int err = physseg_load(t, &boot, NULL);

	for (uint64_t i = 0; i < 66 && !err; i++)
		err = physseg_plug(t, 200 * i, 100, NULL);
	return err;
}

static int64_t make_segments(struct vmmap *map, uint64_t page)
{
	struct physseg_table *t = NULL;
	int err = segment_table(&t, page);

	(void)map;
	if (!err)
		err = segments_plugged(t);
	if (!err)
		err = physseg_unplug(t, 40, 20);
	physseg_destroy(t);
	return err;
}

static int64_t change_segments(struct vmmap *map, uint64_t page)
{
	struct physseg_table *t = NULL;
	int err = segment_table(&t, page);
	struct physseg_handle h;
	uint64_t pfn;

	(void)map;
	if (!err)
		err = physseg_plug(t, 100, 100, &h);
	if (!err)
		err = physseg_set_avail(t, h, 100, 150);
	if (!err)
		err = physseg_set_start_hint(t, h, 10);
	if (!err)
		err = physseg_set_md(t, h, t);
	if (!err)
		err = physseg_unload(t, h, 0, &pfn);
	if (!err)
		err = physseg_unload_force(t, h, &pfn);
	physseg_destroy(t);
	return err;
}

static int64_t take_frame(struct vmmap *map, uint64_t page)
{
	uint64_t pfn = physmem_frame_alloc(maps_memory);

	(void)map, (void)page;
	return pfn == PHYSMEM_NONE ? -ENOMEM : physmem_frame_free(maps_memory, pfn);
}

static uint64_t others_frame;

static void other_frame(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	others_frame = physmem_frame_alloc(maps_memory);
	assert_true(others_frame != PHYSMEM_NONE);
}

static int64_t give_frame(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	return physmem_frame_free(maps_memory, others_frame);
}

static void other_object(struct vmmap *map, uint64_t page)
{
	(void)page;
	assert_int_equal(vmmap_object_create(&extra, maps_memory, "extra", 8 * PAGE, NULL), 0);
	assert_true(vmmap_mmap(map, BASE + 8000 * PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, extra, 0) > 0);
	assert_int_equal(maps_touch(map, 8000), 0);
	assert_int_equal(maps_unmap(map, 8000, 1), 0);
}

static int64_t put_object(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	vmmap_object_put(extra);
	extra = NULL;
	return 0;
}

#endif
