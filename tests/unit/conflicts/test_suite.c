/* SPDX-License-Identifier: MIT */
/* test_suite.c - the list of conflict tests: how many, how even, the same each time; where spread tests lie. */
#include <stdlib.h>
#include <sys/mman.h>

#include "bench/conflicts/placed.h"
#include "tests/unit/conflicts/fixture.h"

static unsigned cell_of(const struct test *t) { return t->call[0].kind * CALL_KINDS + t->call[1].kind; }

/* At least 10,000 that run in both placements, no cell above 5 % of them. */
static void are_many_and_even(void **state)
{
	unsigned cell[CALL_KINDS * CALL_KINDS] = { 0 };

	(void)state;
	for (size_t i = 0; i < suite.n; i++) {
		assert_int_equal(suite.test[i].id, i);
		cell[cell_of(&suite.test[i])] += suite.test[i].spread;
	}
	print_message("%zu tests, %zu of them spread, too\n", suite.n, suite.spread);
	assert_true(suite.spread >= 10000);
	for (unsigned i = 0; i < CALL_KINDS * CALL_KINDS; i++) {
		assert_true(cell[i] * 20 <= suite.spread);
		if (i != CALL_BRK * CALL_KINDS + CALL_BRK)       /* two breaks: never both moved                   */
			assert_true(cell[i] >= 40);
	}
}

static void are_the_same_each_time(void **state)
{
	struct suite again, other;
	size_t differ = 0;

	(void)state;
	assert_int_equal(suite_make(&again, SUITE_SEED, NULL), 0);
	assert_int_equal(again.n, suite.n);
	assert_true(again.digest == suite.digest);
	/* Every compiler makes these. Another generator makes others: then the budget is to be written anew, too. */
	assert_true(suite.digest == UINT64_C(0x69919dbab1a2127d));
	for (size_t i = 0; i < suite.n; i++) {
		const struct test *x = &suite.test[i], *y = &again.test[i];

		assert_true(x->key == y->key && x->number == y->number && x->spread == y->spread);
		assert_memory_equal(&x->scene, &y->scene, sizeof(x->scene));     /* bytes only: no padding          */
		assert_memory_equal(x->call, y->call, sizeof(x->call));
		assert_memory_equal(&x->stretch, &y->stretch, sizeof(x->stretch));
	}
	suite_free(&again);
	assert_int_equal(suite_make(&other, SUITE_SEED + 1, NULL), 0);
	for (size_t i = 0; i < suite.n && i < other.n; i++)
		differ += suite.test[i].key != other.test[i].key;
	assert_true(differ > suite.n / 2);
	suite_free(&other);
}

static void one_cell_is_the_same_as_in_all(void **state)
{
	struct suite_cell only;
	struct suite one;
	size_t at = 0;

	(void)state;
	assert_true(suite_cell_parse("mmap_within|mremap", &only));
	assert_int_equal(suite_make(&one, SUITE_SEED, &only), 0);
	while (cell_of(&suite.test[at]) != CALL_MMAP_WITHIN * CALL_KINDS + CALL_MREMAP)
		at++;
	for (size_t i = 0; i < one.n; i++)
		assert_true(one.test[i].key == suite.test[at + i].key);
	suite_free(&one);
	assert_false(suite_cell_parse("mmap_within", &only));
	assert_false(suite_cell_parse("mmap_within|", &only));
	assert_false(suite_cell_parse("mmap|brk", &only));
}

static int by_key(const void *x, const void *y)
{
	const struct test *a = *(const struct test *const *)x, *b = *(const struct test *const *)y;
	int order = (int)cell_of(a) - (int)cell_of(b);

	return order ? order : (a->key > b->key) - (a->key < b->key);
}

static void no_two_are_isomorphic(void **state)
{
	const struct test **sorted = calloc(suite.n, sizeof(*sorted));

	(void)state;
	assert_non_null(sorted);
	for (size_t i = 0; i < suite.n; i++)
		sorted[i] = &suite.test[i];
	qsort(sorted, suite.n, sizeof(*sorted), by_key);
	for (size_t i = 1; i < suite.n; i++)
		assert_true(by_key(&sorted[i - 1], &sorted[i]) < 0);
	free(sorted);
}

/* What range operations are about is there, both placements, in numbers. */
static void have_what_is_interesting(void **state)
{
	unsigned relation[SUITE_RELATIONS] = { 0 }, form[CALL_FORMS] = { 0 }, touched = 0, holes = 0, files = 0;

	(void)state;
	for (size_t i = 0; i < suite.n; i++) {
		const struct test *t = &suite.test[i];

		relation[t->relation] += t->spread || t->relation <= SUITE_SAME_VMA;     /* those are packed only */
		form[t->call[0].form]++;
		for (unsigned k = 0; k < t->scene.n; k++) {
			touched += t->scene.call[k].form == FORM_STORE;
			holes += t->scene.call[k].kind == CALL_MUNMAP;
			files += t->scene.call[k].object != CALL_ANON;
		}
	}
	for (unsigned i = 0; i < SUITE_RELATIONS; i++) {
		print_message("%s: %u\n", suite_relation_name[i], relation[i]);
		assert_true(relation[i] >= 400);
	}
	for (unsigned i = 0; i < CALL_FORMS; i++)
		assert_true(form[i] >= 100);
	assert_true(touched > 1000 && holes > 500 && files > 1000);
}

/* Calls that cut VMAs, and that join them, on either side. */
static void split_and_merge(void **state)
{
	uint64_t splits = 0, merges = 0, tests = 0;
	struct ref r;

	(void)state;
	assert_int_equal(ref_open(&r), 0);
	for (size_t i = 0; i < suite.n; i++) {
		struct answer answer;
		uint64_t split, merged;

		assert_true(scene_run(&r, &suite.test[i].scene, NULL));
		split = r.m.splits;
		merged = r.m.merges;
		ref_run(&r, &suite.test[i].call[0], 1, &answer);
		splits += r.m.splits > split;
		merges += r.m.merges > merged;
		tests += suite_mutator(suite.test[i].call[0].kind);
	}
	print_message("%llu tests whose A is a mutator; A splits in %llu, merges in %llu\n", (unsigned long long)tests,
		      (unsigned long long)splits, (unsigned long long)merges);
	assert_true(splits > tests / 5 && merges > tests / 20);
	ref_close(&r);
}

struct span { uint64_t lo, hi; };

static uint64_t break_before(const struct placed *p)
{
	uint64_t at = PLACED_BASE;

	for (unsigned i = 0; i < p->setups; i++)
		at = p->setup[i].kind == CALL_BRK ? p->setup[i].addr : at;
	return at;
}

/* Ranges that a call names; what brk adds or takes. */
static unsigned spans(const struct step *s, const struct placed *p, struct span span[2])
{
	uint64_t n = s->kind == CALL_MREMAP && s->form != FORM_TO && s->new_len > s->len ? s->new_len : s->len;

	if (s->kind == CALL_MMAP_ANY)
		return 0;
	if (s->kind == CALL_BRK) {
		uint64_t old = break_before(p);

		span[0] = (struct span){ s->addr < old ? s->addr : old, s->addr < old ? old : s->addr };
		return s->addr != old;
	}
	span[0] = (struct span){ s->addr, s->addr + n };
	span[1] = (struct span){ s->new_addr, s->new_addr + s->new_len };
	assert_true(span[0].lo >= p->lo && span[0].hi <= p->hi);
	return s->form == FORM_TO ? 2 : 1;
}

/* D apart, and either other VMAs lie in between, or both in one VMA. */
static void spread_means_far_apart(void **state)
{
	static const uint64_t distances[] = { PLACED_DISTANCE, UINT64_C(1) << 41 };
	struct placed p;
	unsigned near = 0;

	(void)state;
	for (size_t i = 0; i < suite.n; i++) {
		const struct test *t = &suite.test[i];
		struct span span[2][2];
		unsigned n[2];

		if (!t->spread) {
			assert_int_equal(placed_make(&p, t, PLACED_SPREAD, PLACED_DISTANCE), -22);
			continue;
		}
		assert_int_equal(placed_make(&p, t, PLACED_SPREAD, distances[i & 1]), 0);
		for (unsigned k = 0; k < 2; k++)
			n[k] = spans(&p.call[k], &p, span[k]);
		for (unsigned a = 0; a < n[0]; a++)
			for (unsigned b = 0; b < n[1]; b++)
				near += span[0][a].hi + distances[i & 1] > span[1][b].lo &&
					span[1][b].hi + distances[i & 1] > span[0][a].lo;
		if (t->relation != SUITE_SAME_PAGE)
			assert_int_equal(near, 0);
		if (t->relation != SUITE_SAME_PAGE && t->relation != SUITE_SAME_VMA)
			assert_true(p.fillers >= 1 || !t->stretch.n);
		near = 0;
	}
}

static void packed_is_side_by_side(void **state)
{
	struct placed p;

	(void)state;
	for (size_t i = 0; i < suite.n; i += 7) {
		assert_int_equal(placed_make(&p, &suite.test[i], PLACED_PACKED, PLACED_DISTANCE), 0);
		assert_int_equal(p.hi - p.lo, CALL_PAGES * PAGE);
		assert_int_equal(p.fillers, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(are_many_and_even), cmocka_unit_test(are_the_same_each_time),
		cmocka_unit_test(one_cell_is_the_same_as_in_all), cmocka_unit_test(no_two_are_isomorphic),
		cmocka_unit_test(have_what_is_interesting), cmocka_unit_test(split_and_merge),
		cmocka_unit_test(spread_means_far_apart),
		cmocka_unit_test(packed_is_side_by_side),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
