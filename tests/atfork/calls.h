/* SPDX-License-Identifier: MIT */
/*
 * calls.h - maps for the tests of fork: one with known contents, a set of calls that goes through all of them, and
 * threads that churn. The public face only: it serves programs with one copy of the library and with two.
 */
#ifndef TESTS_ATFORK_CALLS_H
#define TESTS_ATFORK_CALLS_H

#include <string.h>
#include <sys/mman.h>

#include "tests/unit/base/child.h"
#include "tests/unit/base/crew.h"
#include "vmmap/vmmap.h"

#define PAGE UINT64_C(4096)
#define BASE UINT64_C(0x100000000)
#define HEAP UINT64_C(0x200000000)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

struct ground { struct vmmap *map; struct physmem *memory; const char *policy; };

/* 16 pages at BASE, the first eight say which they are; a shared object of four pages at BASE + 64 pages. */
static inline int ground_make_limited(struct ground *g, struct vmmap_config config)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_object *object;

	memory.bytes = 1;
	memory.pages = 1 << 14;
	CHILD_EXPECT(physmem_create(&g->memory, &memory) == 0);
	config.policy = g->policy;
	config.physmem = g->memory;
	config.brk_start = HEAP;
	CHILD_EXPECT(vmmap_create(&g->map, &config) == 0);
	CHILD_EXPECT(vmmap_mmap(g->map, BASE, 16 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	for (uint64_t i = 0; i < 8; i++)
		CHILD_EXPECT(vmmap_write(g->map, BASE + i * PAGE, &i, sizeof i) == sizeof i);
	CHILD_EXPECT(vmmap_object_create(&object, g->memory, "file", 4 * PAGE, NULL) == 0);
	CHILD_EXPECT(vmmap_mmap(g->map, BASE + 64 * PAGE, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, object, 0) ==
		     (int64_t)(BASE + 64 * PAGE));
	vmmap_object_put(object);
	return 0;
}

static inline int ground_make(struct ground *g)
{
	return ground_make_limited(g, (struct vmmap_config)VMMAP_CONFIG);
}

static inline int ground_holds(const struct ground *g)
{
	for (uint64_t i = 0; i < 16; i++) {
		uint64_t got = 1;

		CHILD_EXPECT(vmmap_read(g->map, BASE + i * PAGE, &got, sizeof got) == sizeof got);
		CHILD_EXPECT(got == (i < 8 ? i : 0));
	}
	return 0;
}

static inline int ground_end(struct ground *g)
{
	struct physmem_usage frames;

	CHILD_EXPECT(vmmap_audit(g->map, stderr) == 0);
	vmmap_destroy(g->map);
	physmem_get_usage(g->memory, &frames);
	CHILD_EXPECT(frames.owned == 0);
	physmem_destroy(g->memory);
	return 0;
}

static inline int count_vma(const struct vmmap_vma *vma, void *arg)
{
	(void)vma;
	++*(unsigned *)arg;
	return 0;
}

/* mmap to munmap at `at`, 256 pages, every kind of call; leaves nothing. */
static inline int calls_at(struct vmmap *map, uint64_t at)
{
	unsigned vmas = 0;
	char byte = 42;

	CHILD_EXPECT(vmmap_mmap(map, at, 128 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)at);
	for (uint64_t i = 0; i < 128; i += 3)
		CHILD_EXPECT(vmmap_fault(map, at + i * PAGE, PROT_WRITE, NULL) == 0);
	CHILD_EXPECT(vmmap_write(map, at + 5 * PAGE, &byte, 1) == 1);
	CHILD_EXPECT(vmmap_mprotect(map, at + 32 * PAGE, 32 * PAGE, PROT_READ) == 0);
	CHILD_EXPECT(vmmap_madvise(map, at, 16 * PAGE, MADV_DONTNEED) == 0);
	CHILD_EXPECT(vmmap_read(map, at + 5 * PAGE, &byte, 1) == 1 && byte == 0);
	CHILD_EXPECT(vmmap_madvise(map, at + 96 * PAGE, 16 * PAGE, MADV_DONTDUMP) == 0);
	CHILD_EXPECT(vmmap_mremap(map, at, 16 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 160 * PAGE) ==
		     (int64_t)(at + 160 * PAGE));
	CHILD_EXPECT(vmmap_walk(map, at, at + 256 * PAGE, count_vma, &vmas) == 0 && vmas >= 4);
	for (uint64_t i = 20; i < 100; i += 2)
		CHILD_EXPECT(vmmap_munmap(map, at + i * PAGE, PAGE) == 0);
	CHILD_EXPECT(vmmap_munmap(map, at, 256 * PAGE) == 0);
	return 0;
}

struct caller { struct vmmap *map; uint64_t at; atomic_u32 *stop; int failed; uint64_t rounds; };

static inline void *calls_once(void *arg)
{
	struct caller *c = arg;

	c->failed = calls_at(c->map, c->at);
	return NULL;
}

static inline void *calls_until_told(void *arg)
{
	struct caller *c = arg;

	while (!c->failed && atomic_load_relaxed(c->stop) == 0) {
		c->failed = calls_at(c->map, c->at);
		c->rounds++;
	}
	return NULL;
}

/* Every call on a map that the process had when it was forked, with threads of the child's own; then its end. */
static inline int calls_all(struct ground *g)
{
	struct caller c[2] = { { .map = g->map, .at = BASE + 4096 * PAGE },
			       { .map = g->map, .at = BASE + 8192 * PAGE } };
	bool alone = strcmp(g->policy, "none") == 0;
	struct vmmap_held held;
	uint64_t seven = 77;
	pthread_t t[2];

	CHILD_EXPECT(ground_holds(g) == 0);
	CHILD_EXPECT(vmmap_write(g->map, BASE + 7 * PAGE, &seven, sizeof seven) == sizeof seven);
	CHILD_EXPECT(vmmap_fault(g->map, BASE + 66 * PAGE, PROT_WRITE, NULL) == 0);
	CHILD_EXPECT(vmmap_brk(g->map, HEAP + 8 * PAGE) == (int64_t)(HEAP + 8 * PAGE));
	CHILD_EXPECT(vmmap_hold(g->map, BASE + 4 * PAGE, 4 * PAGE, &held) == 0);
	vmmap_release(g->map, &held);
	CHILD_EXPECT(calls_at(g->map, BASE + 1024 * PAGE) == 0);
	for (int i = 0; i < 2; i++) {
		t[i] = crew_start(calls_once, &c[i]);
		if (alone)
			crew_join(t[i]);
	}
	for (int i = 0; i < 2; i++) {
		if (!alone)
			crew_join(t[i]);
		CHILD_EXPECT(!c[i].failed);
	}
	CHILD_EXPECT(vmmap_mmap(g->map, 0, PAGE, RW, ANON, NULL, 0) > 0);
	return ground_end(g);
}

#endif
