/* SPDX-License-Identifier: MIT */
/*
 * Window: a dirty page of a pager's object moves to another frame; somebody syncs the object, or cuts it.
 * Rule: a sync waits for the page, and finds it dirty as it was; a resize waits for the mover. Broken: the sync says
 * that all is written, and it is not; the mover shows a page beyond the object's end.
 * mutant: sync_passes_moving
 * mutant: migrate_page_any_size
 */
#include "tests/windows/migrate.h"

static uint64_t frame;                           /* of a page that is not mapped any more                          */

static void migrate_frame(struct window_thread *t)
{
	t->result = space_mover.move(t->map->physmem, thread_self(), frame, NULL);
}

static struct vmmap *dirty_page(const char *policy)
{
	struct vmmap *map = window_map(policy);

	object_of(map, 2, true);
	object_at(map, BASE, 2, 0);
	expect(put_word(map, BASE + PAGE, 7) == 8);
	frame = frame_at(map, BASE + PAGE);
	return map;
}

static void sync_beside(const char *policy)
{
	struct vmmap *map = dirty_page(policy);
	struct window_thread mover = { .role = "mover", .fn = migrate_frame, .map = map };
	struct window_thread sync = { .role = "sync", .fn = object_to_pager };

	window_start_to(&mover, "migrate_page_marked");
	window_start_to(&sync, "object_before_wait");
	point_release("mover", "migrate_page_marked");
	point_release("sync", "object_before_wait");
	window_join(&mover);
	window_join(&sync);
	expect(mover.result == FRAME_MOVED && sync.result == 0);
	expect(pager_word(1) == 7 && word_at(map, BASE + PAGE) == 7);
	object_close(map);
}

static void cut_beside(const char *policy)
{
	struct vmmap *map = dirty_page(policy);
	struct window_thread mover = { .role = "mover 2", .fn = migrate_frame, .map = map };
	struct window_thread cut = { .role = "cut", .fn = object_to_size, .len = PAGE };

	expect(vmmap_munmap(map, BASE, 2 * PAGE) == 0);  /* else it would wait for the entry                       */
	window_start_to(&mover, "migrate_page_marked");
	window_start(&cut);
	expect(!window_done_within(&cut, 50));
	point_release("mover 2", "migrate_page_marked");
	window_join(&mover);
	window_join(&cut);
	expect(mover.result == FRAME_MOVED && cut.result == 0);
	expect(frames_owned(map) == 0);
	object_close(map);
}

static void script(const char *policy)
{
	sync_beside(policy);
	cut_beside(policy);
}

int main(void)
{
	return window_run_every(false, script);
}
