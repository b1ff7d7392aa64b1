/* SPDX-License-Identifier: MIT */
/*
 * Window: a resize is inside a map that is being destroyed; another one comes by afterwards.
 * Rule: vmmap_destroy closes the map's gate and waits for who is inside; the gate itself stays as long as a walk has
 * pinned a hint of that map. Broken: it frees what the walk is using, or the second walk walks into what is gone, or
 * asks a gate that is gone.
 * mutant: gate_no_wait
 * mutant: gate_lets_in
 * mutant: walk_pins_no_gate
 */
#include "tests/windows/objects.h"

static void destroy(struct window_thread *t)
{
	BASE_POINT(window_destroying);
	vmmap_destroy(t->map);
}

static void script(const char *policy)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map = window_map(policy), *other;
	struct window_thread resize = { .role = "resize", .fn = object_to_size, .len = PAGE };
	struct window_thread late = { .role = "late", .fn = object_to_pager };
	struct window_thread destroyer = { .role = "destroy", .fn = destroy };
	uint64_t pinned;

	object_of(map, 2, true);
	config.policy = policy;
	config.physmem = map->physmem;
	expect(vmmap_create(&other, &config) == 0);
	object_at(other, BASE, 2, 0);
	expect(put_word(other, BASE, 7) == 8);
	expect(put_word(other, BASE + PAGE, 7) == 8);
	destroyer.map = other;
	window_start_to(&resize, "rmap_inside");
	window_start_to(&late, "rmap_after_pin");
	window_start(&destroyer);
	expect(point_wait_reached("destroy", "window_destroying", SOON));
	expect(!window_done_within(&destroyer, 100));    /* it cannot, as long as somebody is inside */
	point_release("resize", "rmap_inside");
	window_join(&resize);
	window_join(&destroyer);
	pinned = mem_bytes(MEM_MAP);
	point_release("late", "rmap_after_pin");
	expect(point_stop("late", "rmap_inside", NULL, NULL) == 0);      /* it must not come there */
	window_join(&late);
	rcu_drain();
	expect(mem_bytes(MEM_MAP) + sizeof(struct rmap_gate) == pinned);
	expect(point_timeouts() == 0);
	expect(resize.result == 0 && late.result == 0);
	expect(pager_word(0) == 7);                      /* dirty, though nobody maps it */
	object_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
