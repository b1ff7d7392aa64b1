/* SPDX-License-Identifier: MIT */
/*
 * Window: a hand-over claims, for the waiter, the lower part of a VMA that goes on in the next leaf: it has cut at the
 * leaf's end, and then there is no memory for the cut below. The waiter takes the range itself, and its time is up.
 * Rule: what the failed claim has cut is noted with the waiter, which joins it. Broken: two VMAs that should be one.
 * mutant: handover_forgets_cut
 */
#include "base/site.h"
#include "base/thread.h"
#include "tests/windows/insist.h"
#include "vmmap/space/space.h"

#define BORDER (BASE + 2 * MIB)

/* In the claim that the releaser makes for the waiter: the next cut finds memory, the one after it does not. */
static void refuse_second(void *arg)
{
	(void)arg;
	site_refuse_nth(2, false);
}

static void release_without_memory(struct vmmap *map, struct vmmap_held *all)
{
	point_role("releaser");
	expect(point_call("releaser", "claim_after_extent", refuse_second, NULL) == 0);
	vmmap_release(map, all);
	expect(site_refuse_fired());
	site_refuse_nth(0, false);
	point_role(NULL);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	expect(vtree_separate(&map->tree, thread_self(), BORDER) == 0);
	expect(vmmap_mmap(map, BASE, 4 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	insist_in_vain(map, BORDER - 8 * PAGE, BORDER + 8 * PAGE, 2 * MIB + 2 * PAGE, BORDER + 4 * PAGE,
		       release_without_memory);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", NULL }, script);
}
