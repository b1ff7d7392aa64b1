/* SPDX-License-Identifier: MIT */
/*
 * Window: under one lock for all edits, a mapping is made on one side of a leaf border beside one on the other side; as
 * soon as the call lets the lock go, somebody holds it.
 * Rule: what is to be joined is joined before the lock goes. Later the call, a try, would have to wait, and nobody is
 * there to be left a note.
 * mutant: merge_after_lock
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define BORDER (BASE + 2 * MIB)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct vmmap_held held;
	struct vmmap_vma v;

	expect(vtree_separate(&map->tree, thread_self(), BORDER) == 0);
	expect(vmmap_mmap(map, BORDER - 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
	expect(vmmap_mmap_until(map, BORDER, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0, VMMAP_TRY) == (int64_t)BORDER);
	expect(vmmap_hold(map, BASE, PAGE, &held) == 0);
	expect(vtree_lookup(&map->tree, BORDER - PAGE) == vtree_lookup(&map->tree, BORDER));
	expect(vmmap_query(map, BORDER, &v) == 0 && v.start == BORDER - 4 * PAGE && v.end == BORDER + 4 * PAGE);
	vmmap_release(map, &held);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwsem", "rwlock", "pervma", "spf", NULL }, script);
}
