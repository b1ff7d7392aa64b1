/* SPDX-License-Identifier: MIT */
/*
 * Window: a load has found a present entry and is about to copy; the page is unmapped, and the unmapper, who touched it
 * first, maps and writes other pages. Rule: whoever else touches a page says so in its entry before it copies; such a
 * frame waits for a grace period. Broken: the load gets what was written to another page.
 * mutant: access_keeps_toucher
 * mutant: retire_at_once
 */
#include "tests/windows/window.h"

#define OTHERS 64

static void load(struct window_thread *t)
{
	t->result = vmmap_read(t->map, t->addr, &t->bytes, sizeof t->bytes);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread reader = { .role = "reader", .fn = load, .map = map, .addr = BASE };
	uint64_t ours = 42, others = 0xbad;

	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_write(map, BASE, &ours, sizeof ours) == sizeof ours);
	window_start_to(&reader, "access_before_load");
	expect(vmmap_munmap(map, BASE, PAGE) == 0);
	expect(vmmap_mmap(map, BASE + MIB, OTHERS * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + MIB));
	for (unsigned i = 0; i < OTHERS; i++)
		expect(vmmap_write(map, BASE + MIB + i * PAGE, &others, sizeof others) == sizeof others);
	point_release("reader", "access_before_load");
	window_join(&reader);
	expect(reader.result == sizeof reader.bytes && reader.bytes == ours);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked", "pt-lock",
						  NULL }, script);
}
