/* SPDX-License-Identifier: MIT */
/*
 * Window: vmmap_write is copying into a page (its entry LOCKED) when munmap and mprotect come.
 * Rule: the writer of the map waits for LOCKED entries. Broken: a store completes into a page that is gone.
 * mutant: zap_skips_locked
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread store = {
		.role = "store", .fn = window_write, .map = map, .addr = BASE + PAGE, .bytes = 42
	};
	struct window_thread unmap = {
		.role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = 4 * PAGE
	};

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_fault(map, BASE + PAGE, PROT_WRITE, NULL) == 0);
	expect(point_stop("store", "access_before_store", NULL, NULL) == 0);
	window_start(&store);
	expect(point_wait_reached("store", "access_before_store", UINT64_C(1000000000)));
	window_start(&unmap);
	expect(!window_done_within(&unmap, 30));
	point_release("store", "access_before_store");
	window_join(&store);
	window_join(&unmap);
	expect(store.result == sizeof store.bytes);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked", NULL },
			  script);
}
