/* SPDX-License-Identifier: MIT */
/*
 * Window 27: vmmap_write is copying into a page (its entry LOCKED) when munmap, mprotect or mremap comes.
 * Rule: the writer of the map waits for LOCKED entries. Broken: a store completes into a page that is gone, or that
 * nobody may write to any more.
 * mutant: zap_skips_locked
 * mutant: protect_skips_locked
 */
#include "tests/windows/window.h"

#define TO (BASE + 16 * MIB)

static void move(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, t->addr, t->len, t->len, MREMAP_MAYMOVE | MREMAP_FIXED, TO);
}

/* `fn` over the four pages waits for the store to the second. Returns its result. */
static int64_t store_under(struct vmmap *map, const char *role, void (*fn)(struct window_thread *t))
{
	struct window_thread store = { .role = role, .fn = window_write, .map = map, .addr = BASE + PAGE, .bytes = 42 };
	struct window_thread edit = { .role = "edit", .fn = fn, .map = map, .addr = BASE, .len = 4 * PAGE };

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_fault(map, BASE + PAGE, PROT_WRITE, NULL) == 0);
	expect(point_stop(role, "access_before_store", NULL, NULL) == 0);
	window_start(&store);
	expect(point_wait_reached(role, "access_before_store", UINT64_C(10000000000)));
	window_start(&edit);
	expect(!window_done_within(&edit, 30));
	point_release(role, "access_before_store");
	window_join(&store);
	window_join(&edit);
	expect(store.result == sizeof store.bytes);
	return edit.result;
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	uint64_t word = 1, got = 0;

	expect(store_under(map, "under munmap", window_munmap) == 0);
	expect(store_under(map, "under mprotect", window_protect_read) == 0);
	expect(vmmap_write(map, BASE + PAGE, &word, sizeof word) == -EFAULT);
	expect(store_under(map, "under mremap", move) == (int64_t)TO);
	expect(vmmap_read(map, TO + PAGE, &got, sizeof got) == sizeof got && got == 42);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked",
						  "range-tree", "pt-lock", NULL }, script);
}
