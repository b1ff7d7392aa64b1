/* SPDX-License-Identifier: MIT */
/*
 * Window: mprotect, or mremap, holds the map's lock, under a policy whose visits pass that by; a first write fault is
 * still inside the VMA, has not given it a group yet, and is going to.
 * Rule: what is to become of a VMA is decided after it was shut. Broken: mprotect finds that nobody has written there,
 * and what the fault then writes is committed memory that nobody has paid for; written memory is moved, and its new
 * VMA has no group.
 * mutant: change_decides_early
 * mutant: remap_looks_early
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define LEN  (80 * PAGE)                                 /* too many pages for the brief form                      */
#define ELSE (BASE + MIB)

static void remap(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, BASE, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, ELSE);
}

/* The edit comes to its point, the fault goes on and ends, then the edit. */
static struct vmmap *beside_first_write(const char *policy, void (*edit)(struct window_thread *t), const char *point)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };
	struct window_thread other = { .role = "edit", .fn = edit, .map = map, .addr = BASE, .len = LEN };

	expect(vmmap_mmap(map, BASE, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&fault, "fault_before_group");
	window_start_to(&other, point);
	point_release("fault", "fault_before_group");
	window_join(&fault);
	point_release("edit", point);
	window_join(&other);
	expect(fault.result == 0 && other.result >= 0);
	return map;
}

static void script(const char *policy)
{
	struct vmmap *map = beside_first_write(policy, window_protect_read, "change_before_shut");
	struct vmmap_usage usage;

	vmmap_get_usage(map, &usage);
	expect(usage.resident_pages == 1 && usage.committed_pages == LEN / PAGE);
	window_close(map);

	point_reset();
	point_mutant_select(getenv("VMMAP_MUTANT"));
	map = beside_first_write(policy, remap, "remap_before_shut");
	vmmap_get_usage(map, &usage);
	expect(usage.resident_pages == 1 && vma_anon(vtree_lookup(&map->tree, ELSE)) != 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "pervma", "spf", NULL }, script);
}
