/* SPDX-License-Identifier: MIT */
/*
 * Window: a hand-over cuts a VMA at the upper end of what the releaser had, which is inside what the waiter wants; the
 * waiter goes on above, and its time is up.
 * Rule: a begin that fails heals that cut, too. Broken: two VMAs that should be one.
 * mutant: handed_notes_borders
 */
#include "tests/windows/insist.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	expect(vmmap_mmap(map, BASE, 20 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	insist_in_vain(map, BASE + 7 * PAGE, BASE + 30 * PAGE, 10 * PAGE, BASE + 25 * PAGE, vmmap_release);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", NULL }, script);
}
