/* SPDX-License-Identifier: MIT */
/*
 * maps.h - listings as text, for tests: "0-4rw 8-9r" = VMAs in pages from BASE, protection without dashes ("n" = none),
 * then letters: s shared, o<offset in pages> for objects.
 */
#ifndef TESTS_UNIT_SPACE_MAPS_H
#define TESTS_UNIT_SPACE_MAPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmmap/vmmap.h"

#define PAGE UINT64_C(4096)
#define BASE UINT64_C(0x100000000)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define NORES (ANON | MAP_NORESERVE)
#define RW   (PROT_READ | PROT_WRITE)

static inline int maps_line(const struct vmmap_vma *v, void *arg)
{
	char *out = arg;
	size_t n = strlen(out);

	n += (size_t)sprintf(out + n, "%s%llu-%llu%s%s%s%s%s", n ? " " : "",
			     (unsigned long long)((v->start - BASE) / PAGE),
			     (unsigned long long)((v->end - BASE) / PAGE), v->prot & PROT_READ ? "r" : "",
			     v->prot & PROT_WRITE ? "w" : "", v->prot & PROT_EXEC ? "x" : "", v->prot ? "" : "n",
			     v->flags & MAP_SHARED ? "s" : "");
	if (v->object)
		sprintf(out + n, "o%llu", (unsigned long long)(v->offset / PAGE));
	return 0;
}

#define maps_are(map, expected) do { \
	static char got_[1 << 16]; \
	got_[0] = 0; \
	vmmap_walk((map), BASE, BASE + (UINT64_C(1) << 32), maps_line, got_); \
	assert_string_equal(got_, (expected)); } while (0)

static struct physmem *maps_memory;

/* A TOPDOWN map with bytes, and what else `config` says: limits, a break. */
static inline struct vmmap *maps_limited(const char *policy, struct vmmap_config config)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap *map;

	memory.bytes = 1;
	memory.pages = 1 << 14;
	assert_int_equal(physmem_create(&maps_memory, &memory), 0);
	config.policy = policy;
	config.placement = VMMAP_TOPDOWN;
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&map, &config), 0);
	return map;
}

static inline struct vmmap *maps_new(const char *policy)
{
	return maps_limited(policy, (struct vmmap_config)VMMAP_CONFIG);
}

/* Quiescent: nothing is wrong, every frame is accounted for. */
static inline void maps_free(struct vmmap *map)
{
	struct physmem_usage frames;

	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
	physmem_get_usage(maps_memory, &frames);
	assert_int_equal(frames.owned, 0);
	physmem_destroy(maps_memory);
}

static inline struct vmmap *maps_fork(struct vmmap *map)
{
	struct vmmap *child;

	assert_int_equal(vmmap_fork(&child, map), 0);
	return child;
}

static inline void maps_child_ends(struct vmmap *child)
{
	assert_int_equal(vmmap_audit(child, stderr), 0);
	vmmap_destroy(child);
}

static inline int64_t maps_fixed(struct vmmap *map, uint64_t page, uint64_t pages, int prot, int flags)
{
	return vmmap_mmap(map, BASE + page * PAGE, pages * PAGE, prot, flags | MAP_FIXED, NULL, 0);
}
static inline int maps_unmap(struct vmmap *map, uint64_t page, uint64_t pages)
{
	return vmmap_munmap(map, BASE + page * PAGE, pages * PAGE);
}
static inline int maps_protect(struct vmmap *map, uint64_t page, uint64_t pages, int prot)
{
	return vmmap_mprotect(map, BASE + page * PAGE, pages * PAGE, prot);
}
static inline int maps_touch(struct vmmap *map, uint64_t page)
{
	return vmmap_fault(map, BASE + page * PAGE, PROT_WRITE, NULL);
}

/* Runs an array of tests under a policy: the state of each is the policy's name. Returns how many failed. */
#define maps_run(policy, tests) maps_run_tests((policy), (tests), sizeof(tests) / sizeof((tests)[0]))
static inline int maps_run_tests(const char *policy, struct CMUnitTest tests[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		tests[i].initial_state = (void *)(uintptr_t)policy;
	return _cmocka_run_group_tests(policy, tests, n, NULL, NULL);
}

/* Runs them under each policy. */
#define MAPS_MAIN(tests) \
	int main(void) \
	{ \
		int bad = 0; \
		for (unsigned p = 0; vmmap_policy_name(p); p++) \
			bad += maps_run(vmmap_policy_name(p), tests); \
		return bad; \
	}

#endif
