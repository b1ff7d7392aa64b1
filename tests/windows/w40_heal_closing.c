/* SPDX-License-Identifier: MIT */
/*
 * Window: a border is to be healed, and the holder of one of the two VMAs is on its way out: it has read its notes, but
 * its words still stand.
 * Rule: who can neither take a VMA nor leave a note looks again, a try included: nobody else will.
 * mutant: heal_tries_once
 */
#include "tests/windows/window.h"

static void map_beside(struct window_thread *t)
{
	t->result = vmmap_mmap_until(t->map, t->addr, t->len, RW, ANON | MAP_FIXED, NULL, 0, VMMAP_TRY);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE, .len = 4 * PAGE
	};
	struct window_thread beside = {
		.role = "beside", .fn = map_beside, .map = map, .addr = BASE + 4 * PAGE, .len = 4 * PAGE
	};
	struct vmmap_vma v;

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("beside", "heal_again", NULL, NULL) == 0);
	window_start_to(&holder, "release_before_sweep");
	window_start(&beside);
	while (!point_wait_reached("beside", "heal_again", UINT64_C(1000000)) && !window_done_within(&beside, 0))
		;                                                        /* done: only with the mutant */
	point_release("holder", "release_before_sweep");
	window_join(&holder);
	point_release("beside", "heal_again");
	window_join(&beside);
	expect(beside.result == (int64_t)(BASE + 4 * PAGE));
	expect(vmmap_query(map, BASE, &v) == 0 && v.end == BASE + 8 * PAGE);
	window_close(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
