/* SPDX-License-Identifier: MIT */
/*
 * Window 18: mremap was proposed a place, and an mmap takes it first.
 * Rule: who holds the place looks whether it still is free. Broken: the other's mapping is replaced.
 * mutant: remap_no_still_free
 */
#include "tests/windows/window.h"

#define NEW_LEN (6 * PAGE)

/* Of a VMA that goes on above: it cannot grow in place. */
static void move(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, t->addr, t->len, NEW_LEN, MREMAP_MAYMOVE, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread mover = { .role = "mover", .fn = move, .map = map, .addr = BASE, .len = 4 * PAGE };
	uint64_t word = 42, got = 0;
	int64_t first;

	expect(vmmap_mmap(map, BASE, 8 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&mover, "remap_after_place");
	first = vmmap_mmap(map, 0, NEW_LEN, RW, ANON, NULL, 0);
	expect(first > 0 && vmmap_write(map, (uint64_t)first, &word, sizeof word) == sizeof word);
	point_release("mover", "remap_after_place");
	window_join(&mover);
	expect(mover.result + (int64_t)NEW_LEN == first);        /* topdown: just below */
	expect(vmmap_read(map, (uint64_t)first, &got, sizeof got) == sizeof got && got == word);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "range-tree", "pt-lock", NULL }, script);
}
