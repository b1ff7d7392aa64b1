/* SPDX-License-Identifier: MIT */
/*
 * test_list_windows.c - race windows of listings, by script, under every policy for threads.
 *
 * TWICE    A listing puts a VMA of two leaves together, twice, and takes what is equal for one instant. Its bits change
 *          between the two leaves in the first collect and in the second, and every word it looks at comes back.
 *          Rule: whoever stores bits publishes the leaves of the VMA after that. Broken (and seen, docs/races.md):
 *          half of the VMA is listed, which never stood alone.
 * UNTOLD   The same, once, and the writer is stopped where the bits are stored and no leaf tells it yet.
 * REPLACED A VMA of two leaves is replaced between the two. Rule: the double collect.
 * HELD     A range is held in the middle of a VMA and over the gap beside it. Rule: pieces of a cut that an edit has
 *          made for itself are listed as one, dummies are not.
 * STOPPED  The scanner has been stopped inside its section. Rule: no edit of what it looks at waits for it.
 *
 * mutant: vtree_bits_untold
 * mutant: vtree_list_single_collect
 * mutant: vtree_list_apart
 * mutant: vtree_list_dummies
 * mutant: list_enters_leaf
 */
#include "tests/policy/gate.h"
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define LEN     (4 * MIB)                                /* two leaves, and too much for the brief form            */
#define SOON_MS 20000

static struct gate first_leaf, next_collect, locked, unlocking;

/* ---- what the threads do ---- */

static struct vmmap_vma listed;

static void query(struct window_thread *t)
{
	t->result = vmmap_query(t->map, t->addr, &listed);
}

static bool whole(int prot)
{
	return listed.start == BASE && listed.end == BASE + LEN && (prot < 0 || listed.prot == prot);
}

static struct vmmap *two_leaves(const char *policy)
{
	struct vmmap *map = window_map(policy);

	expect(vtree_separate(&map->tree, thread_self(), BASE + LEN / 2) == 0);
	expect(vmmap_mmap(map, BASE, LEN, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	return map;
}

static void reach(struct gate *g)
{
	expect(gate_wait(g, SOON_MS));
}

/* Returns when the listing has read the first leaf. */
static void list_first_leaf(struct window_thread *list)
{
	gate_at(&first_leaf, "list", "vtree_list_first_piece");
	window_start(list);
	reach(&first_leaf);
}

/* The edit begins and ends meanwhile, though the listing has been stopped. */
static void list_around(struct window_thread *list, struct window_thread *edit)
{
	list_first_leaf(list);
	window_start(edit);
	expect(window_done_within(edit, SOON_MS));
	gate_open(&first_leaf);
	window_join(list);
	window_join(edit);
}

/* ---- TWICE ---- */

/* Three changes of the bits by one thread: R, RW, R. */
static void toggle(struct window_thread *t)
{
	t->result = vmmap_mprotect(t->map, t->addr, t->len, PROT_READ);
	t->result |= vmmap_mprotect(t->map, t->addr, t->len, RW);
	point_role("again");
	t->result |= vmmap_mprotect(t->map, t->addr, t->len, PROT_READ);
}

/* The lock word is held whenever it is looked at: by the same thread, hence the same word. */
static void twice_held(const char *policy)
{
	struct vmmap *map = two_leaves(policy);
	struct window_thread t = { .role = "toggle", .fn = toggle, .map = map, .addr = BASE, .len = LEN };
	struct window_thread list = { .role = "list", .fn = query, .map = map, .addr = BASE };

	gate_at(&locked, "toggle", "edit_after_lk");
	window_start(&t);
	reach(&locked);
	list_first_leaf(&list);                          /* RW                                                     */
	gate_at(&unlocking, "toggle", "release_before_close");
	gate_open(&locked);
	reach(&unlocking);
	gate_at(&next_collect, "list", "vtree_list_collect");
	gate_open(&first_leaf);
	reach(&next_collect);                            /* R in the second                                        */
	gate_at(&locked, "again", "edit_after_lk");
	gate_open(&unlocking);
	reach(&locked);
	gate_at(&first_leaf, "list", "vtree_list_first_piece");
	gate_open(&next_collect);
	reach(&first_leaf);                              /* RW again                                               */
	gate_at(&unlocking, "again", "release_before_close");
	gate_open(&locked);
	reach(&unlocking);
	gate_open(&first_leaf);                          /* R again                                                */
	window_join(&list);
	gate_open(&unlocking);
	window_join(&t);
	expect(list.result == 0 && t.result == 0 && whole(-1));
	window_close(map);
}

/* A global policy: the lock word of a VMA does not tell changes at all. */
static void twice_global(const char *policy)
{
	struct vmmap *map = two_leaves(policy);
	struct window_thread list = { .role = "list", .fn = query, .map = map, .addr = BASE };

	list_first_leaf(&list);
	for (unsigned collect = 0; collect < 2; collect++) {
		expect(vmmap_mprotect(map, BASE, LEN, PROT_READ) == 0);
		gate_at(&next_collect, "list", "vtree_list_collect");
		gate_open(&first_leaf);
		if (collect)
			break;
		reach(&next_collect);
		expect(vmmap_mprotect(map, BASE, LEN, RW) == 0);
		gate_at(&first_leaf, "list", "vtree_list_first_piece");
		gate_open(&next_collect);
		reach(&first_leaf);
	}
	gate_open(&next_collect);                        /* only now and then reached: nobody waits there          */
	window_join(&list);
	expect(list.result == 0 && whole(-1));
	window_close(map);
}

/* ---- UNTOLD, REPLACED, STOPPED ---- */

/* The bits have been stored, and no leaf tells it yet. */
static void untold(const char *policy)
{
	struct vmmap *map = two_leaves(policy);
	struct window_thread list = { .role = "list", .fn = query, .map = map, .addr = BASE };
	struct window_thread edit = {
		.role = "edit", .fn = window_protect_read, .map = map, .addr = BASE, .len = LEN
	};
	static struct gate stored;

	list_first_leaf(&list);
	gate_at(&stored, "edit", "change_before_tell");
	window_start(&edit);
	reach(&stored);
	gate_open(&first_leaf);
	expect(window_done_within(&list, SOON_MS));
	gate_open(&stored);
	window_join(&list);
	window_join(&edit);
	expect(list.result == 0 && edit.result == 0 && whole(PROT_READ));
	window_close(map);
}

/* All of it is replaced while the listing has read one of two leaves. */
static void replaced(const char *policy)
{
	struct vmmap *map = two_leaves(policy);
	struct window_thread list = { .role = "list", .fn = query, .map = map, .addr = BASE };
	struct window_thread edit = { .role = "edit", .fn = window_mmap_fixed, .map = map, .addr = BASE, .len = LEN };

	list_around(&list, &edit);
	expect(list.result == 0 && edit.result == (int64_t)BASE && whole(RW));
	window_close(map);
}

/* In one leaf, by the brief form: a page changes, goes, comes. */
static void small_edits(struct window_thread *t)
{
	uint64_t blocked = vmmap_blocked_self();

	t->result = vmmap_mprotect(t->map, BASE + PAGE, PAGE, PROT_READ);
	t->result |= vmmap_munmap(t->map, BASE + 2 * PAGE, PAGE);
	t->result |= vmmap_mmap(t->map, BASE + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) < 0;
	t->result |= vmmap_mprotect(t->map, BASE + PAGE, PAGE, RW);
	expect(vmmap_blocked_self() == blocked);
}

static void stopped(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread list = { .role = "list", .fn = query, .map = map, .addr = BASE };
	struct window_thread edit = { .role = "edit", .fn = small_edits, .map = map };

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	list_around(&list, &edit);
	expect(edit.result == 0 && list.result == 0 && listed.start == BASE && listed.end == BASE + 4 * PAGE);
	window_close(map);
}

/* ---- HELD ---- */

static void held(const char *policy)
{
	struct vmmap *map = two_leaves(policy);
	struct vmmap_held hold;
	struct vmmap_vma v;

	expect(vmmap_hold(map, BASE + MIB, MIB, &hold) == 0);
	expect(vmmap_query(map, BASE + MIB, &listed) == 0 && whole(RW));
	vmmap_release(map, &hold);
	expect(vmmap_hold(map, BASE + 3 * MIB, 2 * MIB, &hold) == 0);            /* over its end                   */
	expect(vmmap_query(map, BASE, &listed) == 0 && whole(RW));
	expect(vmmap_query(map, BASE + LEN, &v) == -ENOENT);
	vmmap_release(map, &hold);
	window_close(map);
}

static void script(const char *policy)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	void (*const part[])(const char *policy) = {
		lock_policy_find(policy)->caps & LOCK_CAP_DISJOINT_EDITS ? twice_held : twice_global, untold,
		replaced, held, stopped
	};

	for (unsigned i = 0; i < ARRAY_SIZE(part); i++) {
		part[i](policy);
		point_reset();
		(void)point_mutant_select(mutant);
	}
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwlock", "rwsem", "pervma", "checked", NULL },
			  script);
}
