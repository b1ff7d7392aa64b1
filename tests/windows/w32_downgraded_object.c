/* SPDX-License-Identifier: MIT */
/*
 * Window: munmap under `rwsem` has taken the VMAs out and let visits in again; entries still show frames of an object
 * whose last reference went with the VMAs, and accesses still hit them.
 * Rule: from there to the end of the zap is one read section, so that the object's frames wait for it. Broken (and
 * seen, by reading, docs/races.md): two sections; the object is freed under the entries.
 * mutant: downgrade_two_sections
 */
#include "base/rcu.h"
#include "tests/windows/window.h"

#define LEN (80 * PAGE)                                  /* too many pages for the brief form                      */

static void drain(struct window_thread *t)
{
	(void)t;
	rcu_drain();
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = LEN };
	struct window_thread drainer = { .role = "drainer", .fn = drain };
	uint64_t word = 42, got = 0;

	expect(vmmap_mmap(map, BASE, LEN, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_write(map, BASE, &word, sizeof(word)) == sizeof(word));
	expect(point_stop("unmap", "unmap_downgraded", NULL, NULL) == 0);
	window_start(&unmap);
	expect(point_wait_reached("unmap", "unmap_downgraded", UINT64_C(1000000000)));
	window_start(&drainer);
	expect(!window_done_within(&drainer, getenv("VMMAP_MUTANT") ? 5000 : 100));
	expect(vmmap_read(map, BASE, &got, sizeof(got)) == sizeof(got) && got == word);  /* munmap has not returned */
	point_release("unmap", "unmap_downgraded");
	window_join(&unmap);
	window_join(&drainer);
	expect(unmap.result == 0);
	expect(vmmap_read(map, BASE, &got, sizeof(got)) == -EFAULT);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwsem", NULL }, script);
}
