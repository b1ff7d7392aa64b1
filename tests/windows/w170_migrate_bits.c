/* SPDX-License-Identifier: MIT */
/*
 * Window: a frame is to move; its entry has been read, and is not LOCKED yet. An mprotect takes the right to store
 * away; an unmap takes the page. Rule: what the mover stores are the bits that it has LOCKED, so it gives up, and can
 * come again. Broken: the page may be stored to all the same; an entry stands where nothing is mapped.
 * mutant: migrate_old_bits
 */
#include "tests/windows/migrate.h"

static struct vmmap *looked(const char *policy, const char *role, int (*edit)(struct vmmap *map))
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread mover = { .role = role, .fn = window_migrate, .map = map, .addr = BASE };

	window_start_to(&mover, "migrate_looked");
	expect(edit(map) == 0);
	point_release(role, "migrate_looked");
	window_join(&mover);
	expect(mover.result == FRAME_BUSY || mover.result == FRAME_GONE);
	return map;
}

static int protect(struct vmmap *map) { return vmmap_mprotect(map, BASE, PAGE, PROT_READ); }
static int unmap(struct vmmap *map) { return vmmap_munmap(map, BASE, PAGE); }

static void script(const char *policy)
{
	struct vmmap *map = looked(policy, "mover", protect);
	struct window_thread again = { .map = map, .addr = BASE };

	expect(put_word(map, BASE, 5) == -EFAULT && word_at(map, BASE) == 1);
	window_migrate(&again);
	expect(again.result == FRAME_MOVED && put_word(map, BASE, 5) == -EFAULT && word_at(map, BASE) == 1);
	window_close(map);
	map = looked(policy, "mover 2", unmap);
	expect(frames_owned(map) == 0);
	window_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
