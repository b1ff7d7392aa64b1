/* SPDX-License-Identifier: MIT */
/*
 * Window: a page of an object moves to another frame; between two looks at places where it may be shown, mremap carries
 * an entry from one that is still to be looked at to one that has been.
 * Rule: who moves the frame sees that entries have moved, and leaves the page alone. Broken: the entry goes on to show
 * the old frame, which is freed.
 * mutant: migrate_page_one_look
 */
#include "tests/windows/migrate.h"

#define TO (BASE + MIB)

static void remap(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, BASE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, TO);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };
	struct window_thread other = { .role = "remap", .fn = remap, .map = map };

	object_of(map, 1, false);
	object_at(map, BASE, 1, 0);
	expect(put_word(map, BASE, 1) == 8);
	expect(point_stop("remap", "remap_after_move", NULL, NULL) == 0);
	window_start_to(&other, "remap_before_move");
	window_start_to(&mover, "seek_looked");          /* the youngest hint first: where the entry is going to be */
	point_release("remap", "remap_before_move");
	expect(point_wait_reached("remap", "remap_after_move", SOON));
	point_release("mover", "seek_looked");
	window_join(&mover);
	expect(mover.result == FRAME_BUSY);
	point_release("remap", "remap_after_move");
	window_join(&other);
	expect(other.result == (int64_t)TO && word_at(map, TO) == 1);
	mover.addr = TO;
	window_migrate(&mover);
	expect(mover.result == FRAME_MOVED && word_at(map, TO) == 1 && frames_owned(map) == 1);
	object_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
