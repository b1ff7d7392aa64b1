/* SPDX-License-Identifier: MIT */
/*
 * Window (pt-lock): a fault has come to a table, or waits for its lock; a munmap that holds it, and the one above,
 * unlinks it. Then the place is mapped anew.
 * Rule: the table is a stray before it is retired: who asks for its lock, or waits for it, starts again from the root.
 * Broken: the fault works under the lock of a table that nobody else comes by; or is never woken.
 * mutant: table_stray_unseen
 * mutant: table_stray_silent
 */
#include "tests/windows/window.h"

#define SPAN (2 * MIB)

static void again(struct vmmap *map)
{
	expect(vmmap_mmap(map, BASE, 4 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
}

/* Between its descent and the lock. */
static void unlinked_before_lock(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread unmap = { .role = "second", .fn = window_munmap, .map = map, .addr = BASE, .len = PAGE };

	again(map);
	expect(vmmap_fault(map, BASE, PROT_WRITE, NULL) == 0);           /* the table is there                     */
	expect(point_stop("fault", "fault_before_cas", NULL, NULL) == 0);
	window_start_to(&fault, "table_after_descent");
	expect(vmmap_munmap(map, BASE, 4 * MIB) == 0);                   /* now it is a stray                      */
	again(map);
	point_release("fault", "table_after_descent");
	expect(point_wait_reached("fault", "fault_before_cas", UINT64_C(5000000000)));
	window_start(&unmap);                                            /* wants another page of the same table   */
	expect(!window_done_within(&unmap, 60));
	point_release("fault", "fault_before_cas");
	window_join(&fault);
	window_join(&unmap);
	expect(fault.result == 0 && unmap.result == 0);
	window_close(map);
}

/* In the queue. */
static void unlinked_under_a_waiter(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread waits = { .role = "waits", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = 4 * MIB };

	again(map);
	expect(vmmap_fault(map, BASE, PROT_WRITE, NULL) == 0);
	window_start_to(&unmap, "pt_free_before_unlink");
	window_start_to(&waits, "table_before_sleep");
	point_release("waits", "table_before_sleep");
	window_done_within(&waits, 10);
	point_release("unmap", "pt_free_before_unlink");
	window_join(&unmap);
	expect(window_done_within(&waits, 5000));
	window_join(&waits);
	expect(unmap.result == 0 && waits.result == -EFAULT && waits.info.code == VMMAP_MAPERR);
	window_close(map);
}

static void script(const char *policy)
{
	unlinked_before_lock(policy);
	unlinked_under_a_waiter(policy);
}

int main(void)
{
	return window_run((const char *const[]){ "pt-lock", NULL }, script);
}
