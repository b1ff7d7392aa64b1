/* SPDX-License-Identifier: MIT */
/* test_line.c - the cost model on sequences made by hand: which access is a transfer, from where, and when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "bench/manycore/line.h"
#include "bench/sim/kernel.h"

const long kernel_cpus = 1;

#define WITHIN 50
#define ACROSS 100
#define COLD   7

static const struct line_costs costs = { WITHIN, ACROSS, COLD, 2 };      /* cores 0, 1 | 2, 3 | ...              */
static const char here, there;

struct step { uint32_t core; char op; enum line_event event; uint64_t took; };

/* Each step is asked for long after the one before has ended. */
static void play(const struct step *step, size_t n)
{
	struct line_table t;
	uint64_t now = 1000;

	assert_int_equal(line_init(&t, 70, &costs), 0);
	for (size_t i = 0; i < n; i++, now += 1000) {
		struct line *line = line_at(&t, 12345678);
		bool store = step[i].op == 'w';
		struct line_ask ask = { step[i].core, store, &here, now };
		uint64_t done;

		assert_int_equal(line_hit(&t, line, ask.core, store), step[i].event == LINE_HIT);
		if (step[i].event == LINE_HIT)
			continue;
		assert_int_equal(line_take(&t, 12345678, &ask, &done), step[i].event);
		assert_int_equal(done - now, step[i].took);
		assert_true(line_hit(&t, line, ask.core, store));
	}
	line_fini(&t);
}

static void one_core_pays_once(void **state)
{
	static const struct step steps[] = {
		{ 0, 'r', LINE_COLD, COLD }, { 0, 'r', LINE_HIT, 0 }, { 0, 'w', LINE_HIT, 0 }, { 0, 'r', LINE_HIT, 0 },
	};

	(void)state;
	play(steps, ARRAY_SIZE(steps));
}

static void readers_share(void **state)
{
	static const struct step steps[] = {
		{ 0, 'w', LINE_COLD, COLD },
		{ 1, 'r', LINE_LOADED, WITHIN }, { 2, 'r', LINE_LOADED, ACROSS },
		{ 3, 'r', LINE_LOADED, WITHIN },                 /* from core 2, which has it by now */
		{ 69, 'r', LINE_LOADED, ACROSS },
		{ 0, 'r', LINE_HIT, 0 }, { 1, 'r', LINE_HIT, 0 }, { 2, 'r', LINE_HIT, 0 }, { 69, 'r', LINE_HIT, 0 },
	};

	(void)state;
	play(steps, ARRAY_SIZE(steps));
}

static void a_store_takes_all_copies(void **state)
{
	static const struct step steps[] = {
		{ 0, 'w', LINE_COLD, COLD },
		{ 1, 'w', LINE_STORED, WITHIN }, { 0, 'r', LINE_LOADED, WITHIN },
		{ 1, 'w', LINE_STORED, WITHIN },                 /* it has it, but not alone */
		{ 2, 'r', LINE_LOADED, ACROSS },
		{ 1, 'w', LINE_STORED, ACROSS },                 /* the farthest copy */
		{ 1, 'w', LINE_HIT, 0 }, { 1, 'r', LINE_HIT, 0 },
		{ 2, 'r', LINE_LOADED, ACROSS }, { 0, 'r', LINE_LOADED, WITHIN },
		{ 2, 'w', LINE_STORED, ACROSS }, { 0, 'r', LINE_LOADED, ACROSS },
	};

	(void)state;
	play(steps, ARRAY_SIZE(steps));
}

static void who_asks_meanwhile_queues(void **state)
{
	struct line_table t;
	struct line *line;
	uint64_t done;

	(void)state;
	assert_int_equal(line_init(&t, 70, &costs), 0);
	line = line_at(&t, 99);
	assert_int_equal(line_take(&t, 99, &(struct line_ask){ 0, true, &there, 1000 }, &done), LINE_COLD);
	assert_int_equal(line_take(&t, 99, &(struct line_ask){ 2, true, &here, 2000 }, &done), LINE_STORED);
	assert_int_equal(done, 2000 + ACROSS);
	assert_int_equal(line_take(&t, 99, &(struct line_ask){ 4, true, &here, 2010 }, &done), LINE_STORED);
	assert_int_equal(done, 2000 + 2 * ACROSS);
	assert_int_equal(line_take(&t, 99, &(struct line_ask){ 5, false, &here, 2020 }, &done), LINE_LOADED);
	assert_int_equal(done, 2000 + 2 * ACROSS + WITHIN);
	assert_ptr_equal(line_writer(line), &here);
	line_fini(&t);
}

static uint64_t ends(struct line_table *t, uint32_t core, bool store, uint64_t now)
{
	uint64_t done = 0;

	(void)line_take(t, 99, &(struct line_ask){ core, store, &here, now }, &done);
	return done;
}

static void sockets_read_at_once(void **state)
{
	struct line_table t;

	(void)state;
	assert_int_equal(line_init(&t, 70, &costs), 0);
	assert_int_equal(ends(&t, 0, true, 1000), 1000 + COLD);
	assert_int_equal(ends(&t, 2, false, 2000), 2000 + ACROSS);
	assert_int_equal(ends(&t, 4, false, 2000), 2000 + 2 * ACROSS);           /* across: one after the other */
	assert_int_equal(ends(&t, 3, false, 2110), 2110 + WITHIN);               /* from core 2: it has come there */
	assert_int_equal(ends(&t, 5, false, 2110), 2000 + 2 * ACROSS + WITHIN);  /* not yet there */
	assert_int_equal(ends(&t, 1, true, 2111), 2000 + 3 * ACROSS + WITHIN);   /* a store waits for all of them */
	line_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_core_pays_once),
		cmocka_unit_test(readers_share),
		cmocka_unit_test(a_store_takes_all_copies),
		cmocka_unit_test(who_asks_meanwhile_queues),
		cmocka_unit_test(sockets_read_at_once),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
