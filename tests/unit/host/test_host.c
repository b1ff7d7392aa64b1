/* SPDX-License-Identifier: MIT */
/* test_host.c - the host of vmmap-host: frames, swap, the clock, what calls cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "bench/host/host.h"

#define FRAMES 4u
#define PAGES  10u

static const struct host_cost cost = { 1, 10, 100, 1000, 0, 0, 0, 0 };
static struct host host;
static struct host_page page[PAGES];

static void set_up(void)
{
	memset(page, 0, sizeof(page));
	assert_int_equal(host_init(&host, FRAMES, &cost), 0);
}

static void tear_down(void)
{
	assert_int_equal(host_audit(&host), 0);
	host_fini(&host);
}

static void what_calls_cost(void **state)
{
	(void)state;
	set_up();
	host_write(&host, &page[0], 7);
	assert_int_equal(host.now, 11);
	assert_int_equal(host_read(&host, &page[0]), 7);
	assert_int_equal(host.now, 12);
	assert_int_equal(host_read(&host, &page[1]), 0);                         /* never written: zeroes      */
	assert_int_equal(host.used, 2);
	host_discard(&host, &page[0]);
	assert_true(host.used == 1 && host.now == 23 && host_read(&host, &page[0]) == 0);
	tear_down();
}

/* The fifth page: one goes to swap. What comes back has its content; unless it is written, it goes again for free. */
static void pages_go_to_swap(void **state)
{
	uint64_t before;

	(void)state;
	set_up();
	for (unsigned i = 0; i < FRAMES + 1; i++)
		host_write(&host, &page[i], i + 1);
	assert_true(host.outs == 1 && host.swapped == 1 && host.used == FRAMES);
	assert_int_equal(host.now, 5 * 11 + 100);
	before = host.now;
	assert_int_equal(host_read(&host, &page[0]), 1);                         /* the oldest had gone        */
	assert_true(host.ins == 1 && host.outs == 2 && host.now == before + 11 + 1000 + 100);
	for (unsigned i = 1; i < FRAMES + 1; i++)
		assert_int_equal(host_read(&host, &page[i]), i + 1);
	assert_int_equal(host.outs, FRAMES + 1);
	before = host.outs;
	for (unsigned k = 0; k < 3; k++)
		for (unsigned i = 0; i < FRAMES + 1; i++)
			assert_int_equal(host_read(&host, &page[i]), i + 1);
	assert_int_equal(host.outs, before);                                     /* all of them are in swap    */
	tear_down();
}

static void swap_is_given_back(void **state)
{
	(void)state;
	set_up();
	for (unsigned i = 0; i < FRAMES + 2; i++)
		host_write(&host, &page[i], i + 1);
	host_discard(&host, &page[0]);
	host_discard(&host, &page[1]);
	assert_true(host.swapped == 0 && host.used == FRAMES);
	assert_int_equal(host_read(&host, &page[0]), 0);
	tear_down();
}

/* What was used since the hand came by has a second chance. */
static void the_clock_spares_what_is_used(void **state)
{
	(void)state;
	set_up();
	for (unsigned i = 0; i < FRAMES + 1; i++)
		host_write(&host, &page[i], i + 1);                              /* all marks are gone, 0 too   */
	(void)host_read(&host, &page[1]);
	host_write(&host, &page[5], 6);
	assert_int_equal(host.swapped, 2);
	assert_int_equal(host.ins, 0);
	(void)host_read(&host, &page[1]);
	assert_int_equal(host.ins, 0);                                           /* it was page 2              */
	tear_down();
}

static uint64_t asked;

static uint64_t give_two(void *arg, uint64_t want)
{
	(void)arg;
	assert_true(want > 0);
	asked++;
	host_discard(&host, &page[0]);
	host_discard(&host, &page[1]);
	return 2;
}

static uint64_t give_none(void *arg, uint64_t want)
{
	(void)arg;
	(void)want;
	asked++;
	return 0;
}

static void guests_are_asked_first(void **state)
{
	(void)state;
	set_up();
	asked = 0;
	host.pressure = give_two;
	for (unsigned i = 0; i < FRAMES + 2; i++)
		host_write(&host, &page[i], i + 1);
	assert_true(asked == 1 && host.outs == 0 && host.used == FRAMES);
	host.pressure = give_none;
	asked = 0;
	host_write(&host, &page[6], 1);
	host_write(&host, &page[7], 1);
	assert_true(asked == 1 && host.outs == 2);                               /* not again so soon          */
	tear_down();
}

/* Contents are never lost, whatever happens. */
static void random_touches(void **state)
{
	uint32_t model[PAGES] = { 0 };
	struct prng rng = prng_seed(5, 0);

	(void)state;
	set_up();
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t p = prng_below(&rng, PAGES), dice = prng_below(&rng, 8);

		if (dice == 0) {
			host_discard(&host, &page[p]);
			model[p] = 0;
		} else if (dice < 4) {
			model[p] = (uint32_t)prng_next(&rng);
			host_write(&host, &page[p], model[p]);
		} else {
			assert_int_equal(host_read(&host, &page[p]), model[p]);
		}
		assert_int_equal(host_audit(&host), 0);
	}
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_calls_cost),
		cmocka_unit_test(pages_go_to_swap),
		cmocka_unit_test(swap_is_given_back),
		cmocka_unit_test(the_clock_spares_what_is_used),
		cmocka_unit_test(guests_are_asked_first),
		cmocka_unit_test(random_touches),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
