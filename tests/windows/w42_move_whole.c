/* SPDX-License-Identifier: MIT */
/*
 * Window: a try moves two VMAs to a fixed place under one hold; between the two moves somebody looks at the gap of the
 * destination that the first move left alone.
 * Rule: the whole destination stays held until the end: where a part of a gap is replaced, its dummy is cut first.
 * Broken (and seen, docs/races.md): the rest of the gap was free, a mapping was made there, and overwritten.
 * mutant: cut_spares_dummies
 */
#include "tests/windows/window.h"

#define TO (BASE + 100 * PAGE)

static void move(struct window_thread *t)
{
	t->result = vmmap_mremap_until(t->map, t->addr, t->len, t->len, MREMAP_MAYMOVE | MREMAP_FIXED, TO, VMMAP_TRY);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread mover = { .role = "mover", .fn = move, .map = map, .addr = BASE, .len = 12 * PAGE };
	struct vmmap_fault_info info;
	int first, rest;

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
	expect(vmmap_mmap(map, BASE + 8 * PAGE, 4 * PAGE, PROT_READ, ANON | MAP_FIXED, NULL, 0) > 0);
	window_start_to(&mover, "remap_part_moved");
	first = vmmap_fault_until(map, TO, PROT_READ, &info, VMMAP_TRY);
	rest = vmmap_fault_until(map, TO + 6 * PAGE, PROT_READ, &info, VMMAP_TRY);
	point_release("mover", "remap_part_moved");
	window_join(&mover);
	expect(first == -EAGAIN && rest == -EAGAIN);
	expect(mover.result == (int64_t)TO);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
