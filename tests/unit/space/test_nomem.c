/* SPDX-License-Identifier: MIT */
/*
 * test_nomem.c - every allocation of every call fails once: the call says -ENOMEM and has changed nothing, or it did
 * without and succeeded; in both cases the map is sound, the same call succeeds afterwards, and no memory is lost.
 *
 * Each case is tried at several places of a crowded map, so that leaves are met in all states of fullness.
 */
#include "base/mem.h"
#include "tests/badargs/unchanged.h"

#define CROWD  160                               /* VMAs of two pages, read-only and writable in turns              */
#define FAILS  64                                /* no call makes that many allocations                             */
#define PLACES 9                                 /* two VMAs apart: more than a leaf has slots                      */

struct want { const char *what; int64_t (*call)(struct vmmap *map, uint64_t page); unsigned places; };

static struct vmmap_object *file, *paged;
static bool limited;                             /* the maps have limits, far away: windows and marks come in      */

static int zeros_read(void *self, uint64_t page, void *bytes)
{
	(void)self, (void)page;
	memset(bytes, 0, PAGE);
	return 0;
}

static int none_write(void *self, uint64_t page, const void *bytes)
{
	(void)self, (void)page, (void)bytes;
	return 0;
}

static void drop_objects(void)
{
	vmmap_object_put(file);
	vmmap_object_put(paged);
}

/* pages 0 .. 2 * CROWD: the crowd; 1000 .. 3000: one large VMA with some pages; 4000 .. 4008: a shared object;
 * 5000 .. 5600: one with a pager, a page of it dirty; 7600 .. 7604: a stack, crowded below (7300 .. 7580). */
static struct vmmap *crowded(const char *policy)
{
	const struct vmmap_pager pager = { zeros_read, none_write, NULL };
	struct vmmap_config config = VMMAP_CONFIG;

	if (limited) {
		config.limit_vmas = config.limit_commit = 1 << 20;
		config.limit_as = config.limit_locked = UINT64_C(1) << 40;
	}
	struct vmmap *map = maps_limited(policy, config);

	for (unsigned i = 0; i < CROWD; i++)
		assert_true(maps_fixed(map, 2 * i, 2, i % 2 ? RW : PROT_READ, NORES) > 0);
	for (unsigned i = 2; i < 2 * CROWD; i += 4)
		assert_int_equal(maps_touch(map, i), 0);
	maps_fixed(map, 1000, 2000, RW, NORES);
	for (unsigned i = 1000; i < 3000; i += 512)
		assert_int_equal(maps_touch(map, i), 0);
	for (unsigned i = 7300; i < 7580; i += 2)
		assert_true(maps_fixed(map, i, 1, PROT_NONE, NORES) > 0);
	assert_true(maps_fixed(map, 7600, 4, RW, NORES | MAP_GROWSDOWN) > 0);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "file", 8 * PAGE, NULL), 0);
	assert_true(vmmap_mmap(map, BASE + 4000 * PAGE, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) > 0);
	assert_int_equal(vmmap_object_create(&paged, maps_memory, "paged", 600 * PAGE, &pager), 0);
	assert_true(vmmap_mmap(map, BASE + 5000 * PAGE, 600 * PAGE, RW, MAP_SHARED | MAP_FIXED, paged, 0) > 0);
	assert_int_equal(maps_touch(map, 5010), 0);
	return map;
}

static int64_t fixed_free(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 500 + 3 * page, 1, RW, NORES);
}

static int64_t fixed_over(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 2 * page + 1, 2, PROT_EXEC, NORES);
}

static int64_t fixed_over_many(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 2 * page + 1, 60, PROT_EXEC, NORES);
}

static int64_t fixed_over_large(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 1100 + page, 700, PROT_READ, NORES);
}

static int64_t fixed_object(struct vmmap *map, uint64_t page)
{
	return vmmap_mmap(map, BASE + (2 * page + 1) * PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0);
}

static int64_t shared_anonymous(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 2 * page, 1, RW, MAP_SHARED | MAP_ANONYMOUS);
}

static int64_t anywhere(struct vmmap *map, uint64_t page)
{
	return vmmap_mmap(map, 0, (page + 1) * PAGE, RW, NORES, NULL, 0);
}

static int64_t within(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_mmap_within(map, BASE, BASE + 400 * PAGE, 2 * PAGE, PAGE, PAGE, RW, NORES, NULL, 0);
}

static int64_t unmap_one(struct vmmap *map, uint64_t page)
{
	return maps_unmap(map, page, 1);
}

static int64_t unmap_many(struct vmmap *map, uint64_t page)
{
	return maps_unmap(map, 2 * page + 1, 100);
}

static int64_t unmap_middle(struct vmmap *map, uint64_t page)
{
	return maps_unmap(map, 1500 + page, 1000);
}

static int64_t protect_one(struct vmmap *map, uint64_t page)
{
	return maps_protect(map, 2 * page + 1, 1, PROT_NONE);
}

static int64_t protect_middle(struct vmmap *map, uint64_t page)
{
	return maps_protect(map, 1200 + 3 * page, 1, PROT_READ);
}

static int64_t protect_many(struct vmmap *map, uint64_t page)
{
	return maps_protect(map, 2 * page + 1, 60, PROT_NONE);
}

static int64_t advise_one(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + (2 * page + 1) * PAGE, PAGE, MADV_DONTDUMP);
}

static int64_t advise_many(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + (2 * page + 1) * PAGE, 60 * PAGE, MADV_RANDOM);
}

static int64_t lock_many(struct vmmap *map, uint64_t page)
{
	return vmmap_mlock(map, BASE + (2 * page + 1) * PAGE, 60 * PAGE, MLOCK_ONFAULT);
}

static int64_t advise_drop(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + page * PAGE, 100 * PAGE, MADV_DONTNEED);
}

static int64_t populate(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + (1000 + 600 * page) * PAGE, 600 * PAGE, MADV_POPULATE_WRITE);
}

static int64_t populate_object(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + (4000 + page) * PAGE, PAGE, MADV_POPULATE_READ);
}

static int64_t remap_shrink(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1100 + page) * PAGE, 500 * PAGE, 100 * PAGE, 0, 0);
}

static int64_t remap_grow(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_mremap(map, BASE + 2999 * PAGE, PAGE, 2 * PAGE, 0, 0);
}

static int64_t remap_move(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + page) * PAGE, 600 * PAGE, 601 * PAGE, MREMAP_MAYMOVE, 0);
}

static int64_t remap_fixed(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + page) * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (2 * page + 1) * PAGE);
}

/* Sources that do not overlap. */
static int64_t remap_fixed_apart(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + 3 * page) * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (2 * page + 1) * PAGE);
}

static int64_t remap_same_length(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + page) * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (page + 1) * PAGE);
}

static int64_t remap_keep(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + page) * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
}

static int64_t remap_duplicate(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + 4000 * PAGE, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + (page + 1) * PAGE);
}

/* With a deadline: what has several steps without one is held as a whole. */
static int64_t until_drop(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise_until(map, BASE + (2 * page + 1) * PAGE, 100 * PAGE, MADV_DONTNEED, VMMAP_TRY);
}

static int64_t until_move(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap_until(map, BASE + (1023 + page) * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				  BASE + (2 * page + 1) * PAGE, VMMAP_TRY);
}

static int64_t until_cut(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap_until(map, BASE + (1023 + page) * PAGE, 9 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				  BASE + (2 * page + 1) * PAGE, VMMAP_TRY);
}

static int64_t until_cut_gap(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap_until(map, BASE + (1023 + page) * PAGE, 600 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				  BASE + (3500 + page) * PAGE, VMMAP_TRY);
}

static int64_t remap_object(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (4000 + page % 4) * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (2 * page + 1) * PAGE);
}

static int64_t grow_object(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_mremap(map, BASE + 4007 * PAGE, PAGE, 3 * PAGE, 0, 0);
}

static int64_t unmap_object(struct vmmap *map, uint64_t page)
{
	return maps_unmap(map, 4002 + page, 1);
}

static int64_t make_object(struct vmmap *map, uint64_t page)
{
	struct vmmap_object *object;
	int err = vmmap_object_create(&object, maps_memory, "more", page * PAGE, NULL);

	(void)map;
	if (!err)
		vmmap_object_put(object);
	return err;
}

static int64_t read_object(struct vmmap *map, uint64_t page)
{
	return vmmap_fault(map, BASE + (5000 + 530 * page) * PAGE, PROT_READ, NULL);
}

static int64_t cut_object(struct vmmap *map, uint64_t page)
{
	(void)map;
	return vmmap_object_resize(paged, page * PAGE);
}

static int64_t sync_object(struct vmmap *map, uint64_t page)
{
	(void)map;
	return vmmap_object_sync(paged, page * PAGE, UINT64_MAX);
}

static int64_t msync_object(struct vmmap *map, uint64_t page)
{
	return vmmap_msync(map, BASE + (5000 + page) * PAGE, 100 * PAGE, MS_SYNC);
}

static int64_t make_map(struct vmmap *map, uint64_t page)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *other;
	int err;

	(void)map, (void)page;
	config.physmem = maps_memory;
	err = vmmap_create(&other, &config);
	if (!err)
		vmmap_destroy(other);
	return err;
}

static int64_t grow(struct vmmap *map, uint64_t page)
{
	return vmmap_fault(map, BASE + (7599 - 2 * page) * PAGE, PROT_WRITE, NULL);
}

static int64_t protect_down(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_mprotect(map, BASE + 7602 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN);
}

static const struct want wants[] = {
	{ "mmap, fixed in a gap", fixed_free, PLACES }, { "mmap over two VMAs", fixed_over, PLACES },
	{ "mmap over many VMAs", fixed_over_many, PLACES }, { "mmap over a part of a large VMA", fixed_over_large, 2 },
	{ "mmap of an object", fixed_object, PLACES }, { "mmap, shared anonymous", shared_anonymous, PLACES },
	{ "mmap anywhere", anywhere, 4 }, { "mmap within", within, 1 },
	{ "munmap of a page", unmap_one, PLACES }, { "munmap of many VMAs", unmap_many, PLACES },
	{ "munmap in a large VMA", unmap_middle, 2 },
	{ "mprotect of a page", protect_one, PLACES }, { "mprotect in a large VMA", protect_middle, 2 },
	{ "mprotect of many VMAs", protect_many, PLACES },
	{ "madvise of a page", advise_one, PLACES }, { "madvise of many VMAs", advise_many, PLACES },
	{ "mlock of many VMAs", lock_many, PLACES }, { "madvise, dontneed", advise_drop, 2 },
	{ "madvise, populate", populate, 3 }, { "madvise, populate an object", populate_object, 2 },
	{ "mremap, shrink", remap_shrink, 2 }, { "mremap, grow in place", remap_grow, 1 },
	{ "mremap, move", remap_move, 2 }, { "mremap, fixed", remap_fixed, PLACES },
	{ "mremap, fixed, same length", remap_same_length, PLACES }, { "mremap, dontunmap", remap_keep, 2 },
	{ "mremap, duplicate", remap_duplicate, PLACES },
	{ "a try: dontneed", until_drop, PLACES }, { "a try: mremap, same length", until_move, PLACES },
	{ "a try: mremap, cut", until_cut, PLACES }, { "a try: mremap, cut, into a gap", until_cut_gap, 2 },
	{ "mremap of an object", remap_object, 4 }, { "mremap of an object, grow in place", grow_object, 1 },
	{ "munmap in an object", unmap_object, 2 }, { "object", make_object, 2 }, { "fault, pager", read_object, 2 },
	{ "resize", cut_object, 2 }, { "sync", sync_object, 2 }, { "msync", msync_object, 2 }, { "map", make_map, 1 },
	{ "fault, a stack grows", grow, PLACES }, { "mprotect of a stack, down", protect_down, 1 },
};

/* The listing alone: populating is a partial effect that Linux has too. */
static unsigned differs(struct vmmap *map, const char *before, const char *what, uint64_t n)
{
	char *after = listing_text(map, 0);
	unsigned wrong = strcmp(before, after) != 0;

	if (wrong)
		print_error("%s, allocation %llu failed: changed the map from\n%sto\n%s", what, (unsigned long long)n,
			    before, after);
	free(after);
	return wrong;
}

/* What maps and their parts hold; nothing but this program's maps is alive. */
static uint64_t memory_of_maps(void)
{
	static const enum mem_purpose parts[] = { MEM_MAP, MEM_VMA, MEM_NODE, MEM_TABLE, MEM_FRAME, MEM_OBJECT };
	uint64_t sum = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		sum += mem_bytes(parts[i]);
	return sum;
}

/* Allocation n of one call fails. The number of sins; *fired: the call got that far. */
static unsigned fail_once(const char *policy, const struct want *w, uint64_t page, uint64_t n, bool *fired)
{
	uint64_t memory = memory_of_maps();
	struct vmmap *map = crowded(policy);
	char *before = listing_text(map, 0);
	unsigned wrong = 0;
	int64_t got;

	mem_fail_nth(n);
	got = w->call(map, page);
	*fired = mem_fail_fired();
	mem_fail_nth(0);
	if (got == -ENOMEM && *fired) {
		wrong += differs(map, before, w->what, n) + (vmmap_audit(map, stderr) != 0);
		got = w->call(map, page);
	}
	free(before);
	if (got < 0) {
		print_error("%s at %llu, allocation %llu of it failed: %lld afterwards\n", w->what,
			    (unsigned long long)page, (unsigned long long)n, (long long)got);
		wrong++;
	}
	if (vmmap_audit(map, stderr)) {
		print_error("%s at %llu, allocation %llu of it failed: the map is not sound\n", w->what,
			    (unsigned long long)page, (unsigned long long)n);
		wrong++;
	}
	drop_objects();
	vmmap_destroy(map);
	physmem_destroy(maps_memory);            /* aborts if a frame is missing */
	if (memory_of_maps() != memory) {
		print_error("%s at %llu, allocation %llu of it failed: %lld bytes are lost\n", w->what,
			    (unsigned long long)page, (unsigned long long)n, (long long)(memory_of_maps() - memory));
		wrong++;
	}
	return wrong;
}

static void test_each_allocation(void **state)
{
	unsigned wrong = 0, failures = 0;
	bool fired;

	for (const struct want *w = wants; w < wants + ARRAY_SIZE(wants); w++)
		for (uint64_t page = 0; page < w->places; page += strcmp(*state, "vma") ? 3 : 1) {
			uint64_t n = 0;

			do
				wrong += fail_once(*state, w, page, ++n, &fired);
			while (fired && n < FAILS);
			assert_true(n < FAILS);
			failures += (unsigned)n - 1;
		}
	print_message("%s: %u failed allocations\n", (const char *)*state, failures);
	assert_true(failures > 0);
	assert_int_equal(wrong, 0);
}

/* One call after the other, upwards, until the n-th allocation of them all fails: small edits live on what the pools
 * keep ready, and only now and then ask for more. True: it has failed. */
static bool fail_along(const char *policy, const struct want *w, uint64_t n, unsigned *wrong)
{
	struct vmmap *map = crowded(policy);
	bool fired = false;

	mem_fail_nth(n);
	for (uint64_t page = 0; page < w->places && !fired; page++) {
		char *before = listing_text(map, 0);
		int64_t got = w->call(map, page);

		fired = mem_fail_fired();
		if (got == -ENOMEM && fired) {
			*wrong += differs(map, before, w->what, n) + (vmmap_audit(map, stderr) != 0);
			got = w->call(map, page);
		}
		free(before);
		if (got < 0) {
			print_error("%s at %llu, along: %lld\n", w->what, (unsigned long long)page, (long long)got);
			++*wrong;
		}
	}
	mem_fail_nth(0);
	*wrong += vmmap_audit(map, stderr) != 0;
	drop_objects();
	vmmap_destroy(map);
	physmem_destroy(maps_memory);
	return fired;
}

static void test_along(void **state)
{
	static const struct want along[] = {
		{ "mmap, fixed in a gap", fixed_free, 160 }, { "mmap over two VMAs", fixed_over, 150 },
		{ "mmap of an object", fixed_object, 150 }, { "munmap of a page", unmap_one, 300 },
		{ "mprotect of a page", protect_one, 150 }, { "mprotect in a large VMA", protect_middle, 200 },
		{ "madvise of a page", advise_one, 150 }, { "mmap anywhere", anywhere, 150 },
		{ "fault, a stack grows", grow, 10 },
		{ "mremap, fixed", remap_fixed_apart, 150 }, { "mremap, duplicate", remap_duplicate, 150 },
	};
	unsigned wrong = 0, failures = 0;
	uint64_t memory = memory_of_maps();

	for (const struct want *w = along; w < along + ARRAY_SIZE(along); w++) {
		unsigned before = failures;

		for (uint64_t n = 1; n <= 6 && fail_along(*state, w, n, &wrong); n++)
			failures++;
		if (memory_of_maps() != memory) {
			print_error("%s, along: %lld bytes are lost\n", w->what,
				    (long long)(memory_of_maps() - memory));
			memory = memory_of_maps();
			wrong++;
		}
		print_message("%s: %u failed allocations\n", w->what, failures - before);
	}
	assert_true(failures > 0);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	static const char *const policies[] = { "none", "rwlock", "vma" };
	struct CMUnitTest test[] = { cmocka_unit_test(test_each_allocation), cmocka_unit_test(test_along) };
	int bad = 0;

	for (unsigned p = 0; p < ARRAY_SIZE(policies); p++) {
		test[0].initial_state = test[1].initial_state = (void *)(uintptr_t)policies[p];
		bad += cmocka_run_group_tests_name(policies[p], test, NULL, NULL);
	}
	limited = true;                          /* the last policy once more                                      */
	struct CMUnitTest once_more[] = { test[0] };
	bad += cmocka_run_group_tests_name("with limits", once_more, NULL, NULL);
	return bad;
}
