/* SPDX-License-Identifier: MIT */
/* nomem_map.h - for test_nomem: a crowded map, of the policy that has its turn, and what stands beside it. */
#ifndef TESTS_UNIT_SPACE_NOMEM_MAP_H
#define TESTS_UNIT_SPACE_NOMEM_MAP_H

#include "tests/unit/space/nomem.h"

#define CROWD  160                               /* VMAs of two pages, read-only and writable in turns              */

static const char *policy_now;
static struct vmmap_object *file, *paged;
static struct vmmap_held pages_held;
static struct vmmap *other;
static struct physmem *machine;
static struct vmmap_object *extra;

static int zeros_read(void *self, uint64_t page, void *bytes)
{
	(void)self, (void)page;
	memset(bytes, 0, PAGE);
	return 0;
}

static int none_write(void *self, uint64_t page, const void *bytes)
{
	(void)self, (void)page, (void)bytes;
	return 0;
}

static void drop_objects(void)
{
	vmmap_object_put(file);
	vmmap_object_put(paged);
}

static struct vmmap *empty(unsigned how)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;

	memory.bytes = 1;
	memory.pages = NOMEM_FRAMES_MAX;
	memory.limit = NOMEM_FRAMES_MAX + 512;           /* a segment may come                                     */
	assert_int_equal(physmem_create(&maps_memory, &memory), 0);
	config.policy = policy_now;
	config.placement = how & WANT_ARENAS ? VMMAP_ARENAS : VMMAP_TOPDOWN;
	config.physmem = maps_memory;
	config.brk_start = BASE + 9000 * PAGE;
	if (how & WANT_LIMITS) {
		config.limit_vmas = config.limit_commit = 1 << 20;
		config.limit_as = config.limit_locked = UINT64_C(1) << 40;
	}
	assert_int_equal(vmmap_create(&map, &config), 0);
	return map;
}

/* pages 0 .. 2 * CROWD: the crowd; 1000 .. 3000: one large VMA with some pages; 4000 .. 4008: a shared object;
 * 5000 .. 5600: one with a pager, a page of it dirty; 6000 .. 6008: the first one, private; 7600 .. 7604: a stack,
 * crowded below (7300 .. 7580); 8000 .. 8100: locked; 9000 .. 9010: the break. */
static struct vmmap *crowded(unsigned how)
{
	const struct vmmap_pager pager = { zeros_read, none_write, NULL };
	struct vmmap *map = empty(how);

	for (unsigned i = 0; i < CROWD; i++)
		assert_true(maps_fixed(map, 2 * i, 2, i % 2 ? RW : PROT_READ, NORES) > 0);
	maps_fixed(map, 1000, 2000, RW, NORES);
	for (unsigned i = 7300; i < 7580; i += 2)
		assert_true(maps_fixed(map, i, 1, PROT_NONE, NORES) > 0);
	assert_true(maps_fixed(map, 7600, 4, RW, NORES | MAP_GROWSDOWN) > 0);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "file", 8 * PAGE, NULL), 0);
	assert_true(vmmap_mmap(map, BASE + 4000 * PAGE, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) > 0);
	assert_int_equal(vmmap_object_create(&paged, maps_memory, "paged", 600 * PAGE, &pager), 0);
	assert_true(vmmap_mmap(map, BASE + 5000 * PAGE, 600 * PAGE, RW, MAP_SHARED | MAP_FIXED, paged, 0) > 0);
	assert_true(vmmap_mmap(map, BASE + 6000 * PAGE, 8 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0) > 0);
	assert_int_equal(vmmap_brk(map, BASE + 9010 * PAGE), BASE + 9010 * PAGE);
	assert_true(maps_fixed(map, 8000, 100, RW, NORES) > 0);
	assert_int_equal(vmmap_mlock(map, BASE + 8000 * PAGE, 100 * PAGE, MLOCK_ONFAULT), 0);
	nomem_write(map);
	return map;
}

#endif
