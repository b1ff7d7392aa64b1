/* SPDX-License-Identifier: MIT */
/*
 * Window: two maps share a frame; both store, each finds that the other has it, too, and makes a copy; then both give
 * up their shares. Rule: of all who give one up, one is told that it was the last, and frees. Broken: nobody is.
 * mutant: frame_drop_stores
 */
#include "tests/windows/fork.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread ours = { .role = "ours", .fn = window_write, .map = map, .addr = BASE, .bytes = 5 };
	struct window_thread theirs = { .role = "theirs", .fn = window_write, .addr = BASE, .bytes = 6 };
	struct physmem_usage frames;

	expect(vmmap_fork(&child, map) == 0);
	theirs.map = child;
	window_start_to(&ours, "frame_drop_seen");
	window_start_to(&theirs, "frame_drop_seen");
	point_release("ours", "frame_drop_seen");
	window_join(&ours);
	point_release("theirs", "frame_drop_seen");
	window_join(&theirs);
	expect(ours.result == sizeof ours.bytes && theirs.result == sizeof theirs.bytes);
	expect(word_at(map, BASE) == 5 && word_at(child, BASE) == 6);
	physmem_get_usage(map->physmem, &frames);
	expect(frames.owned == 2);
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
