/* SPDX-License-Identifier: MIT */
/*
 * Window: a release hands a part of what it held, of one VMA or of one gap, to a waiter that insists.
 * Rule: a waiter gets no more than it asked for; the rest goes free at once. Broken: the rest is held by somebody who
 * does not know, and never lets it go.
 * mutant: pass_vma_whole
 * mutant: pass_dummy_whole
 */
#include "tests/windows/insist.h"

#define LEN (16 * PAGE)

static struct gate held;

/* Someone wants two of the sixteen pages, and holds them in the end, by hand-over; `rest` looks at the others. */
static void hand_part(struct vmmap *map, void (*rest)(struct vmmap *map))
{
	struct window_thread waiter = {
		.role = "waiter", .fn = window_hold, .map = map, .addr = BASE + 4 * PAGE, .len = 2 * PAGE
	};
	struct vmmap_held all;

	insist_start(map, &waiter, &all, LEN);
	gate_at(&held, "waiter", "window_held");
	vmmap_release(map, &all);
	expect(gate_wait(&held, INSIST_SOON_MS));
	rest(map);
	gate_open(&held);
	window_join(&waiter);
	expect(waiter.result == 0);
}

static void rest_of_vma(struct vmmap *map)
{
	expect(vmmap_fault_until(map, BASE + 4 * PAGE, PROT_WRITE, NULL, VMMAP_TRY) == -EAGAIN);
	expect(vmmap_fault_until(map, BASE + 3 * PAGE, PROT_WRITE, NULL, VMMAP_TRY) == 0);
	expect(vmmap_fault_until(map, BASE + 6 * PAGE, PROT_WRITE, NULL, VMMAP_TRY) == 0);
}

static int64_t map_page(struct vmmap *map, uint64_t addr)
{
	return vmmap_mmap_until(map, addr, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, NULL, 0, VMMAP_TRY);
}

static void rest_of_gap(struct vmmap *map)
{
	expect(map_page(map, BASE + 4 * PAGE) == -EAGAIN);
	expect(map_page(map, BASE + 3 * PAGE) == (int64_t)(BASE + 3 * PAGE));
	expect(map_page(map, BASE + 6 * PAGE) == (int64_t)(BASE + 6 * PAGE));
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	expect(vmmap_mmap(map, BASE, LEN, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	hand_part(map, rest_of_vma);
	expect(vmmap_munmap(map, BASE, LEN) == 0);
	hand_part(map, rest_of_gap);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
