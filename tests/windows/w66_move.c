/* SPDX-License-Identifier: MIT */
/*
 * Window: a resize, or a sync, has listed where the object is mapped; mremap moves an entry to a place that is not in
 * that list.
 * Rule: the mover drops what lies beyond the end by then, and takes WRITE out of the rest, before it lets go of the
 * source, where the walk waits. Broken: a page that was cut off stays mapped; a store goes unnoticed.
 * mutant: move_no_size
 * mutant: move_keeps_write
 */
#include "tests/windows/objects.h"

#define TO (BASE + MIB)

static void move(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, BASE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, TO);
}

/* `who` has its list when the move begins. */
static void move_past(struct vmmap *map, struct window_thread *who)
{
	struct window_thread mover = { .role = "move", .fn = move, .map = map };

	expect(point_stop(who->role, "rmap_after_pin", NULL, NULL) == 0);
	window_start(who);
	expect(point_wait_reached(who->role, "rmap_after_pin", SOON));
	window_start(&mover);
	window_join(&mover);
	point_release(who->role, "rmap_after_pin");
	window_join(who);
	expect(mover.result == (int64_t)TO && who->result == 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = TO + PAGE };
	struct window_thread sync = { .role = "sync", .fn = object_to_pager };
	struct window_thread resize = { .role = "resize", .fn = object_to_size, .len = PAGE };

	object_of(map, 2, true);
	object_at(map, BASE, 2, 0);
	expect(put_word(map, BASE, 1) == 8);
	move_past(map, &sync);
	expect(put_word(map, TO, 2) == 8);
	expect(vmmap_object_sync(object, 0, UINT64_MAX) == 0);
	expect(pager_word(0) == 2);
	expect(vmmap_munmap(map, TO, 2 * PAGE) == 0);
	object_at(map, BASE, 2, 0);
	expect(put_word(map, BASE + PAGE, 3) == 8);
	move_past(map, &resize);
	window_fault(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "range-tree", "pt-lock", NULL },
			  script);
}
