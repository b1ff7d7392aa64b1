/* SPDX-License-Identifier: MIT */
/*
 * Window: MADV_DONTNEED is about to drop a page; twice an edit of its VMA comes and goes before it looks again.
 * Rule: a visit that begins again is as old as it was, and insists after two failures, whatever it is made for. Broken:
 * each try is a young one, and a stream of edits shuts it out.
 * mutant: advise_stays_young
 */
#include "tests/windows/window.h"

#define SOON UINT64_C(10000000000)

static void drop(struct window_thread *t) { t->result = vmmap_madvise(t->map, t->addr, PAGE, MADV_DONTNEED); }

/* Two visits that are not valid: it is about to be told that the page is locked, then it has found the page. */
static void edit_twice(struct vmmap *map)
{
	expect(point_wait_reached("advise", "visit_before_valid", SOON));
	expect(vmmap_munlock(map, BASE, PAGE) == 0);
	point_release("advise", "visit_before_valid");
	expect(point_wait_reached("advise", "advise_before_entry", SOON));
	expect(vmmap_mprotect(map, BASE, PAGE, PROT_READ) == 0);
	point_release("advise", "advise_before_entry");
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread advise = { .role = "advise", .fn = drop, .map = map, .addr = BASE };
	uint64_t word = 1, insisted;

	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_write(map, BASE, &word, sizeof word) == sizeof word);
	insisted = point_hits("visit_after_pin");
	expect(point_stop("advise", "visit_before_valid", NULL, NULL) == 0);
	expect(point_stop("advise", "advise_before_entry", NULL, NULL) == 0);
	window_start(&advise);
	edit_twice(map);
	window_join(&advise);
	expect(advise.result == 0);
	expect(point_hits("visit_after_pin") == insisted + 1);
	expect(vmmap_read(map, BASE, &word, sizeof word) == sizeof word && word == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", NULL }, script);
}
