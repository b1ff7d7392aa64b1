/* SPDX-License-Identifier: MIT */
/*
 * Window: a pinned page is written back; whoever pinned it stores behind the copy, and gives the pin up. Or it is
 * pinned when its dirty mark has been taken, and its entry still lets stores through. Rule: a sync asks for pins behind
 * its walk and before its copy; with one the page stays dirty. Broken: what was stored is never written.
 * mutant: sync_looks_late
 * mutant: sync_forgets_pinned
 */
#include "tests/windows/migrate.h"

static uint64_t pfn;

static void store_pinned(struct vmmap *map, uint64_t word)
{
	*(uint64_t *)physmem_frame_bytes(map->physmem, pfn) = word;
}

static struct vmmap *dirty_page(const char *policy)
{
	struct vmmap *map = window_map(policy);

	object_of(map, 1, true);
	object_at(map, BASE, 1, 0);
	expect(put_word(map, BASE, 1) == 8);
	return map;
}

/* It is written by the next sync. */
static void is_written(struct vmmap *map)
{
	expect(vmmap_object_sync(object, 0, UINT64_MAX) == 0);
	expect(pager_word(0) == 2);
	object_close(map);
}

static void behind_copy(const char *policy)
{
	struct vmmap *map = dirty_page(policy);
	struct window_thread sync = { .role = "sync", .fn = object_to_pager, .map = map };

	expect(vmmap_pin(map, BASE, PAGE, &pfn) == 0);
	window_start_to(&sync, "sync_after_copy");
	store_pinned(map, 2);
	expect(vmmap_unpin(map, &pfn, 1) == 0);
	point_release("sync", "sync_after_copy");
	window_join(&sync);
	expect(sync.result == 0);
	is_written(map);
}

static void behind_mark(const char *policy)
{
	struct vmmap *map = dirty_page(policy);
	struct window_thread sync = { .role = "sync 2", .fn = object_to_pager, .map = map };

	window_start_to(&sync, "sync_after_take");
	expect(vmmap_pin(map, BASE, PAGE, &pfn) == 0);
	point_release("sync 2", "sync_after_take");
	window_join(&sync);
	expect(sync.result == 0 && pager_word(0) == 1);
	store_pinned(map, 2);
	expect(vmmap_unpin(map, &pfn, 1) == 0);
	is_written(map);
}

static void script(const char *policy)
{
	behind_copy(policy);
	behind_mark(policy);
}

int main(void)
{
	return window_run_every(false, script);
}
