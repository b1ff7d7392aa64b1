/* SPDX-License-Identifier: MIT */
/*
 * Window 23: mremap of A to B against mremap of B to A; then a fault on either place while entries are on their way.
 * Rule: of two fixed places the lower is locked first, whichever is the source; both are held until all has moved.
 * Broken: one holds A and wants B, the other B and wants A (the order check tells, with -EDEADLK).
 * mutant: remap_source_first
 */
#include "tests/windows/window.h"

#define A   BASE
#define B   (BASE + 16 * MIB)
#define LEN (8 * PAGE)

static void move(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, t->addr, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, t->len);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread up = { .role = "up", .fn = move, .map = map, .addr = A, .len = B };
	struct window_thread down = { .role = "down", .fn = move, .map = map, .addr = B, .len = A };
	struct window_thread at_a = { .role = "at A", .fn = window_fault, .map = map, .addr = A };
	struct window_thread at_b = { .role = "at B", .fn = window_fault, .map = map, .addr = B };
	uint64_t one = 1, two = 2, got = 0;

	expect(vmmap_mmap(map, A, LEN, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)A);
	expect(vmmap_mmap(map, B, LEN, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)B);
	expect(vmmap_write(map, A, &one, sizeof one) == sizeof one);
	expect(vmmap_write(map, B, &two, sizeof two) == sizeof two);
	expect(point_stop("up", "remap_after_move", NULL, NULL) == 0);
	window_start_to(&up, "remap_between_locks");
	window_start(&down);
	expect(!window_done_within(&down, 30));
	point_release("up", "remap_between_locks");
	expect(point_wait_reached("up", "remap_after_move", UINT64_C(10000000000)));
	window_start(&at_a);
	window_start(&at_b);
	expect(!window_done_within(&at_a, 30) && !window_done_within(&at_b, 5));
	point_release("up", "remap_after_move");
	window_join(&up);
	window_join(&down);
	window_join(&at_a);
	window_join(&at_b);
	expect(up.result == (int64_t)B && down.result == (int64_t)A);
	expect(vmmap_read(map, A, &got, sizeof got) == sizeof got && got == one);        /* there and back         */
	expect(vmmap_read(map, B, &got, sizeof got) == -EFAULT);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked",
						  "range-tree", "pt-lock", NULL }, script);
}
