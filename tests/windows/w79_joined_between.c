/* SPDX-License-Identifier: MIT */
/*
 * Window: a stack grows leaf by leaf; between two of its steps the two leaves are joined.
 * Rule: what is done is not done again: it is the stack's by now, together with what it had. And dummies of two leaves
 * stay two. Broken: the stack loses what it had in the upper leaf; what is held below the growth is not held any more.
 * mutant: grow_forgets_done
 * mutant: join_joins_dummies
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"
#include "vmmap/vma/vtree_impl.h"

#define BORDER (BASE + 2 * MIB)
#define STACK  (BORDER + 4 * PAGE)

/* A stack a little above a border of leaves that may be joined. */
static struct vmmap *stack_at_border(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct vtree_section s;

	expect(vtree_split_reserve(&map->tree, thread_self(), BORDER) == 0);
	vtree_enter(&map->tree, thread_self(), BORDER, &s);
	expect(vtree_split_at(&s, vtree_page(BORDER), vtree_page(BORDER), VTREE_BORDER_CONTENDED) == 0);
	vtree_leave(&s);
	expect(vmmap_mmap(map, STACK, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) == (int64_t)STACK);
	return map;
}

static void join(struct vmmap *map)
{
	struct vtree_stats before, after;

	vtree_get_stats(&map->tree, &before);
	vtree_join_idle(&map->tree, thread_self(), (struct lock_range){ BORDER, BORDER + PAGE });
	vtree_get_stats(&map->tree, &after);
	expect(after.joins == before.joins + 1);
}

static void expect_stack(struct vmmap *map, uint64_t start)
{
	struct vmmap_vma v;

	expect(vmmap_query(map, 0, &v) == 0 && v.start == start && v.end == STACK + 4 * PAGE);
}

static void over_the_border(const char *policy)
{
	struct vmmap *map = stack_at_border(policy);
	struct window_thread grow = { .role = "over", .fn = window_fault, .map = map, .addr = BORDER - 8 * PAGE };

	window_start_to(&grow, "grow_after_leaf");
	join(map);
	point_release("over", "grow_after_leaf");
	window_join(&grow);
	expect(grow.result == 0);
	expect_stack(map, grow.addr);
	window_close(map);
}

static void up_to_the_border(const char *policy)
{
	struct vmmap *map = stack_at_border(policy);
	struct window_thread grow = { .role = "up to", .fn = window_fault, .map = map, .addr = BORDER };
	struct vmmap_held held;

	window_start_to(&grow, "grow_before_slots");
	join(map);
	expect(point_stop("up to", "grow_after_leaf", NULL, NULL) == 0);
	point_release("up to", "grow_before_slots");
	expect(point_wait_reached("up to", "grow_after_leaf", UINT64_C(5000000000)));
	expect(vmmap_hold_until(map, BORDER - PAGE, PAGE, &held, VMMAP_TRY) == -EAGAIN);
	point_release("up to", "grow_after_leaf");
	window_join(&grow);
	expect(grow.result == 0);
	expect_stack(map, BORDER);
	window_close(map);
}

static void script(const char *policy)
{
	over_the_border(policy);
	up_to_the_border(policy);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "vma-count", "vma", "range-tree", "pt-lock", NULL }, script);
}
