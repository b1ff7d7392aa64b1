/* SPDX-License-Identifier: MIT */
/*
 * Window: a sync is in write_page for a page that a resize cuts off.
 * Rule: the page goes, its mark stays until the write has ended, and the resize waits for that. Broken: it returns, the
 * caller shortens the pager's file, and the late write makes it long again.
 * mutant: cut_no_wait
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread sync = { .role = "sync", .fn = object_to_pager };
	struct window_thread resize = { .role = "resize", .fn = object_to_size, .len = PAGE };
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };

	object_of(map, 2, true);
	object_at(map, BASE, 2, 0);
	expect(put_word(map, BASE + PAGE, 1) == 8);
	pager.stop_write = true;
	window_start(&sync);
	pager_await(&pager);
	window_start_to(&resize, "object_before_wait");
	window_fault(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	point_release("resize", "object_before_wait");
	expect(!window_done_within(&resize, 100));       /* it cannot, as long as the write is under way */
	pager_go(&pager);
	window_join(&sync);
	window_join(&resize);
	expect(sync.result == 0 && resize.result == 0);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "pt-lock", NULL }, script);
}
