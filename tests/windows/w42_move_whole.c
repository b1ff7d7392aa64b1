/* SPDX-License-Identifier: MIT */
/*
 * Window: a try moves two VMAs to a fixed place under one hold; between the two moves somebody looks at the gap of the
 * destination that the first move left alone.
 * Rule: the whole destination stays held until the end: where a part of a gap is replaced, its dummy is cut first.
 * Broken (and seen, docs/races.md): the rest of the gap was free, a mapping was made there, and overwritten.
 * And of the source: what goes of it (moved, or cut off as its tail) goes in one step, so no dummy goes too early.
 * mutant: cut_spares_dummies
 * mutant: remap_tail_apart
 */
#include "tests/windows/window.h"

#define TO (BASE + 100 * PAGE)

static void move(struct window_thread *t)
{
	t->result = vmmap_mremap_until(t->map, t->addr, t->len, t->len, MREMAP_MAYMOVE | MREMAP_FIXED, TO, VMMAP_TRY);
}

static void move_half(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, t->addr, t->len, t->len / 2, MREMAP_MAYMOVE | MREMAP_FIXED, TO);
}

static void target_stays_held(const char *policy)
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

/* The tail is a gap beside what is moved: of both one dummy is left. */
static void source_stays_held(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread mover = { .role = "cutter", .fn = move_half, .map = map, .addr = BASE, .len = 8 * PAGE };
	struct vmmap_fault_info info;
	int moved, tail;

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
	window_start_to(&mover, "remap_part_moved");
	moved = vmmap_fault_until(map, BASE, PROT_READ, &info, VMMAP_TRY);
	tail = vmmap_fault_until(map, BASE + 6 * PAGE, PROT_READ, &info, VMMAP_TRY);
	point_release("cutter", "remap_part_moved");
	window_join(&mover);
	expect(moved == -EAGAIN && tail == -EAGAIN);
	expect(mover.result == (int64_t)TO);
	window_close(map);
}

static void script(const char *policy)
{
	target_stays_held(policy);
	source_stays_held(policy);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "range-tree", "pt-lock", NULL }, script);
}
