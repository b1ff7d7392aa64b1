/* SPDX-License-Identifier: MIT */
/*
 * Window: a load in a forked map has found its entry, and is about to copy from a shared frame; its map gives up the
 * frame; the other, alone now, stores to it in place. Rule: who loads through a shared entry looks at it again behind
 * the last word. Broken: the load shows what the other map has stored since the fork.
 * mutant: load_looks_once
 */
#include "tests/windows/fork.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread load = { .role = "load", .fn = window_load, .addr = BASE };

	expect(vmmap_fork(&child, map) == 0);
	load.map = child;
	window_start_to(&load, "access_before_load");
	expect(put_word(child, BASE, 2) > 0);            /* a copy */
	expect(put_word(map, BASE, 3) > 0);              /* in place */
	point_release("load", "access_before_load");
	window_join(&load);
	expect(load.result == sizeof load.bytes);
	expect(load.bytes == 1 || load.bytes == 2);
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
