/* SPDX-License-Identifier: MIT */
/*
 * Window: a hand-over claims, for the waiter, the lower part of a VMA that goes on in the next leaf: it has cut at the
 * leaf's end, and then there is no memory for the cut below. The waiter takes the range itself, and its time is up.
 * Rule: what the failed claim has cut is noted with the waiter, which joins it. Broken: two VMAs that should be one.
 * mutant: handover_forgets_cut
 */
#include "base/site.h"
#include "base/thread.h"
#include "tests/windows/insist.h"
#include "vmmap/space/space.h"

#define TIME_NS UINT64_C(3000000000)                     /* the script takes milliseconds; a point is held for 5 s   */
#define BORDER  (BASE + 2 * MIB)

static void hold_for_a_while(struct window_thread *t)
{
	struct vmmap_held held;

	t->result = vmmap_hold_until(t->map, t->addr, t->len, &held, clock_ns() + TIME_NS);
	if (!t->result)
		vmmap_release(t->map, &held);
}

/* In the claim that the releaser makes for the waiter: the next cut finds memory, the one after it does not. */
static void refuse_second(void *arg)
{
	(void)arg;
	site_refuse_nth(2, false);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread waiter = {
		.role = "waiter", .fn = hold_for_a_while, .map = map, .addr = BORDER - 8 * PAGE, .len = 16 * PAGE
	};
	struct window_thread above = {
		.role = "above", .fn = window_hold, .map = map, .addr = BORDER + 4 * PAGE, .len = PAGE
	};
	struct vmmap_held all;

	expect(vtree_separate(&map->tree, thread_self(), BORDER) == 0);
	expect(vmmap_mmap(map, BASE, 4 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("above", "window_held", NULL, NULL) == 0);
	window_start_to(&above, "window_held");
	insist_start(map, &waiter, &all, 2 * MIB + 2 * PAGE);
	point_role("releaser");
	expect(point_call("releaser", "claim_after_extent", refuse_second, NULL) == 0);
	vmmap_release(map, &all);
	expect(site_refuse_fired());
	site_refuse_nth(0, false);
	point_role(NULL);
	window_join(&waiter);
	expect(waiter.result == -ETIMEDOUT);
	point_release("above", "window_held");
	window_join(&above);
	expect(vmmap_audit(map, stderr) == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", NULL }, script);
}
