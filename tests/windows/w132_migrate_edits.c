/* SPDX-License-Identifier: MIT */
/*
 * Window: a frame moves, its entry is LOCKED; an unmap, an mprotect, a move by mremap come by. Rule: they wait for the
 * entry, and what they do they do to the new frame. (They wait for LOCKED entries of faults by the same loads.)
 * mutant: zap_skips_locked
 */
#include "tests/windows/migrate.h"

static void unmap(struct window_thread *t) { t->result = vmmap_munmap(t->map, t->addr, PAGE); }
static void protect(struct window_thread *t) { t->result = vmmap_mprotect(t->map, t->addr, PAGE, PROT_READ); }
static void move(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, t->addr, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, t->addr + 8 * PAGE);
}

struct roles { const char *mover, *edit; };

static struct vmmap *beside(const char *policy, struct roles who, void (*edit)(struct window_thread *t), int64_t result)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread mover = { .role = who.mover, .fn = window_migrate, .map = map, .addr = BASE };
	struct window_thread other = { .role = who.edit, .fn = edit, .map = map, .addr = BASE };

	window_start_to(&mover, "migrate_locked");
	window_start_to(&other, "pt_settled_waits");
	point_release(who.mover, "migrate_locked");
	point_release(who.edit, "pt_settled_waits");
	window_join(&mover);
	window_join(&other);
	expect(mover.result == FRAME_MOVED);
	expect(other.result == result);
	return map;
}

static void script(const char *policy)
{
	struct vmmap *map = beside(policy, (struct roles){ "mover", "unmap" }, unmap, 0);

	expect(frames_owned(map) == 0);
	window_close(map);
	map = beside(policy, (struct roles){ "mover 2", "protect" }, protect, 0);
	expect(put_word(map, BASE, 5) == -EFAULT && word_at(map, BASE) == 1);
	window_close(map);
	map = beside(policy, (struct roles){ "mover 3", "move" }, move, (int64_t)(BASE + 8 * PAGE));
	expect(word_at(map, BASE + 8 * PAGE) == 1);
	window_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
