/* SPDX-License-Identifier: MIT */
/*
 * Window: a try of mlock has locked its VMAs; before it has faulted them in, another thread holds the range.
 * Rule: what gives up says so only as long as it has done nothing; from here on pages are left to their first access.
 * Broken: -EAGAIN, and the memory is locked.
 * mutant: mlock_tells_late
 */
#include "tests/windows/window.h"

static void try_lock(struct window_thread *t)
{
	t->result = vmmap_mlock_until(t->map, BASE, 4 * PAGE, 0, VMMAP_TRY);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread lock = { .role = "lock", .fn = try_lock, .map = map };
	struct vmmap_usage usage;
	struct vmmap_held held;
	struct vmmap_vma v;

	expect(vmmap_mmap(map, BASE, 8 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&lock, "mlock_before_populate");
	expect(vmmap_hold(map, BASE, 2 * PAGE, &held) == 0);
	point_release("lock", "mlock_before_populate");
	window_join(&lock);
	vmmap_release(map, &held);
	expect(lock.result == 0);
	expect(vmmap_query(map, BASE, &v) == 0 && v.locked == 1 && v.end == BASE + 4 * PAGE);
	vmmap_get_usage(map, &usage);
	expect(usage.resident_pages == 0 && usage.locked_bytes == 4 * PAGE);
	expect(vmmap_mlock_until(map, BASE, 4 * PAGE, 0, VMMAP_TRY) == 0);       /* nobody about: the plain call */
	vmmap_get_usage(map, &usage);
	expect(usage.resident_pages == 4);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked", "pt-lock",
						  NULL }, script);
}
