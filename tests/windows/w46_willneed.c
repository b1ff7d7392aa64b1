/* SPDX-License-Identifier: MIT */
/*
 * Window: madvise(WILLNEED) over a gap that another thread holds.
 * Rule: a held gap is a gap. Broken: what stands for the hold is taken for a mapping.
 * mutant: willneed_believes_dummies
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE, .len = 4 * PAGE
	};
	int err;

	expect(point_stop("holder", "window_held", NULL, NULL) == 0);
	window_start_to(&holder, "window_held");
	err = vmmap_madvise(map, BASE, 4 * PAGE, MADV_WILLNEED);
	point_release("holder", "window_held");
	window_join(&holder);
	expect(err == -ENOMEM);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
