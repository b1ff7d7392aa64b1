/* SPDX-License-Identifier: MIT */
/*
 * Window: a thread holds a range (vmmap_hold). Another one has a lock that comes before ranges (the break's, an
 * object's for resizes, the mark of a page that is written), and waits for that range. The first asks for that lock.
 * Rule: who holds a range does not wait for such a lock: -EDEADLK. Broken: they wait for each other.
 * mutant: brk_waits_holding
 * mutant: resize_waits_holding
 * mutant: sync_waits_holding
 */
#include "tests/windows/objects.h"

static void hold_and_ask(struct window_thread *t, int64_t (*ask)(struct window_thread *t))
{
	struct vmmap_held held;

	expect(vmmap_hold(t->map, t->addr, t->len, &held) == 0);
	BASE_POINT(holder_asks);
	t->result = ask(t);
	vmmap_release(t->map, &held);
}

static int64_t ask_brk(struct window_thread *t) { return vmmap_brk(t->map, t->bytes); }
static int64_t ask_size(struct window_thread *t) { (void)t; return vmmap_object_resize(object, 3 * PAGE); }
static int64_t ask_sync(struct window_thread *t) { (void)t; return vmmap_object_sync(object, 0, UINT64_MAX); }

static void holds_asks_brk(struct window_thread *t) { hold_and_ask(t, ask_brk); }
static void holds_asks_size(struct window_thread *t) { hold_and_ask(t, ask_size); }
static void holds_asks_sync(struct window_thread *t) { hold_and_ask(t, ask_sync); }
static void asks_brk(struct window_thread *t) { t->result = ask_brk(t); }

/* A role for each part of the script: a point knows who has passed. */
static const char *const holders[] = { "holder of heap", "holder below", "holder of cut", "holder of page" };
static const char *const others[] = { "other of heap", "other below", "other of cut", "other of page" };

/* The holder holds, the other one has come to `there`, where it has the lock; then the holder asks. */
static int64_t holder_gets(struct window_thread *holder, struct window_thread *other, unsigned part, const char *there)
{
	holder->role = holders[part];
	other->role = others[part];
	window_start_to(holder, "holder_asks");
	window_start_to(other, there);
	point_release(other->role, there);
	window_done_within(other, 10);                   /* it waits for the range now, unless it need not         */
	point_release(holder->role, "holder_asks");
	expect(window_done_within(holder, 5000));
	window_join(holder);
	window_join(other);
	return holder->result;
}

/* The holder's page is in the heap (the other's brk is to take it away), or below, where only a global lock makes the
 * other one wait. */
static void brk_beside(const char *policy, unsigned part, uint64_t at)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = { .fn = holds_asks_brk, .map = map, .addr = at, .len = PAGE,
					.bytes = BASE + 9 * PAGE };
	struct window_thread other = { .fn = asks_brk, .map = map, .bytes = BASE + PAGE };
	int64_t got;

	map->brk_start = BASE;                           /* the ready-made map has no such area                    */
	atomic_store_relaxed(&map->brk, BASE);
	expect(vmmap_brk(map, BASE + 8 * PAGE) == (int64_t)(BASE + 8 * PAGE));
	got = holder_gets(&holder, &other, part, "brk_after_now");
	expect(got == -EDEADLK || (at < BASE && got == (int64_t)(BASE + 9 * PAGE)));
	expect(other.result == (int64_t)(BASE + PAGE));
	window_close(map);
}

static void object_beside(const char *policy, unsigned part, void (*ask)(struct window_thread *),
			  void (*other_fn)(struct window_thread *), const char *there)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = { .fn = ask, .map = map, .addr = BASE + 3 * PAGE, .len = PAGE };
	struct window_thread other = { .fn = other_fn, .len = 2 * PAGE };

	object_of(map, 4, true);
	object_at(map, BASE, 4, 0);
	expect(put_word(map, BASE + 3 * PAGE, 1) == 8);
	expect(holder_gets(&holder, &other, part, there) == -EDEADLK);
	expect(other.result == 0);
	object_close(map);
}

static void script(const char *policy)
{
	brk_beside(policy, 0, BASE + 4 * PAGE);
	brk_beside(policy, 1, BASE - 4 * PAGE);
	object_beside(policy, 2, holds_asks_size, object_to_size, "resize_after_size");
	object_beside(policy, 3, holds_asks_sync, object_to_pager, "sync_after_take");
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwlock", "rwsem", "pervma", "checked",
						  "range-tree", "pt-lock", NULL }, script);
}
