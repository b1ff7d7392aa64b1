/* SPDX-License-Identifier: MIT */
/*
 * test_pin_movable.c - pages that are pinned while their frames lie in a segment for what can be moved: they go
 * elsewhere first, or nothing is pinned. One thread, every policy.
 * mutant: pin_anywhere
 */
#include "tests/unit/space/pins.h"
#include "vmmap/phys/frame_bits.h"
#include "vmmap/space/migrate.h"

#define FROM   UINT64_C(1024)                    /* pfns from here on are of the segment for what can be moved      */
#define TOUCHED 1500u                            /* pages: more than there are frames below                        */

static uint64_t in, out;                         /* pages whose frames lie in that segment, and not                */
static uint64_t taken[FROM], taken_n;

static bool is_in(uint64_t pfn) { return pfn >= FROM; }

static struct vmmap *machine(const char *policy)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;

	memory.bytes = 1;
	memory.pages = FROM;
	memory.limit = 2 * FROM;
	assert_int_equal(physmem_create(&maps_memory, &memory), 0);
	assert_int_equal(physmem_plug(maps_memory, FROM, FROM, 1), 0);
	config.policy = policy;
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&map, &config), 0);
	return map;
}

/* One private page of each kind. */
static struct vmmap *one_of_each(const char *policy)
{
	struct vmmap *map = machine(policy);

	assert_int_equal(maps_fixed(map, 0, TOUCHED, RW, ANON), AT(0));
	in = out = TOUCHED;
	for (uint64_t i = 0; i < TOUCHED; i++) {
		put(map, i, i);
		if (is_in(pfn_of(map, i)))
			in = i;
		else
			out = i;
	}
	assert_true(in < TOUCHED && out < TOUCHED);
	for (uint64_t i = 0; i < TOUCHED; i++)
		if (i != in && i != out)
			assert_int_equal(vmmap_munmap(map, AT(i), PAGE), 0);
	assert_true(is_in(pfn_of(map, in)));
	return map;
}

/* All but the segment for what can be moved. */
static void others_take(void)
{
	uint64_t pfn;

	for (taken_n = 0; (pfn = physmem_frame_alloc(maps_memory)) != PHYSMEM_NONE;)
		taken[taken_n++] = pfn;
}

static void others_give(uint64_t left)
{
	while (taken_n > left)
		assert_int_equal(physmem_frame_free(maps_memory, taken[--taken_n]), 0);
}

static void segment_goes(void) { assert_int_equal(physmem_unplug(maps_memory, FROM, FROM, NULL, NULL), 0); }

static void test_private(void **state)
{
	struct vmmap *map = one_of_each(*state);
	uint64_t pfn, stays = pfn_of(map, out), again;

	assert_int_equal(vmmap_pin(map, AT(in), PAGE, &pfn), 0);
	assert_false(is_in(pfn));
	assert_int_equal(pfn_of(map, in), pfn);
	counts_are(pfn, 2, 1);
	assert_int_equal(get(map, in), in);
	assert_int_equal(*words_of(pfn), in);
	assert_int_equal(vmmap_pin(map, AT(out), PAGE, &again), 0);
	assert_int_equal(again, stays);
	segment_goes();
	put(map, in, 5);
	assert_int_equal(*words_of(pfn), 5);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(vmmap_unpin(map, &pfn, 1), 0);
	assert_int_equal(vmmap_unpin(map, &again, 1), 0);
	maps_free(map);
}

/* Shown at two places, one of them another map's. */
static void test_shared(void **state)
{
	struct vmmap *map = machine(*state), *child;
	uint64_t pfn;

	in = 3;
	assert_int_equal(maps_fixed(map, in, 1, RW, MAP_SHARED | MAP_ANONYMOUS), AT(in));
	others_take();
	put(map, in, in);
	others_give(0);
	assert_true(is_in(pfn_of(map, in)));
	assert_int_equal(vmmap_fork(&child, map), 0);
	assert_int_equal(get(child, in), in);
	assert_int_equal(vmmap_pin(map, AT(in), PAGE, &pfn), 0);
	assert_false(is_in(pfn));
	assert_int_equal(pfn_of(map, in), pfn);
	assert_int_equal(pfn_of(child, in), pfn);
	counts_are(pfn, 2, 1);
	put(child, in, 6);
	assert_int_equal(*words_of(pfn), 6);
	segment_goes();
	assert_int_equal(vmmap_audit(child, stderr), 0);
	vmmap_destroy(child);
	assert_int_equal(vmmap_unpin(map, &pfn, 1), 0);
	maps_free(map);
}

/* A frame that a fork shares is copied first; the copy goes where pins may be. */
static void test_forked(void **state)
{
	struct vmmap *map = one_of_each(*state), *child;
	uint64_t pfn;

	assert_int_equal(vmmap_fork(&child, map), 0);
	assert_int_equal(vmmap_pin(child, AT(in), PAGE, &pfn), 0);
	assert_false(is_in(pfn));
	put(child, in, 7);
	assert_int_equal(get(map, in), in);
	assert_int_equal(*words_of(pfn), 7);
	segment_goes();
	vmmap_destroy(child);
	assert_int_equal(vmmap_unpin(map, &pfn, 1), 0);
	maps_free(map);
}

/* There is no frame for it elsewhere: nothing is pinned, also not of what came before it. */
static void test_no_room(void **state)
{
	struct vmmap *map = one_of_each(*state);
	uint64_t pfn[2], stays = pfn_of(map, in), own;

	assert_int_equal(vmmap_mremap(map, AT(out), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(2000)), AT(2000));
	assert_int_equal(vmmap_mremap(map, AT(in), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(2001)), AT(2001));
	own = pfn_of(map, 2000);
	others_take();
	assert_int_equal(vmmap_pin(map, AT(2000), 2 * PAGE, pfn), -ENOMEM);
	counts_are(own, 1, 1);
	counts_are(stays, 1, 1);
	assert_int_equal(pfn_of(map, 2001), stays);
	assert_int_equal(get(map, 2001), in);
	assert_int_equal(vmmap_pin_until(map, AT(2001), PAGE, pfn, VMMAP_TRY), -ENOMEM);
	others_give(taken_n - 1);
	assert_int_equal(vmmap_pin(map, AT(2000), 2 * PAGE, pfn), 0);
	assert_int_equal(pfn[0], own);
	assert_false(is_in(pfn[1]));
	assert_int_equal(get(map, 2001), in);
	assert_int_equal(vmmap_unpin(map, pfn, 2), 0);
	others_give(0);
	maps_free(map);
}

/* As many as there is room for, all at once; then they move again, anywhere. */
static void test_many(void **state)
{
	struct vmmap *map = machine(*state);
	uint64_t pfn[600], n = 0;

	assert_int_equal(maps_fixed(map, 0, TOUCHED, RW, ANON), AT(0));
	for (uint64_t i = 0; i < TOUCHED; i++)
		put(map, i, i);
	assert_int_equal(maps_unmap(map, 0, 900), 0);
	for (uint64_t i = 0; i < 600; i++)
		n += is_in(pfn_of(map, 900 + i));
	assert_true(n >= TOUCHED - FROM);
	assert_int_equal(vmmap_pin(map, AT(900), 600 * PAGE, pfn), 0);
	for (uint64_t i = 0; i < 600; i++) {
		assert_false(is_in(pfn[i]));
		assert_int_equal(*words_of(pfn[i]), 900 + i);
	}
	assert_int_equal(owned(), 600);
	segment_goes();
	assert_int_equal(vmmap_unpin(map, pfn, 600), 0);
	assert_int_equal(physmem_plug(maps_memory, FROM, FROM, 1), 0);
	for (uint64_t i = 0; i < 600; i++) {
		assert_int_equal(moved(pfn[i]), FRAME_MOVED);
		assert_int_equal(get(map, 900 + i), 900 + i);
	}
	maps_free(map);
}

static uint64_t of_unmovable_blocks(uint32_t chain)
{
	uint64_t n = 0;

	for (; chain; chain = frame_link(atomic_load_relaxed(&maps_memory->word[chain - 1])))
		n += frame_block_class(frame_bits_word(&maps_memory->bits, (chain - 1) >> FRAME_BLOCK_ORDER)) ==
		     FRAME_CLASS_UNMOVABLE;
	return n;
}

/* Free frames of blocks for what cannot be moved, in this thread's cache for what can. */
static uint64_t astray(void)
{
	struct frame_slot *slot = thread_local_mine(&maps_memory->slots, thread_self());
	struct frame_cache *cache = &slot->cache[FRAME_MOVABLE];
	uint64_t n = of_unmovable_blocks(cache->loaded);
	uint32_t chain = atomic_load_relaxed(&cache->spare);

	for (; chain; chain = atomic_load_relaxed(&maps_memory->batch_of[chain - 1].next))
		n += of_unmovable_blocks(chain);
	return n;
}

/* The frame for the copy goes back where it came from, as often as the page is in use. */
static void test_busy(void **state)
{
	struct vmmap *map = one_of_each(*state);
	uint64_t pfn = pfn_of(map, in), one = physmem_frame_alloc(maps_memory), before;
	atomic_u64 *entry = pt_find(&map->pt, AT(in));
	uint64_t seen = atomic_load_relaxed(entry);

	before = astray();
	assert_true(pt_lock(entry, seen));
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(migrate_out(maps_memory, thread_self(), pfn), FRAME_BUSY);
	pt_store(entry, seen);
	assert_int_equal(astray(), before);
	assert_int_equal(migrate_out(maps_memory, thread_self(), pfn), FRAME_MOVED);
	assert_false(is_in(pfn_of(map, in)));
	assert_int_equal(get(map, in), in);
	assert_int_equal(physmem_frame_free(maps_memory, one), 0);
	maps_free(map);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_private), cmocka_unit_test(test_shared), cmocka_unit_test(test_forked),
	cmocka_unit_test(test_no_room), cmocka_unit_test(test_many), cmocka_unit_test(test_busy),
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
