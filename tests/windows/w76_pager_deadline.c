/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault, or a sync, with a deadline meets a page that another thread is reading or writing, or a range that
 * another holds.
 * Rules: it waits no longer than its deadline, and leaves a page that it could not sync dirty; a pager's callback has
 * no deadline but its own. Broken: what a pager calls gives up.
 * mutant: pager_keeps_deadline
 */
#include "tests/windows/objects.h"

static uint64_t seen_deadline;

static int read_and_look(void *self, uint64_t page, void *bytes)
{
	seen_deadline = thread_self()->deadline_ns;
	return pager_read(self, page, bytes);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct vmmap_pager calls = { read_and_look, pager_write, &pager };
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };
	struct window_thread sync = { .role = "sync", .fn = object_to_pager };
	struct window_thread hold = { .role = "hold", .fn = window_hold, .map = map, .addr = BASE, .len = PAGE };

	pager_init(&pager);
	expect(vmmap_object_create(&object, map->physmem, "window", 2 * PAGE, &calls) == 0);
	object_at(map, BASE, 2, 0);
	pager.stop_read = true;
	window_start(&fault);
	pager_await(&pager);
	expect(vmmap_fault_until(map, BASE, PROT_WRITE, NULL, VMMAP_TRY) == -EAGAIN);
	expect(vmmap_fault_until(map, BASE, PROT_READ, NULL, 1) == -ETIMEDOUT);
	expect(vmmap_fault_until(map, BASE + PAGE, PROT_WRITE, NULL, VMMAP_TRY) == 0);   /* asks by itself */
	expect(seen_deadline == VMMAP_FOREVER);
	pager_go(&pager);
	window_join(&fault);
	expect(put_word(map, BASE, 1) == 8);
	pager.stop_write = true;
	window_start(&sync);
	pager_await(&pager);
	expect(put_word(map, BASE, 2) == 8);
	expect(vmmap_object_sync_until(object, 0, PAGE, VMMAP_TRY) == -EAGAIN);
	expect(vmmap_msync_until(map, BASE, PAGE, MS_SYNC, 1) == -ETIMEDOUT);
	pager_go(&pager);
	window_join(&sync);
	expect(pager_word(0) == 1);
	window_start_to(&hold, "window_held");
	expect(vmmap_msync_until(map, BASE, PAGE, MS_SYNC, VMMAP_TRY) == -EAGAIN);
	expect(vmmap_object_sync_until(object, 0, PAGE, 1) == -ETIMEDOUT);
	expect(pager_word(0) == 1);
	point_release("hold", "window_held");
	window_join(&hold);
	expect(vmmap_object_sync_until(object, 0, PAGE, VMMAP_TRY) == 0);
	expect(pager_word(0) == 2);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "pt-lock", NULL }, script);
}
