/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault is in its pager, which will fail; the mapping is replaced meanwhile.
 * Rules: who asks a pager holds nothing, so the edit does not wait; a failure is told only if the fault, begun again,
 * finds the same page still absent. Broken: BUS where anonymous memory is.
 * mutant: fault_trusts_failure
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };

	object_of(map, 1, true);
	object_at(map, BASE, 1, 0);
	pager.stop_read = true;
	pager.fail_read = 1;
	window_start(&fault);
	pager_await(&pager);
	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	pager_go(&pager);
	window_join(&fault);
	expect(fault.result == 0 && fault.info.how == VMMAP_ANON);
	object_at(map, BASE, 1, 0);
	window_fault(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	pager.fail_read = 0;
	window_fault(&fault);
	expect(fault.result == 0);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "rwlock", "pervma", "pt-lock", NULL },
			  script);
}
