/* SPDX-License-Identifier: MIT */
/*
 * Window 22: between the look of a fault at the stack above and its hold, the stack is replaced by another mapping.
 * Rule: what was seen before the hold is forgotten. Broken: a mapping that is no stack grows.
 * mutant: grow_trusts_look
 */
#include "tests/windows/window.h"

#define STACK (BASE + 600 * PAGE)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = STACK - 3 * PAGE };
	struct vmmap_vma v;

	expect(vmmap_mmap(map, STACK, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) == (int64_t)STACK);
	window_start_to(&fault, "grow_before_hold");
	expect(vmmap_mmap(map, STACK, 2 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)STACK);
	point_release("fault", "grow_before_hold");
	window_join(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_MAPERR && fault.info.grew == 0);
	expect(vmmap_query(map, BASE, &v) == 0 && v.start == STACK);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "pt-lock", NULL },
			  script);
}
