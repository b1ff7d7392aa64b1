/* SPDX-License-Identifier: MIT */
/*
 * Window: a sync is in write_page; the page is stored to again, and another sync comes.
 * Rule: who meets the mark of a write waits for it. Broken: the newer copy is written first, the older one over it.
 * mutant: sync_no_wait
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread first = { .role = "first", .fn = object_to_pager };
	struct window_thread second = { .role = "second", .fn = object_to_pager };

	object_of(map, 1, true);
	object_at(map, BASE, 1, 0);
	expect(put_word(map, BASE, 1) == 8);
	pager.stop_write = true;
	window_start(&first);
	pager_await(&pager);
	expect(put_word(map, BASE, 2) == 8);
	expect(point_stop("first", "sync_before_done", "second", "object_before_wait") == 0);
	window_start(&second);
	expect(point_wait_reached("second", "object_before_wait", SOON));
	pager_go(&pager);
	window_join(&first);
	window_join(&second);
	expect(first.result == 0 && second.result == 0);
	expect(pager_word(0) == 2);
	expect(atomic_load_relaxed(&pager.twice) == 0);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "pt-lock", NULL }, script);
}
