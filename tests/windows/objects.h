/* SPDX-License-Identifier: MIT */
/* objects.h - what the scripts over memory objects share: an object, resize and sync as bodies of threads. */
#ifndef TESTS_WINDOWS_OBJECTS_H
#define TESTS_WINDOWS_OBJECTS_H

#include <string.h>

#include "tests/pager.h"
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define SHARED (MAP_SHARED | MAP_FIXED)
#define SOON UINT64_C(5000000000)

static struct vmmap_object *object;
static struct pager pager;

static inline void object_of(struct vmmap *map, uint64_t pages, bool paged)
{
	struct vmmap_pager calls = pager_of(&pager);

	pager_init(&pager);
	expect(vmmap_object_create(&object, map->physmem, "window", pages * PAGE, paged ? &calls : NULL) == 0);
}

static inline void object_at(struct vmmap *map, uint64_t addr, uint64_t pages, uint64_t from)
{
	expect(vmmap_mmap(map, addr, pages * PAGE, RW, SHARED, object, from * PAGE) == (int64_t)addr);
}

/* Nothing is mapped or cached when it returns, so that window_close finds no frame in use. */
static inline void object_close(struct vmmap *map)
{
	expect(vmmap_audit(map, stderr) == 0);
	expect(vmmap_object_resize(object, 0) == 0);
	vmmap_object_put(object);
	window_close(map);
}

/* Bodies: len is the size, in bytes. */
static inline void object_to_size(struct window_thread *t) { t->result = vmmap_object_resize(object, t->len); }
static inline void object_to_pager(struct window_thread *t) { t->result = vmmap_object_sync(object, 0, UINT64_MAX); }

static inline uint64_t word_at(struct vmmap *map, uint64_t addr)
{
	uint64_t word = 0;

	expect(vmmap_read(map, addr, &word, sizeof word) == sizeof word);
	return word;
}

static inline uint64_t pager_word(uint64_t page)
{
	uint64_t word;

	memcpy(&word, pager.copy + page * PAGE, sizeof word);
	return word;
}

static inline int64_t put_word(struct vmmap *map, uint64_t addr, uint64_t word)
{
	return vmmap_write(map, addr, &word, sizeof word);
}

#endif
