/* SPDX-License-Identifier: MIT */
/*
 * Window: munmap under `rwsem` has taken the VMAs out and let visits in again; entries still show frames of an object
 * whose last reference went with the VMAs, and accesses still hit them.
 * Rule: what the VMAs hold is put after the zap. Broken (and seen, by reading, docs/races.md): the object is freed
 * under the entries.
 * mutant: downgrade_buries_first
 */
#include "base/rcu.h"
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define LEN (80 * PAGE)                                  /* too many pages for the brief form                      */

static uint64_t owned(struct vmmap *map)
{
	struct physmem_usage usage;

	physmem_get_usage(map->physmem, &usage);
	return usage.owned;
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = LEN };
	uint64_t word = 42, got = 0;

	expect(vmmap_mmap(map, BASE, LEN, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_write(map, BASE, &word, sizeof(word)) == sizeof(word));
	window_start_to(&unmap, "unmap_downgraded");
	rcu_drain();
	expect(owned(map) == 1);
	expect(vmmap_read(map, BASE, &got, sizeof(got)) == sizeof(got) && got == word);  /* munmap has not returned */
	point_release("unmap", "unmap_downgraded");
	window_join(&unmap);
	expect(unmap.result == 0);
	expect(vmmap_read(map, BASE, &got, sizeof(got)) == -EFAULT);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwsem", NULL }, script);
}
