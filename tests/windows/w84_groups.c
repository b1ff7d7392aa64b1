/* SPDX-License-Identifier: MIT */
/*
 * Window: a brief edit joins neighbours that it has found without an anonymous group, and a first write fault gives one
 * of them a group before they are one.
 * Rules: the group of a VMA that is swallowed is read after it was taken; the one that stays gets a group by CAS, and
 * two groups stay two VMAs, both free. Broken: a page that was written stands in a VMA without a group, or in one of
 * another's.
 * mutant: join_group_early
 * mutant: group_any_join
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define LEN  (4 * PAGE)
#define SOON UINT64_C(10000000000)

static void map_at(struct vmmap *map, uint64_t addr, int prot)
{
	expect(vmmap_mmap(map, addr, LEN, prot, ANON | MAP_FIXED, NULL, 0) == (int64_t)addr);
}

/* `protect` is stopped at `point`, there comes a write fault at addr, and it goes on. */
static void fault_between(struct vmmap *map, struct window_thread *protect, const char *point, uint64_t addr)
{
	expect(point_stop(protect->role, point, NULL, NULL) == 0);
	window_start(protect);
	expect(point_wait_reached(protect->role, point, SOON));
	expect(vmmap_fault(map, addr, PROT_WRITE, NULL) == 0);
	point_release(protect->role, point);
	window_join(protect);
	expect(protect->result == 0);
}

/* The upper neighbour, to be swallowed, gets its group. */
static void swallowed(struct vmmap *map)
{
	struct window_thread protect = {
		.role = "swallow", .fn = window_protect, .map = map, .addr = BASE + LEN, .len = LEN
	};
	struct vmmap_vma v;

	map_at(map, BASE, RW);
	map_at(map, BASE + LEN, PROT_READ);
	map_at(map, BASE + 2 * LEN, RW);
	fault_between(map, &protect, "join_before_take", BASE + 2 * LEN);
	expect(vmmap_query(map, BASE, &v) == 0 && v.start == BASE && v.end == BASE + 3 * LEN);
	expect(vma_anon(vtree_lookup(&map->tree, BASE)) != 0);
	expect(vmmap_munmap(map, BASE, 3 * LEN) == 0);
}

/* The lower one, which would get the group of what is joined to it, has its own by then. */
static void stays(struct vmmap *map)
{
	struct window_thread protect = {
		.role = "stay", .fn = window_protect, .map = map, .addr = BASE + LEN, .len = LEN
	};
	struct vmmap_vma v;

	map_at(map, BASE, RW);
	map_at(map, BASE + LEN, RW | PROT_EXEC);
	expect(vmmap_fault(map, BASE + LEN, PROT_WRITE, NULL) == 0);
	fault_between(map, &protect, "anon_before_join", BASE);
	expect(vmmap_query(map, BASE, &v) == 0 && v.end == BASE + LEN);
	expect(vma_anon(vtree_lookup(&map->tree, BASE)) != vma_anon(vtree_lookup(&map->tree, BASE + LEN)));
}

/* The upper one gets a group, and the lower one has another: it was taken in vain. */
static void given_back(struct vmmap *map)
{
	struct window_thread protect = {
		.role = "give back", .fn = window_protect, .map = map, .addr = BASE + LEN, .len = LEN
	};
	struct vmmap_vma v;

	expect(vmmap_munmap(map, BASE, 3 * LEN) == 0);
	map_at(map, BASE, RW);
	map_at(map, BASE + LEN, PROT_READ);
	map_at(map, BASE + 2 * LEN, RW);
	expect(vmmap_fault(map, BASE, PROT_WRITE, NULL) == 0);
	fault_between(map, &protect, "join_before_take", BASE + 2 * LEN);
	expect(vmmap_query(map, BASE, &v) == 0 && v.end == BASE + 2 * LEN);
	expect(vmmap_fault_until(map, BASE + 2 * LEN + PAGE, PROT_WRITE, NULL, VMMAP_TRY) == 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	swallowed(map);
	stays(map);
	given_back(map);
	window_close(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
