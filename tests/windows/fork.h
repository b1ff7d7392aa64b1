/* SPDX-License-Identifier: MIT */
/* fork.h - what the scripts over forks share: the child, words, and that nobody sees what the other stores. */
#ifndef TESTS_WINDOWS_FORK_H
#define TESTS_WINDOWS_FORK_H

#include "tests/windows/objects.h"

static struct vmmap *child;

static inline void window_fork(struct window_thread *t) { t->result = vmmap_fork(&child, t->map); }
static inline void window_load(struct window_thread *t)
{
	t->result = vmmap_read(t->map, t->addr, &t->bytes, sizeof t->bytes);
}

/* A map with one written page at BASE. */
static inline struct vmmap *fork_map(const char *policy, uint64_t word)
{
	struct vmmap *map = window_map(policy);

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(put_word(map, BASE, word) > 0);
	return map;
}

/* Its page's frame has been shared, and is not any more, but for what the entry says. */
static inline struct vmmap *fork_map_alone(const char *policy, uint64_t word)
{
	struct vmmap *map = fork_map(policy, word), *gone;

	expect(vmmap_fork(&gone, map) == 0);
	vmmap_destroy(gone);
	return map;
}

/* What one stores the other does not see; then the child goes, and the map. */
static inline void fork_close(struct vmmap *map)
{
	uint64_t childs = word_at(child, BASE), maps = word_at(map, BASE);

	expect(put_word(map, BASE, maps + 1000) > 0);
	expect(word_at(child, BASE) == childs);
	expect(put_word(child, BASE, childs + 2000) > 0);
	expect(word_at(map, BASE) == maps + 1000);
	expect(vmmap_audit(child, stderr) == 0);
	vmmap_destroy(child);
	expect(word_at(map, BASE) == maps + 1000);
	window_close(map);
}

#endif
