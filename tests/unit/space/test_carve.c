/* SPDX-License-Identifier: MIT */
/*
 * The brief form where a VMA goes on in the next leaf: it is cut, replaced in part, and grows, in one section of one
 * leaf. There is a border at page 512 that no join removes.
 * mutant: carve_left_keeps
 * mutant: carve_elsewhere_dies
 * mutant: carve_start_unseen
 * mutant: join_spanning_dies
 * mutant: join_start_moves
 * mutant: join_start_unseen
 */
#include "base/point.h"
#include "base/thread.h"
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

#define BORDER 512

static struct vmmap *bordered(const char *policy, uint64_t limit_vmas)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;

	config.limit_vmas = limit_vmas;
	map = maps_limited(policy, config);
	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + BORDER * PAGE), 0);
	return map;
}

/* Since the creation; under a policy without a brief form all are general. */
static void general_edits_are(struct vmmap *map, const char *policy, uint64_t n)
{
	struct vmmap_counters c;

	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_get_counters(map, &c);
	if (strcmp(policy, "vma") == 0)
		assert_int_equal(c.general_edits, n);
}

/* On either side of the border, and back: whoever grows is the piece that goes on. */
static void cut_and_grow(const char *policy, uint64_t limit_vmas, uint64_t general)
{
	struct vmmap *map = bordered(policy, limit_vmas);

	assert_true(maps_fixed(map, 0, 1024, RW, ANON) > 0);     /* two leaves: the general form */
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(maps_touch(map, 256 * i + 8), 0);
	assert_int_equal(maps_protect(map, 400, 10, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 600, 10, PROT_READ), 0);
	maps_are(map, "0-400rw 400-410r 410-600rw 600-610r 610-1024rw");
	assert_int_equal(maps_protect(map, 400, 10, RW), 0);
	maps_are(map, "0-600rw 600-610r 610-1024rw");
	assert_int_equal(maps_protect(map, 600, 10, RW), 0);
	maps_are(map, "0-1024rw");
	general_edits_are(map, policy, general);
	maps_free(map);
}

static void test_cut_and_grow(void **state)
{
	cut_and_grow(*state, 0, 1);
}

static void test_cut_and_grow_counted(void **state)
{
	struct vmmap *map;

	cut_and_grow(*state, 1000, 1);
	map = bordered(*state, 5);
	assert_true(maps_fixed(map, 0, 1024, RW, ANON) > 0);
	assert_int_equal(maps_protect(map, 400, 10, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 600, 10, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 700, 10, PROT_READ), -ENOMEM);        /* 7 of 5 */
	assert_int_equal(maps_protect(map, 600, 10, RW), 0);
	assert_int_equal(maps_protect(map, 700, 10, PROT_READ), 0);
	maps_are(map, "0-400rw 400-410r 410-700rw 700-710r 710-1024rw");
	assert_int_equal(maps_protect(map, 0, 1024, PROT_READ), 0);
	maps_are(map, "0-1024r");
	maps_free(map);
}

/* With limits a start has a mark: at the leaf's lower edge, and where it would move into the leaf above. */
static void test_starts(void **state)
{
	struct vmmap *map = bordered(*state, 1000);

	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + (BORDER - 32) * PAGE), 0);
	assert_true(maps_fixed(map, BORDER - 32, 64, RW, ANON) > 0);
	assert_int_equal(maps_protect(map, BORDER - 16, 4, PROT_READ), 0);       /* its start is at the edge */
	assert_int_equal(maps_protect(map, BORDER - 4, 4, PROT_READ), 0);        /* its start would go up */
	maps_are(map, "480-496rw 496-500r 500-508rw 508-512r 512-544rw");
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(maps_unmap(map, BORDER - 32, 64), 0);
	maps_free(map);
}

/* A VMA begins at a leaf's edge, without a mark: what lies below is like it, and held. `pages` like both are above. */
static struct vmmap *start_below_held(const char *policy, uint64_t pages, struct vmmap_held *held)
{
	struct vmmap *map = bordered(policy, 1000);

	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + (BORDER - 32) * PAGE), 0);
	assert_true(maps_fixed(map, 448, 32, RW, ANON) > 0);
	assert_true(maps_fixed(map, 500, pages, RW, ANON) > 0);
	assert_int_equal(vmmap_hold(map, BASE + 448 * PAGE, 32 * PAGE, held), 0);
	assert_true(maps_fixed(map, 480, 10, RW, ANON) > 0);
	return map;
}

/* It is not swallowed unseen by one that goes on in the next leaf. */
static void test_start_below_held(void **state)
{
	struct vmmap_held held;
	struct vmmap *map;

	if (strcmp(*state, "vma") != 0)
		return;
	map = start_below_held(*state, 50, &held);
	assert_true(maps_fixed(map, 490, 15, RW, ANON) > 0);
	vmmap_release(map, &held);
	maps_are(map, "448-550rw");
	maps_free(map);
}

/* Joined with an untouched neighbour above, it keeps its object: the neighbour's, whose start is counted, goes. */
static void test_start_joins_above(void **state)
{
	struct vmmap_held held;
	struct vmmap *map;

	if (strcmp(*state, "vma") != 0)
		return;
	map = start_below_held(*state, 5, &held);
	assert_true(maps_fixed(map, 490, 10, PROT_READ, ANON) > 0);
	assert_int_equal(maps_protect(map, 485, 15, RW), 0);
	vmmap_release(map, &held);
	maps_are(map, "448-505rw");
	maps_free(map);
}

/* At an end of it, and at the border, where nothing of it stays in this leaf. */
static void test_ends(void **state)
{
	struct vmmap *map = bordered(*state, 0);

	assert_true(maps_fixed(map, 480, 70, RW, ANON) > 0);
	assert_int_equal(maps_protect(map, 480, 10, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 540, 10, PROT_READ), 0);
	maps_are(map, "480-490r 490-540rw 540-550r");
	assert_int_equal(maps_protect(map, 490, BORDER - 490, PROT_READ), 0);
	maps_are(map, "480-512r 512-540rw 540-550r");
	assert_int_equal(maps_protect(map, BORDER, 28, PROT_READ), 0);
	maps_are(map, "480-550r");
	assert_int_equal(maps_protect(map, BORDER, 8, RW), 0);
	assert_int_equal(maps_protect(map, 504, 8, RW), 0);
	maps_are(map, "480-504r 504-520rw 520-550r");
	assert_int_equal(maps_unmap(map, 500, BORDER - 500), 0);
	maps_are(map, "480-500r 512-520rw 520-550r");
	assert_true(maps_fixed(map, 500, 12, RW, ANON) > 0);
	assert_true(maps_fixed(map, BORDER, 4, PROT_READ, ANON) > 0);
	maps_are(map, "480-500r 500-512rw 512-516r 516-520rw 520-550r");
	general_edits_are(map, *state, 1);
	maps_free(map);
}

static void test_replaced_in_part(void **state)
{
	struct vmmap *map = bordered(*state, 0);

	assert_true(maps_fixed(map, 0, 1024, RW, ANON) > 0);
	assert_true(maps_fixed(map, 300, 20, PROT_READ, ANON) > 0);
	assert_true(maps_fixed(map, 700, 20, PROT_READ, ANON) > 0);
	assert_int_equal(maps_unmap(map, 305, 5), 0);
	maps_are(map, "0-300rw 300-305r 310-320r 320-700rw 700-720r 720-1024rw");
	assert_true(maps_fixed(map, 300, 20, RW, ANON) > 0);
	maps_are(map, "0-700rw 700-720r 720-1024rw");
	general_edits_are(map, *state, 1);
	maps_free(map);
}

/* A new VMA between two that both go on elsewhere; then two that meet when what is between them becomes like them. */
static void test_between_two(void **state)
{
	struct vmmap *map = bordered(*state, 0);

	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + 2 * BORDER * PAGE), 0);
	assert_true(maps_fixed(map, 0, 700, RW, ANON) > 0);
	assert_true(maps_fixed(map, 710, 700, RW, ANON) > 0);
	assert_true(maps_fixed(map, 700, 10, RW, ANON) > 0);
	maps_are(map, "0-1410rw");
	assert_int_equal(maps_protect(map, 700, 10, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 690, 30, RW), 0);
	maps_are(map, "0-1410rw");
	assert_int_equal(maps_protect(map, 700, 10, PROT_NONE), 0);
	maps_are(map, "0-700rw 700-710n 710-1410rw");
	maps_free(map);
}

/* Random pages of eight leaves: what is there is what the last call said, and the form of a quiet map. */
static void test_random(void **state)
{
	enum { LEAVES = 8, PAGES = LEAVES * 8 };
	static const int prots[] = { PROT_READ, RW, PROT_READ };
	struct vmmap *map = bordered(*state, 0);
	char is[PAGES], expected[PAGES * 20];
	uint32_t r = 1;

	memset(is, 'n', sizeof(is));
	for (unsigned leaf = 1; leaf < LEAVES; leaf++)
		assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + 8 * leaf * PAGE), 0);
	assert_true(maps_fixed(map, 0, PAGES, PROT_NONE, ANON) > 0);
	for (unsigned turn = 0; turn < 2000; turn++) {
		unsigned at = (r = r * 1664525 + 1013904223) >> 8 & (PAGES - 1), n = 1 + (r >> 20) % 4, out = 0;
		unsigned what = (r >> 26) % 3;

		n = at + n > PAGES ? PAGES - at : n;
		if (r >> 30)
			assert_int_equal(maps_protect(map, at, n, prots[what]), 0);
		else
			assert_true(maps_fixed(map, at, n, prots[what], ANON) > 0);
		memset(is + at, what == 1 ? 'w' : 'r', n);
		expected[0] = 0;
		for (unsigned i = 0, end; i < PAGES; i = end) {
			for (end = i + 1; end < PAGES && is[end] == is[i]; end++)
				;
			out += (unsigned)sprintf(expected + out, "%s%u-%u%s", i ? " " : "", i, end,
						 is[i] == 'w' ? "rw" : is[i] == 'r' ? "r" : "n");
		}
		maps_are(map, expected);
		if (turn % 50 == 0)
			assert_int_equal(vmmap_audit(map, stderr), 0);
	}
	maps_free(map);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_and_grow), cmocka_unit_test(test_cut_and_grow_counted),
		cmocka_unit_test(test_starts), cmocka_unit_test(test_start_below_held),
		cmocka_unit_test(test_start_joins_above), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_replaced_in_part), cmocka_unit_test(test_between_two),
		cmocka_unit_test(test_random),
	};
	const char *mutant = getenv("VMMAP_MUTANT");
	int bad = 0;

	if (mutant && *mutant && point_mutant_select(mutant))
		return 99;
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		bad += maps_run(vmmap_policy_name(p), tests);
	return bad;
}
