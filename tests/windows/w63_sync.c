/* SPDX-License-Identifier: MIT */
/*
 * Window: a program stores to a page while a sync is copying and writing it.
 * Rules: the dirty mark goes first, then WRITE out of every entry, then the copy is made; a failed write makes the page
 * dirty again. Broken: the store is in no copy, and the page is clean.
 * mutant: sync_keeps_write
 * mutant: sync_clears_late
 * mutant: sync_forgets_failure
 * mutant: protect_gives_write
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread sync = { .role = "sync", .fn = object_to_pager };

	object_of(map, 2, true);
	object_at(map, BASE, 2, 0);
	expect(put_word(map, BASE, 1) == 8);
	expect(put_word(map, BASE + PAGE, 1) == 8);
	window_start_to(&sync, "sync_after_copy");
	expect(put_word(map, BASE, 2) == 8);             /* not in the copy */
	point_release("sync", "sync_after_copy");
	window_join(&sync);
	expect(sync.result == 0 && pager_word(0) == 1 && pager_word(1) == 1);
	expect(vmmap_object_sync(object, 0, UINT64_MAX) == 0);
	expect(pager_word(0) == 2);
	expect(vmmap_mprotect(map, BASE, PAGE, PROT_READ) == 0);
	expect(vmmap_mprotect(map, BASE, PAGE, RW) == 0);
	expect(put_word(map, BASE, 3) == 8);             /* not through what mprotect gave */
	pager.fail_write = 1;
	expect(vmmap_object_sync(object, 0, UINT64_MAX) == -EIO);
	pager.fail_write = 0;
	expect(vmmap_object_sync(object, 0, UINT64_MAX) == 0);
	expect(pager_word(0) == 3);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "pt-lock", NULL }, script);
}
