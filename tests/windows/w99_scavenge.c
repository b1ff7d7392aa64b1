/* SPDX-License-Identifier: MIT */
/*
 * Window: a span was found empty, and its table is to be unlinked; somebody maps memory there, and writes to it.
 * Rule: the span is held, and looked at again; what was cut at its borders is joined. Broken: the table goes with what
 * was written; a VMA stays in two.
 * mutant: scavenge_looks_once
 * mutant: scavenge_holds_nothing
 * mutant: scavenge_leaves_cuts
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define SPAN (512 * PAGE)

/* Leaves so many spans behind that a note of each of the first few is pushed out. */
static void wander(struct window_thread *t)
{
	t->result = 0;
	for (uint64_t i = 0; i < 3 * SCAVENGE_PLACES && !t->result; i++) {
		uint64_t at = t->addr + i * SPAN;

		if (vmmap_mmap(t->map, at, 2 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) != (int64_t)at ||
		    vmmap_fault(t->map, at, PROT_WRITE, NULL))
			t->result = -EIO;
		else
			t->result = vmmap_munmap(t->map, at, 2 * PAGE);
	}
}

static void settle(struct window_thread *t)
{
	int64_t at = vmmap_mmap(t->map, t->addr, 2 * PAGE, RW, ANON | MAP_FIXED, NULL, 0);

	t->result = at < 0 ? at : vmmap_write(t->map, t->addr, &t->bytes, sizeof t->bytes);
}

/* All that the wanderer does is in one table of tables, and leaves it empty: it is that one which is to be unlinked. */
static void beside(const char *policy, const char *role, const char *point, uint64_t addr)
{
	struct vmmap *map = window_map(policy);
	struct window_thread wanderer = { .role = role, .fn = wander, .map = map, .addr = BASE };
	struct window_thread settler = { .role = "settler", .fn = settle, .map = map, .addr = addr,
					 .bytes = 42 };
	uint64_t word = 0;

	window_start_to(&wanderer, point);
	window_start(&settler);
	window_done_within(&settler, 30);                /* or it waits for the span                               */
	point_release(role, point);
	window_join(&wanderer);
	window_join(&settler);
	expect(wanderer.result == 0 && settler.result == sizeof settler.bytes);
	expect(vmmap_read(map, settler.addr, &word, sizeof word) == sizeof word && word == 42);
	window_close(map);
}

static void script(const char *policy)
{
	beside(policy, "looking", "scavenge_before_hold", BASE);
	beside(policy, "cutting", "scavenge_before_hold", BASE - PAGE);  /* across a border of what is held   */
	beside(policy, "holding", "scavenge_held", BASE);
}

int main(void)
{
	return window_run_every(false, script);
}
