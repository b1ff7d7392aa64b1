/* SPDX-License-Identifier: MIT */
/*
 * test_exec.c - every conflict test on the real engine under `vma`, packed in both orders and spread in one of them,
 * and a part of them under `none`: results, rows told, bytes read, VMAs and contents at the end are the model's, hence
 * the same in both orders.
 *
 * One thread plays both cores: what is checked is what the tests say, not what the engine does under concurrency.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "bench/conflicts/exec.h"
#include "tests/unit/conflicts/fixture.h"
#include "vmmap/space/space.h"

/* One thread: ThreadSanitizer has little to see here, and makes it twenty times slower; AddressSanitizer sees the same
 * code each time. Primes: all cells are met. */
#if defined(__SANITIZE_THREAD__)
#define STEP 23
#elif defined(__SANITIZE_ADDRESS__)
#define STEP 3
#else
#define STEP 1
#endif

/* order 1: B first. */
static bool agrees(struct exec *e, const struct placed *p, unsigned order, char *why)
{
	struct answer got[2];
	bool good;

	why[0] = '\0';
	assert_int_equal(exec_begin(e), 0);
	assert_int_equal(exec_setup(e, p), 0);
	exec_step(e, &p->call[order], &got[order]);
	exec_step(e, &p->call[!order], &got[!order]);
	good = exec_proves(e, p, got, why);
	exec_end(e);
	return good;
}

static void run_all(const char *policy, enum placement placement, size_t step)
{
	struct exec e;
	unsigned bad = 0;

	assert_int_equal(exec_open(&e, policy, true), 0);
	for (size_t i = 0; i < suite.n; i += step) {
		struct placed p;
		char why[160];

		if (placement == PLACED_SPREAD && !suite.test[i].spread)
			continue;
		assert_int_equal(placed_make(&p, &suite.test[i], placement, PLACED_DISTANCE), 0);
		for (unsigned order = 0; order < 2; order++) {
			if ((placement == PLACED_SPREAD && order == (i & 1)) || agrees(&e, &p, order, why) ||
			    bad++ >= 5)
				continue;
			print_message("test %zu, %s first: %s\n", i, order ? "B" : "A", why);
			suite_print(stdout, &suite.test[i]);
			placed_print(stdout, &p);
		}
	}
	assert_int_equal(bad, 0);
	assert_int_equal(vmmap_audit(e.map, stdout), 0);
	exec_close(&e);
}

static void packed_none(void **state) { (void)state; run_all("none", PLACED_PACKED, 5 * STEP); }
static void packed_vma(void **state) { (void)state; run_all("vma", PLACED_PACKED, STEP); }
static void spread_vma(void **state) { (void)state; run_all("vma", PLACED_SPREAD, STEP); }

/* Leaves of the engine's tree that hold nothing but fillers of this row. */
static unsigned leaves_between(const struct vmmap *map, uint64_t lo, uint64_t hi, uint64_t row)
{
	const struct vtree_leaf *low = vtree_leaf_of(&map->tree, lo - PAGE), *high = vtree_leaf_of(&map->tree, hi);
	const struct vtree_leaf *last = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < PLACED_FILLERS; i++) {
		const struct vtree_leaf *leaf = vtree_leaf_of(&map->tree, row + i * 2 * PAGE);

		n += leaf != last && leaf != low && leaf != high;
		last = leaf;
	}
	return n;
}

static void two_leaves_lie_between(void **state)
{
	unsigned rows = 0;

	(void)state;
	for (size_t i = 0; i < suite.n; i += 37 * STEP) {
		struct exec e;           /* a fresh tree: borders that earlier tests have left would help            */
		struct placed p;

		if (!suite.test[i].spread)
			continue;
		assert_int_equal(placed_make(&p, &suite.test[i], PLACED_SPREAD, PLACED_DISTANCE), 0);
		assert_int_equal(exec_open(&e, "none", false), 0);
		assert_int_equal(exec_begin(&e), 0);
		assert_int_equal(exec_setup(&e, &p), 0);
		for (unsigned k = 0; k < p.fillers; k++, rows++)
			assert_true(leaves_between(e.map, p.filler[k].addr, p.filler[k].addr + p.filler[k].len,
						   p.filler[k].row) >= 2);
		exec_end(&e);
		exec_close(&e);
	}
	assert_true(rows > 200 / STEP);
}

/* Each part of an expectation, made wrong, is noticed. */
static void wrong_expectations_are_seen(void **state)
{
	unsigned seen[6] = { 0 }, tried[6] = { 0 };
	struct exec e;

	(void)state;
	assert_int_equal(exec_open(&e, "none", true), 0);
	for (size_t i = 0; i < suite.n; i += STEP == 1 ? 11 : 5 * STEP) {
		for (unsigned what = 0; what < 6; what++) {
			struct placed p;
			char why[160];
			bool planted = true;

			assert_int_equal(placed_make(&p, &suite.test[i], PLACED_PACKED, PLACED_DISTANCE), 0);
			switch (what) {
			case 0: planted = !p.answer[0].placed; p.answer[0].result++; break;
			case 1: planted = p.map.rows; p.map.row[0].prot ^= PROT_EXEC; break;
			case 2: planted = p.map.rows; p.map.rows--; break;
			case 3: planted = p.words; p.word[0].value++; break;
			case 4: p.brk += PAGE; break;
			default: planted = p.answer[1].values; p.answer[1].value[0]++; break;
			}
			if (!planted)
				continue;
			tried[what]++;
			seen[what] += !agrees(&e, &p, 0, why);
		}
	}
	for (unsigned what = 0; what < 6; what++) {
		assert_true(tried[what] > 5 || STEP > 1);
		assert_int_equal(seen[what], tried[what]);
	}
	exec_close(&e);
}

/* Do frames without bytes leave out what is read, and nothing else? */
static void without_bytes(void **state)
{
	struct exec e;

	(void)state;
	assert_int_equal(exec_open(&e, "vma", false), 0);
	for (size_t i = 0; i < suite.n; i += 13 * STEP) {
		struct placed p;
		char why[160];

		assert_int_equal(placed_make(&p, &suite.test[i], PLACED_PACKED, PLACED_DISTANCE), 0);
		assert_true(agrees(&e, &p, 0, why));
		p.brk += PAGE;
		assert_false(agrees(&e, &p, 0, why));
	}
	exec_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_none), cmocka_unit_test(packed_vma), cmocka_unit_test(spread_vma),
		cmocka_unit_test(two_leaves_lie_between), cmocka_unit_test(wrong_expectations_are_seen),
		cmocka_unit_test(without_bytes),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
