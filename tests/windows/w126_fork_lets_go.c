/* SPDX-License-Identifier: MIT */
/*
 * Window: a fork has copied a large VMA, and goes on with the next ones. A store to the first has waited for it from
 * the beginning; another one comes now; an unmap of the last waits. Rule: what the fork has done goes free, and who
 * waits there is woken; what it has not come to stays held. Broken: the stores wait for the fork's end (one that queues
 * between the sweep and the closing of the queue, too), or the child lacks what was unmapped after its instant.
 * mutant: part_gives_all
 * mutant: part_opens_early
 * mutant: part_wakes_nobody
 */
#include "tests/windows/fork.h"

#define LARGE 1100                               /* pages: more work than the fork does in one go                  */
#define LAST  (BASE + 2 * LARGE * PAGE)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fork = { .role = "fork", .fn = window_fork, .map = map };
	struct window_thread early = { .role = "early", .fn = window_write, .map = map, .addr = BASE, .bytes = 5 };
	struct window_thread late = { .role = "late", .fn = window_write, .map = map, .addr = BASE + PAGE, .bytes = 6 };
	struct window_thread between = { .role = "between", .fn = window_munmap, .map = map, .addr = BASE + 9 * PAGE,
					 .len = PAGE };
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = LAST, .len = PAGE };

	expect(vmmap_mmap(map, BASE, LARGE * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_mmap(map, LAST, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)LAST);
	for (uint64_t i = 0; i < LARGE; i++)
		expect(put_word(map, BASE + i * PAGE, i + 1) > 0);
	expect(put_word(map, LAST, 9) > 0);
	expect(vmmap_madvise(map, BASE, 2 * PAGE, MADV_DONTNEED) == 0);
	window_start_to(&fork, "fork_before_vma");
	window_start_to(&early, "waiter_before_sleep");
	point_release("early", "waiter_before_sleep");
	expect(point_stop("fork", "part_before_sweep", NULL, NULL) == 0);
	point_release("fork", "fork_before_vma");
	expect(point_wait_reached("fork", "part_before_sweep", SOON));
	window_start(&between);
	window_start(&unmap);
	(void)window_done_within(&between, 50);
	expect(point_stop("fork", "fork_let_go", NULL, NULL) == 0);
	point_release("fork", "part_before_sweep");
	expect(point_wait_reached("fork", "fork_let_go", SOON));
	window_start(&late);
	window_join(&late);
	window_join(&early);
	window_join(&between);
	expect(!window_done_within(&unmap, 50));
	point_release("fork", "fork_let_go");
	window_join(&fork);
	window_join(&unmap);
	expect(fork.result == 0 && early.result > 0 && late.result > 0 && between.result == 0 && unmap.result == 0);
	expect(word_at(child, BASE) == 0 && word_at(child, BASE + PAGE) == 0 && word_at(child, BASE + 9 * PAGE) == 10);
	expect(word_at(child, LAST) == 9);
	fork_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", NULL }, script);
}
