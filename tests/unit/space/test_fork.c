/* SPDX-License-Identifier: MIT */
/*
 * test_fork.c - what a fork's child is, and what the two still have to do with each other: one thread, every policy.
 * mutant: share_keeps_write
 * mutant: share_uncounted
 * mutant: protect_unshares
 * mutant: fault_takes_over
 */
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

static void put(struct vmmap *map, uint64_t page, uint64_t word)
{
	assert_int_equal(vmmap_write(map, BASE + page * PAGE, &word, sizeof word), sizeof word);
}

static uint64_t get(struct vmmap *map, uint64_t page)
{
	uint64_t word = ~UINT64_C(0);

	assert_int_equal(vmmap_read(map, BASE + page * PAGE, &word, sizeof word), sizeof word);
	return word;
}

static uint64_t entry_of(struct vmmap *map, uint64_t page)
{
	struct thread_slot *self = thread_self();
	atomic_u64 *entry;
	uint64_t value;

	rcu_enter(self);
	entry = pt_find(&map->pt, BASE + page * PAGE);
	value = entry ? atomic_load_relaxed(entry) : 0;
	rcu_leave(self);
	return value;
}

/* Entries that show the frame of this page. */
static unsigned shown(struct vmmap *map, uint64_t page)
{
	return frame_counts(map->physmem, pt_pfn(entry_of(map, page))).maps;
}

static void test_contents(void **state)
{
	struct vmmap *map = maps_new(*state), *child;
	struct vmmap_counters counters;

	maps_fixed(map, 0, 8, RW, ANON);
	put(map, 1, 11), put(map, 2, 12), put(map, 3, 13);
	assert_int_equal(get(map, 4), 0);                /* the zero page */
	child = maps_fork(map);
	maps_are(child, "0-8rw");
	for (uint64_t page = 0; page < 8; page++)
		assert_int_equal(get(child, page), page >= 1 && page <= 3 ? 10 + page : 0);
	put(child, 1, 21), put(map, 2, 22), put(child, 5, 25), put(map, 4, 24);
	assert_int_equal(get(map, 1), 11);
	assert_int_equal(get(child, 1), 21);
	assert_int_equal(get(map, 2), 22);
	assert_int_equal(get(child, 2), 12);
	assert_int_equal(get(map, 5), 0);
	assert_int_equal(get(child, 4), 0);
	assert_int_equal(get(child, 3), 13);
	vmmap_get_counters(map, &counters);
	assert_int_equal(counters.forks, 1);
	maps_child_ends(child);
	assert_int_equal(get(map, 3), 13);
	maps_free(map);
}

static void test_counts(void **state)
{
	struct vmmap *map = maps_new(*state), *child, *third;
	struct vmmap_fault_info info;
	uint64_t pfn;

	maps_fixed(map, 0, 4, RW, ANON);
	put(map, 0, 1), put(map, 1, 2);
	pfn = pt_pfn(entry_of(map, 0));
	assert_int_equal(shown(map, 0), 1);
	assert_false(entry_of(map, 0) & PT_SHARED);
	child = maps_fork(map);
	third = maps_fork(child);
	assert_int_equal(shown(map, 0), 3);
	assert_int_equal(entry_of(map, 0) & (PT_SHARED | PT_WRITE), PT_SHARED);
	assert_int_equal(pt_pfn(entry_of(third, 0)), pfn);
	put(child, 0, 3);                                /* a copy */
	assert_int_not_equal(pt_pfn(entry_of(child, 0)), pfn);
	assert_int_equal(shown(child, 0), 1);
	assert_int_equal(shown(map, 0), 2);
	maps_unmap(third, 0, 1);
	assert_int_equal(shown(map, 0), 1);
	assert_true(entry_of(map, 0) & PT_SHARED);
	assert_int_equal(vmmap_fault(map, BASE, PROT_WRITE, &info), 0);         /* the last one: taken over */
	assert_int_equal(info.how, VMMAP_COW);
	assert_int_equal(info.pfn, pfn);
	assert_int_equal(entry_of(map, 0) & (PT_SHARED | PT_WRITE), PT_WRITE);
	assert_int_equal(get(map, 0), 1);
	assert_int_equal(shown(map, 1), 3);
	maps_child_ends(child);
	assert_int_equal(shown(map, 1), 2);
	maps_child_ends(third);
	assert_int_equal(shown(map, 1), 1);
	maps_free(map);
}

/* What may be stored to is not what mprotect says, as long as it is shared. */
static void test_protect(void **state)
{
	struct vmmap *map = maps_new(*state), *child;

	maps_fixed(map, 0, 2, RW, ANON);
	put(map, 0, 1), put(map, 1, 2);
	child = maps_fork(map);
	assert_int_equal(maps_protect(map, 0, 2, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 0, 2, RW), 0);
	assert_int_equal(maps_protect(child, 0, 1, PROT_READ), 0);
	put(map, 0, 5);
	assert_int_equal(get(child, 0), 1);
	assert_int_equal(maps_protect(child, 0, 1, RW), 0);
	put(child, 0, 6);
	assert_int_equal(get(map, 0), 5);
	maps_are(child, "0-2rw");                        /* one group, in the child too */
	maps_child_ends(child);
	maps_free(map);
}

/* A shared page moves, is dropped, and is forked again. */
static void test_moves(void **state)
{
	struct vmmap *map = maps_new(*state), *child, *third;

	maps_fixed(map, 0, 2, RW, ANON);
	put(map, 0, 1), put(map, 1, 2);
	child = maps_fork(map);
	assert_int_equal(vmmap_mremap(child, BASE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 10 * PAGE),
			 BASE + 10 * PAGE);
	assert_int_equal(get(child, 10), 1);
	assert_int_equal(shown(child, 10), 2);
	third = maps_fork(child);
	put(child, 10, 7);
	assert_int_equal(get(third, 10), 1);
	assert_int_equal(shown(third, 10), 2);
	assert_int_equal(vmmap_madvise(third, BASE + 10 * PAGE, 2 * PAGE, MADV_DONTNEED), 0);
	assert_int_equal(get(third, 10), 0);
	assert_int_equal(shown(map, 0), 1);
	assert_int_equal(shown(map, 1), 2);
	maps_child_ends(third);
	maps_child_ends(child);
	maps_free(map);
}

static void test_advices(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap_vma vma;
	struct vmmap *map, *child;

	config.brk_start = BASE + 100 * PAGE;
	map = maps_limited(*state, config);
	assert_int_equal(vmmap_brk(map, BASE + 103 * PAGE + 5), BASE + 103 * PAGE + 5);
	maps_fixed(map, 0, 4, RW, ANON);
	for (uint64_t page = 0; page < 4; page++)
		put(map, page, page + 1);
	assert_int_equal(vmmap_madvise(map, BASE, PAGE, MADV_DONTFORK), 0);
	assert_int_equal(vmmap_madvise(map, BASE + PAGE, PAGE, MADV_WIPEONFORK), 0);
	assert_int_equal(vmmap_mlock(map, BASE + 2 * PAGE, PAGE, 0), 0);
	maps_fixed(map, 500, 2, RW, NORES | MAP_GROWSDOWN);
	child = maps_fork(map);
	maps_are(child, "1-2rw 2-4rw 100-104rw 500-502rw");        /* what the lock kept apart is one */
	assert_int_equal(get(child, 1), 0);
	assert_int_equal(get(child, 2), 3);
	assert_int_equal(vmmap_query(child, BASE + PAGE, &vma), 0);
	assert_int_equal(vma.advice, VMMAP_WIPEONFORK);
	assert_int_equal(vmmap_query(child, BASE + 2 * PAGE, &vma), 0);
	assert_int_equal(vma.locked, 0);
	assert_int_equal(vmmap_fault(child, BASE, PROT_READ, NULL), -EFAULT);
	assert_int_equal(vmmap_brk(child, 0), BASE + 103 * PAGE + 5);
	assert_int_equal(vmmap_brk(child, BASE + 110 * PAGE), BASE + 110 * PAGE);
	assert_int_equal(vmmap_brk(map, 0), BASE + 103 * PAGE + 5);
	put(child, 499, 1);                              /* a stack is one in the child, too */
	maps_are(child, "1-2rw 2-4rw 100-110rw 499-502rw");
	assert_int_equal(get(map, 0), 1);
	maps_child_ends(child);
	maps_free(map);
}

static void test_objects(void **state)
{
	struct vmmap *map = maps_new(*state), *child;
	struct vmmap_object *file;

	assert_int_equal(vmmap_object_create(&file, maps_memory, "file", 4 * PAGE, NULL), 0);
	vmmap_mmap(map, BASE, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
	vmmap_mmap(map, BASE + 10 * PAGE, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0);
	maps_protect(map, 12, 1, PROT_READ);             /* several VMAs of one mapping */
	put(map, 0, 1), put(map, 3, 4), put(map, 10, 11), put(map, 13, 14);
	child = maps_fork(map);
	maps_are(child, "0-4rwso0 10-12rwo0 12-13ro2 13-14rwo3");
	put(child, 1, 2);
	assert_int_equal(get(map, 1), 2);
	assert_int_equal(get(child, 11), 2);             /* the file's page */
	assert_int_equal(get(child, 10), 11);
	put(child, 10, 21);
	assert_int_equal(get(map, 10), 11);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(vmmap_object_resize(file, 2 * PAGE), 0);        /* private copies too, in both */
	assert_int_equal(vmmap_fault(child, BASE + 13 * PAGE, PROT_READ, NULL), -EFAULT);
	assert_int_equal(vmmap_fault(map, BASE + 13 * PAGE, PROT_READ, NULL), -EFAULT);
	assert_int_equal(get(child, 10), 21);
	vmmap_destroy(map);
	assert_int_equal(get(child, 0), 1);
	vmmap_object_put(file);
	maps_free(child);
}

/* Whoever made shared memory pays for it, as long as it lives. */
static void test_limits(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map, *child;
	struct vmmap_usage usage;

	config.limit_vmas = 8;
	config.limit_commit = 20;
	config.limit_as = 40 * PAGE;
	config.limit_locked = 4 * PAGE;
	map = maps_limited(*state, config);
	maps_fixed(map, 0, 4, RW, ANON);
	maps_fixed(map, 4, 2, RW, MAP_SHARED | MAP_ANONYMOUS);
	maps_fixed(map, 10, 2, PROT_READ, ANON);
	put(map, 0, 1), put(map, 4, 2);
	assert_int_equal(vmmap_mlock(map, BASE, 4 * PAGE, 0), 0);
	child = maps_fork(map);
	vmmap_get_usage(child, &usage);
	assert_int_equal(usage.vmas, 3);
	assert_int_equal(usage.committed_pages, 4);
	assert_int_equal(usage.locked_bytes, 0);
	vmmap_get_usage(map, &usage);
	assert_int_equal(usage.committed_pages, 6);
	assert_int_equal(vmmap_audit(child, stderr), 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(maps_fixed(child, 20, 17, RW, ANON), -ENOMEM);
	assert_true(maps_fixed(child, 20, 16, RW, ANON) > 0);
	maps_unmap(map, 4, 2);
	assert_int_equal(get(child, 4), 2);
	vmmap_get_usage(map, &usage);
	assert_int_equal(usage.committed_pages, 6);
	maps_unmap(child, 4, 2);                         /* the last one: the payer gets it back */
	vmmap_get_usage(map, &usage);
	assert_int_equal(usage.committed_pages, 4);
	maps_fixed(map, 4, 2, RW, MAP_SHARED | MAP_ANONYMOUS);
	put(map, 4, 9);
	vmmap_destroy(child);
	child = maps_fork(map);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);                              /* the payer goes first */
	assert_int_equal(get(child, 4), 9);
	maps_unmap(child, 4, 2);
	maps_free(child);
}

/* The physmem of a map's own goes with the last of the family. */
static void test_family(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map, *child, *third;

	config.policy = *state;
	assert_int_equal(vmmap_create(&map, &config), 0);
	maps_fixed(map, 0, 600, RW, ANON);
	assert_int_equal(vmmap_madvise(map, BASE, 600 * PAGE, MADV_POPULATE_WRITE), 0);
	child = maps_fork(map);
	vmmap_destroy(map);
	third = maps_fork(child);
	maps_child_ends(child);
	assert_int_equal(shown(third, 599), 1);
	assert_int_equal(maps_touch(third, 599), 0);
	maps_child_ends(third);
}

/* Many VMAs, in many leaves; those of a fork are one to one. */
static int compare_next(const struct vmmap_vma *vma, void *arg)
{
	struct vmmap_vma other;

	assert_int_equal(vmmap_query(arg, vma->start, &other), 0);
	assert_memory_equal(vma, &other, sizeof other);
	return 0;
}

static void test_many(void **state)
{
	struct vmmap *map = maps_new(*state), *child;

	for (uint64_t i = 0; i < 2000; i++)
		maps_fixed(map, 5 * i, 1 + i % 5, i % 3 ? RW : PROT_READ, NORES);
	maps_fixed(map, 20000, 100000, RW, NORES);       /* in several leaves, once there is something beyond */
	for (uint64_t i = 0; i < 2000; i++)
		maps_protect(map, 20000 + 40 * i, 1, PROT_READ);
	for (uint64_t i = 0; i < 2000; i += 7)
		put(map, 20001 + 40 * i, i);
	child = maps_fork(map);
	vmmap_walk(map, 0, UINT64_MAX, compare_next, child);
	vmmap_walk(child, 0, UINT64_MAX, compare_next, map);
	for (uint64_t i = 0; i < 2000; i += 7)
		assert_int_equal(get(child, 20001 + 40 * i), i);
	maps_unmap(map, 20000, 100000);
	maps_child_ends(map);
	maps_free(child);
}

static void test_refused(void **state)
{
	struct vmmap *map = maps_new(*state), *child = NULL;
	struct vmmap_held held;

	assert_int_equal(vmmap_fork(NULL, map), -EINVAL);
	maps_fixed(map, 0, 4, RW, ANON);
	assert_int_equal(vmmap_hold(map, BASE, PAGE, &held), 0);
	assert_int_equal(vmmap_fork(&child, map), -EDEADLK);
	vmmap_release(map, &held);
	assert_null(child);
	assert_int_equal(vmmap_fork_until(&child, map, VMMAP_TRY), 0);
	maps_are(child, "0-4rw");
	maps_child_ends(child);
	maps_free(map);
}

/* The audit of a map whose forks are gone: a frame of a page counts that one entry. */
static void test_audit_counts(void **state)
{
	struct vmmap *map = maps_new(*state), *child;

	maps_fixed(map, 0, 2, RW, ANON);
	put(map, 0, 1);
	child = maps_fork(map);
	assert_int_equal(shown(map, 0), 2);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(child);
	assert_int_equal(shown(map, 0), 1);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	frame_share(map->physmem, pt_pfn(entry_of(map, 0)), 1, 1);               /* of nobody */
	assert_int_equal(vmmap_audit(map, NULL), 1);
	assert_false(frame_drop(map->physmem, pt_pfn(entry_of(map, 0)), true));
	assert_int_equal(vmmap_audit(map, stderr), 0);
	maps_free(map);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_contents), cmocka_unit_test(test_counts), cmocka_unit_test(test_protect),
	cmocka_unit_test(test_moves), cmocka_unit_test(test_advices), cmocka_unit_test(test_objects),
	cmocka_unit_test(test_limits), cmocka_unit_test(test_family), cmocka_unit_test(test_many),
	cmocka_unit_test(test_refused), cmocka_unit_test(test_audit_counts),
};

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	int bad = 0;

	if (point_mutant_select(mutant && *mutant ? mutant : NULL))
		return 99;
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		bad += maps_run(vmmap_policy_name(p), tests);
	return bad;
}
