/* SPDX-License-Identifier: MIT */
/*
 * Window: a visit begins with the VMA that the thread's last visit met, remembered with its version and bounds.
 * Rule: whoever shrinks a VMA stores another version, under every policy. Broken: a fault is served where nothing is
 * mapped any more.
 * mutant: cut_keeps_version
 * mutant: drop_keeps_version
 * And a version stands for one life of a VMA: two pieces that one edit leaves outside have two.
 * mutant: claim_one_version
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define LARGE (200 * PAGE)                               /* too many pages for the brief form                      */
#define SMALL (8 * PAGE)

/* munmap of the upper half, after a fault in it. */
static void halve(struct vmmap *map, uint64_t len)
{
	struct vmmap_fault_info info;

	expect(vmmap_mmap(map, BASE, len, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_fault(map, BASE + len - PAGE, PROT_WRITE, &info) == 0);
	expect(vmmap_munmap(map, BASE + len / 2, len / 2) == 0);
	expect(vmmap_fault(map, BASE + len - PAGE, PROT_WRITE, &info) == -EFAULT && info.code == VMMAP_MAPERR);
	expect(vmmap_fault(map, BASE, PROT_WRITE, &info) == 0);
	expect(vmmap_munmap(map, BASE, len / 2) == 0);
	expect(vmmap_fault(map, BASE, PROT_WRITE, &info) == -EFAULT && info.code == VMMAP_MAPERR);
}

static uint64_t version_at(struct vmmap *map, uint64_t addr)
{
	struct vtree_seen seen;

	rcu_enter(thread_self());
	vtree_find(&map->tree, addr, &seen);
	rcu_leave(thread_self());
	expect(seen.vma && lock_word_free(seen.lk));
	return seen.lk;
}

/* Two VMAs, each cut at a border of one hold. */
static void outer_pieces(struct vmmap *map)
{
	struct vmmap_held held;

	expect(vmmap_mmap(map, BASE, LARGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_mprotect(map, BASE, LARGE / 2, PROT_READ) == 0);
	expect(vmmap_hold(map, BASE + PAGE, LARGE - 2 * PAGE, &held) == 0);
	if (map->policy->caps & LOCK_CAP_DISJOINT_EDITS)
		expect(version_at(map, BASE) != version_at(map, BASE + LARGE - PAGE));
	vmmap_release(map, &held);
	expect(vmmap_munmap(map, BASE, LARGE) == 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	outer_pieces(map);

	halve(map, LARGE);
	halve(map, SMALL);
	window_close(map);
}

int main(void)
{
	return window_run_every(true, script);
}
