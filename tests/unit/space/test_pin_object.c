/* SPDX-License-Identifier: MIT */
/*
 * test_pin_object.c - pages of objects that are pinned through shared mappings: in which frames they stay, and who has
 * these when the object has them not any more: one thread, every policy.
 * mutant: cut_frees_pinned
 * mutant: pin_keeps_name
 * mutant: sync_forgets_pinned
 */
#include "tests/pager.h"
#include "tests/unit/space/pins.h"

#define SHARED (MAP_SHARED | MAP_FIXED)

static struct vmmap_object *file;
static struct pager pager;

static void make(uint64_t pages, bool paged)
{
	struct vmmap_pager calls = pager_of(&pager);

	pager_init(&pager);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "f", pages * PAGE, paged ? &calls : NULL), 0);
}

static void share(struct vmmap *map, uint64_t page, uint64_t pages, uint64_t from)
{
	assert_int_equal(vmmap_mmap(map, AT(page), pages * PAGE, RW, SHARED, file, from * PAGE), AT(page));
}

static void pin(struct vmmap *map, uint64_t page, uint64_t pages, uint64_t *pfn)
{
	assert_int_equal(vmmap_pin(map, AT(page), pages * PAGE, pfn), 0);
}

/* It is its pins' alone: has no name, goes nowhere, has what was stored there. */
static void is_pins_own(uint64_t pfn, unsigned pins, uint64_t word)
{
	struct frame_name name;

	counts_are(pfn, pins, 0);
	assert_false(frame_name(maps_memory, pfn, &name));
	assert_int_equal(moved(pfn), FRAME_PINNED);
	assert_int_equal(*words_of(pfn), word);
}

/* Present or not, through two places, twice. */
static void test_counts(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn[3], there[3];

	make(4, false);
	share(map, 0, 4, 0);
	share(map, 8, 4, 0);
	put(map, 0, 10);
	assert_int_equal(get(map, 1), 0);                /* shown to loads, so far */
	pin(map, 0, 3, pfn);
	for (uint64_t i = 0; i < 3; i++) {
		counts_are(pfn[i], 2, 1);
		put(map, 8 + i, 20 + i);
		assert_int_equal(*words_of(pfn[i]), 20 + i);
		assert_int_equal(moved(pfn[i]), FRAME_PINNED);
	}
	pin(map, 8, 3, there);
	assert_memory_equal(pfn, there, sizeof pfn);
	counts_are(pfn[0], 3, 1);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(vmmap_unpin(map, pfn, 3), 0);
	assert_int_equal(moved(pfn[0]), FRAME_PINNED);
	assert_int_equal(vmmap_unpin(map, pfn, 3), 0);
	assert_int_equal(vmmap_unpin(map, pfn, 3), -EALREADY);           /* the page's own reference stays */
	counts_are(pfn[0], 1, 1);
	assert_int_equal(moved(pfn[0]), FRAME_MOVED);
	assert_int_equal(get(map, 0), 20);
	assert_int_equal(get(map, 8), 20);
	vmmap_object_put(file);
	maps_free(map);
}

/* No mapping is left: the page has its frame, pinned, and shows it where it is mapped anew. */
static void test_unmap(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn[2];

	make(2, false);
	share(map, 0, 2, 0);
	pin(map, 0, 2, pfn);
	put(map, 0, 30);
	assert_int_equal(vmmap_madvise(map, AT(1), PAGE, MADV_DONTNEED), 0);
	assert_int_equal(maps_unmap(map, 0, 2), 0);
	counts_are(pfn[0], 2, 1);
	assert_int_equal(moved(pfn[0]), FRAME_PINNED);
	*words_of(pfn[1]) = 31;
	share(map, 4, 2, 0);
	assert_int_equal(pfn_of(map, 4), pfn[0]);
	assert_int_equal(get(map, 4), 30);
	assert_int_equal(get(map, 5), 31);
	assert_int_equal(vmmap_unpin(map, pfn, 2), 0);
	assert_int_equal(moved(pfn[0]), FRAME_MOVED);
	vmmap_object_put(file);
	maps_free(map);
}

/* Cut off, the frames are the pins'; the object's next pages there are others. */
static void test_cut(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn[4];

	make(4, false);
	share(map, 0, 4, 0);
	pin(map, 0, 4, pfn);
	pin(map, 3, 1, &pfn[3]);
	for (uint64_t i = 0; i < 4; i++)
		put(map, i, 40 + i);
	assert_int_equal(vmmap_object_resize(file, PAGE), 0);
	assert_int_equal(owned(), 4);
	is_pins_own(pfn[1], 1, 41);
	is_pins_own(pfn[3], 2, 43);
	assert_int_equal(vmmap_object_resize(file, 4 * PAGE), 0);
	for (uint64_t i = 1; i < 4; i++) {
		assert_int_equal(get(map, i), 0);
		assert_int_not_equal(pfn_of(map, i), pfn[i]);
	}
	assert_int_equal(owned(), 7);
	assert_int_equal(pfn_of(map, 0), pfn[0]);
	counts_are(pfn[0], 2, 1);
	assert_int_equal(vmmap_unpin(map, pfn, 4), 0);
	assert_int_equal(owned(), 5);
	assert_int_equal(vmmap_unpin(map, &pfn[3], 1), 0);
	assert_int_equal(vmmap_unpin(map, &pfn[3], 1), -EALREADY);
	assert_int_equal(owned(), 4);
	vmmap_object_put(file);
	maps_free(map);
}

/* The rest of the last page is zeroed, in the frame that is pinned. */
static void test_tail(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn;

	make(1, false);
	share(map, 0, 1, 0);
	pin(map, 0, 1, &pfn);
	words_of(pfn)[0] = 1;
	words_of(pfn)[1] = 2;
	assert_int_equal(vmmap_object_resize(file, 8), 0);
	assert_int_equal(words_of(pfn)[0], 1);
	assert_int_equal(words_of(pfn)[1], 0);
	assert_int_equal(vmmap_unpin(map, &pfn, 1), 0);
	vmmap_object_put(file);
	maps_free(map);
}

/* The object has gone, name and all: its frame has not. Then the same of shared anonymous memory. */
static void test_end(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn[2];

	make(1, false);
	share(map, 0, 1, 0);
	assert_int_equal(maps_fixed(map, 1, 1, RW, MAP_SHARED | MAP_ANONYMOUS), AT(1));
	pin(map, 0, 2, pfn);
	put(map, 0, 50);
	put(map, 1, 51);
	vmmap_object_put(file);
	assert_int_equal(maps_unmap(map, 0, 2), 0);
	rcu_drain();
	assert_int_equal(owned(), 2);
	is_pins_own(pfn[0], 1, 50);
	is_pins_own(pfn[1], 1, 51);
	assert_int_equal(vmmap_unpin(map, pfn, 2), 0);
	assert_int_equal(owned(), 0);
	assert_int_equal(vmmap_unpin(map, pfn, 2), -EALREADY);
	maps_free(map);
}

/* It is shared with a child as it is, and the pin with both. */
static void test_fork(void **state)
{
	struct vmmap *map = maps_new(*state), *child;
	uint64_t pfn, again;

	assert_int_equal(maps_fixed(map, 0, 1, RW, MAP_SHARED | MAP_ANONYMOUS), AT(0));
	pin(map, 0, 1, &pfn);
	assert_int_equal(vmmap_fork(&child, map), 0);
	put(child, 0, 60);
	assert_int_equal(*words_of(pfn), 60);
	pin(child, 0, 1, &again);
	assert_int_equal(again, pfn);
	counts_are(pfn, 3, 1);
	vmmap_destroy(map);
	assert_int_equal(get(child, 0), 60);
	assert_int_equal(vmmap_unpin(child, &again, 1), 0);
	assert_int_equal(moved(pfn), FRAME_PINNED);
	assert_int_equal(vmmap_unpin(child, &pfn, 1), 0);
	assert_int_equal(moved(pfn), FRAME_MOVED);
	maps_free(child);
}

/* A private mapping pins a copy, and leaves the page alone. */
static void test_private(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t own, pfn;

	make(1, false);
	share(map, 0, 1, 0);
	put(map, 0, 70);
	own = pfn_of(map, 0);
	assert_int_equal(vmmap_mmap(map, AT(1), PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0), AT(1));
	assert_int_equal(pfn_of(map, 1), own);           /* shows the object's, until somebody stores there */
	pin(map, 1, 1, &pfn);
	assert_int_not_equal(pfn, own);
	counts_are(own, 1, 1);
	assert_int_equal(vmmap_object_resize(file, 0), 0);
	is_pins_own(pfn, 1, 70);
	assert_int_equal(vmmap_unpin(map, &pfn, 1), 0);
	assert_int_equal(owned(), 0);
	vmmap_object_put(file);
	maps_free(map);
}

/* Nobody sees who stores through a pin: as long as there is one, each sync writes the page; and once more after it. */
static void test_sync(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn;

	make(2, true);
	share(map, 0, 2, 0);
	pin(map, 0, 1, &pfn);
	for (uint64_t word = 80; word < 83; word++) {
		*words_of(pfn) = word;
		assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
		assert_int_equal(pager_peek(&pager, 0, 0), word);
	}
	*words_of(pfn) = 83;
	assert_int_equal(vmmap_unpin(map, &pfn, 1), 0);
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(pager_peek(&pager, 0, 0), 83);
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 4);
	vmmap_object_put(file);
	maps_free(map);
}

/* In a map's own memory the audit counts all frames. */
static void test_audit(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;
	uint64_t pfn[2];

	config.policy = *state;
	assert_int_equal(vmmap_create(&map, &config), 0);
	assert_int_equal(maps_fixed(map, 0, 2, RW, MAP_SHARED | MAP_ANONYMOUS), AT(0));
	pin(map, 0, 2, pfn);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(maps_unmap(map, 0, 2), 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(vmmap_unpin(map, pfn, 2), 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
}

/* Who asks an unplug, in each mode, is told the same as of private pages. */
static void give_up(void *arg, uint64_t pfn, uint64_t pages)
{
	assert_int_equal(pages, 1);
	assert_int_equal(vmmap_unpin(arg, &pfn, 1), 0);
}

static void test_unplug(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct physmem_unplug_options o = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem_unplug_result why;
	uint64_t pfn[2], block;

	make(4, false);
	share(map, 0, 4, 0);
	for (uint64_t i = 0; i < 4; i++)
		put(map, i, 90 + i);
	pin(map, 1, 2, pfn);
	block = pfn[0] & ~UINT64_C(511);
	assert_int_equal(pfn[1] & ~UINT64_C(511), block);
	assert_int_equal(vmmap_object_resize(file, 2 * PAGE), 0);        /* one is its pin's alone */
	assert_int_equal(physmem_unplug(maps_memory, block, 512, NULL, &why), -EBUSY);
	assert_int_equal(why.reason, PHYSMEM_REASON_PINNED);
	assert_int_equal(why.first, pfn[0] < pfn[1] ? pfn[0] : pfn[1]);
	assert_int_equal(why.left[PHYSMEM_REASON_PINNED], 2);            /* also those behind the one that ends it */
	assert_int_equal(physmem_poison(maps_memory, pfn[0]), -EBUSY);
	assert_int_equal(physmem_poison(maps_memory, pfn[1]), -EBUSY);
	o.mode = PHYSMEM_UNPLUG_WAIT;
	o.attempts = 2;
	assert_int_equal(physmem_unplug(maps_memory, block, 512, &o, &why), -EBUSY);
	assert_int_equal(pfn_of(map, 1), pfn[0]);
	o = (struct physmem_unplug_options)PHYSMEM_UNPLUG_OPTIONS;
	o.mode = PHYSMEM_UNPLUG_REVOKE;
	o.revoke = give_up;
	o.arg = map;
	assert_int_equal(physmem_unplug(maps_memory, block, 512, &o, &why), 0);
	assert_int_equal(get(map, 0), 90);
	assert_int_equal(get(map, 1), 91);
	assert_int_equal(owned(), 2);
	vmmap_object_put(file);
	maps_free(map);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_counts), cmocka_unit_test(test_unmap), cmocka_unit_test(test_cut),
	cmocka_unit_test(test_tail), cmocka_unit_test(test_end), cmocka_unit_test(test_fork),
	cmocka_unit_test(test_private), cmocka_unit_test(test_sync), cmocka_unit_test(test_audit),
	cmocka_unit_test(test_unplug),
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
