/* SPDX-License-Identifier: MIT */
/* test_experiment.c - guests of vmmap-host, small: what a guest promises, what the arms must show, planted errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "bench/host/experiment.h"

#define MIB(n) ((uint64_t)(n) << 8)
#define SECOND UINT64_C(1000000000)

static struct host host;
static struct guest guest;

static const struct guest_config guest_config = {
	.frames = MIB(64), .kernel = MIB(8), .files = MIB(40), .reserve = MIB(2), .reports = true, .age = 2 * SECOND,
	.seed = 3,
};

static void no_tick(void *arg) { (void)arg; }

static void set_up(void)
{
	static const struct host_cost cost = HOST_COST;

	assert_int_equal(host_init(&host, MIB(100), &cost), 0);
	assert_int_equal(guest_init(&guest, &host, 1, &guest_config), 0);
}

static void tear_down(uint64_t violations)
{
	assert_int_equal(guest_audit(&guest), violations);
	guest_fini(&guest);
	assert_int_equal(host.used, 0);
	assert_int_equal(host_audit(&host), 0);
	host_fini(&host);
}

static void tell_all(void)
{
	for (unsigned i = 0; i < 3; i++) {
		host.now += 3 * SECOND;
		guest_tick(&guest);
	}
	assert_true(guest_all_told(&guest));
}

static void what_is_freed_goes_to_the_host(void **state)
{
	(void)state;
	set_up();
	guest_hog(&guest, MIB(50), no_tick, NULL);
	assert_int_equal(host.used, MIB(58));
	guest_hog_ends(&guest, no_tick, NULL);
	assert_int_equal(host.used, MIB(58));
	tell_all();
	assert_int_equal(host.used, MIB(8));
	tear_down(0);
}

/* Files stay until a program wants the memory; the oldest go first; what is left is there the next time. */
static void files_stay_in_the_cache(void **state)
{
	uint64_t before;

	(void)state;
	set_up();
	guest_read_files(&guest, no_tick, NULL);
	assert_int_equal(guest.read - guest.dropped, MIB(40));
	before = host.now;
	guest_read_files(&guest, no_tick, NULL);
	assert_true(host.now - before == MIB(40) * host.cost.touch && guest.read == MIB(40));
	guest_hog(&guest, MIB(50), no_tick, NULL);
	assert_true(guest.read - guest.dropped <= MIB(6));
	guest_hog_ends(&guest, no_tick, NULL);
	tell_all();
	assert_true(host.used >= MIB(8) + guest.read - guest.dropped);
	guest_read_files(&guest, no_tick, NULL);
	assert_int_equal(guest.read - guest.dropped, MIB(40));
	tear_down(0);
}

static void a_cache_shrinks(void **state)
{
	uint64_t got;

	(void)state;
	set_up();
	guest_read_files(&guest, no_tick, NULL);
	got = guest_shrink(&guest, MIB(16));
	assert_true(got >= MIB(12) && got <= MIB(16));
	assert_int_equal(guest.dropped, MIB(16));
	while (guest_shrink(&guest, MIB(16)) != 0)
		;
	assert_int_equal(host.used, MIB(8));
	tear_down(0);
}

/* The host squeezes a guest; its program has the memory back when it wants it. */
static void a_balloon_gives_back(void **state)
{
	struct guest_config c = guest_config;
	static const struct host_cost cost = HOST_COST;

	(void)state;
	c.reports = false;
	c.balloon = true;
	assert_int_equal(host_init(&host, MIB(100), &cost), 0);
	assert_int_equal(guest_init(&guest, &host, 1, &c), 0);
	guest_read_files(&guest, no_tick, NULL);
	while (guest_has(&guest) != 0)
		(void)guest_shrink(&guest, MIB(1));
	assert_true(host.used <= MIB(10) && guest.used >= MIB(63));
	guest_hog(&guest, MIB(50), no_tick, NULL);
	guest_hog_ends(&guest, no_tick, NULL);
	tear_down(0);
}

/* The host takes a page that is in use: the program that has it notices. */
static void what_is_lost_is_noticed(void **state)
{
	(void)state;
	set_up();
	guest_hog(&guest, MIB(10), no_tick, NULL);
	host_discard(&host, &guest.page[guest.hog[77]]);
	guest_hog_ends(&guest, no_tick, NULL);
	tear_down(1);
}

/* ... and one of a reported block that has a frame. */
static void what_is_kept_is_noticed(void **state)
{
	uint64_t told = 0;

	(void)state;
	set_up();
	tell_all();
	while (!(frame_bits_word(&guest.bits, told) & FRAME_BLOCK_REPORTED))
		told++;
	host_write(&host, &guest.page[told * FRAME_BLOCK_FRAMES], 5);
	assert_int_equal(guest_audit(&guest), 1);
	host_discard(&host, &guest.page[told * FRAME_BLOCK_FRAMES]);
	tear_down(0);
}

/* ---- arms ---- */

static struct experiment_setup setup = {
	.host_frames = MIB(150), .hog = MIB(40), .cost = HOST_COST, .guests = 8, .last = 4, .settle = 10 * SECOND,
	.guest = { .frames = MIB(52), .kernel = MIB(5), .files = MIB(40), .reserve = MIB(1), .age = 2 * SECOND,
		   .seed = 1 },
};

static void run(bool reports, bool caches, bool hook, struct experiment_outcome *out)
{
	struct experiment_arm arm = { reports, caches, hook, false };

	assert_int_equal(experiment_run(&setup, &arm, out), 0);
	assert_int_equal(out->wrong, 0);
	assert_true(out->samples > 10 && out->last_life >= out->last_hog);
}

/* By bitmap and by captures. */
static void what_the_arms_show(void **state)
{
	static struct experiment_outcome plain, full, reports, reports_full, hook;

	(void)state;
	for (setup.guest.capture = 0; setup.guest.capture <= 8; setup.guest.capture += 8) {
		run(false, false, false, &plain);
		run(false, true, false, &full);
		run(true, false, false, &reports);
		run(true, true, false, &reports_full);
		run(true, true, true, &hook);
		assert_true(plain.fit == 3 && plain.outs > 0 && plain.reported == 0);
		assert_true(reports.all_fit && reports.fit == 8 && reports.outs == 0);
		assert_true(plain.last_hog > 5 * reports.last_hog);
		assert_true(full.fit <= 3 && reports_full.fit <= 3 && full.outs > 0 && reports_full.outs > 0);
		assert_true(hook.fit == 8 && hook.outs == 0);
		assert_true(reports.told_after > 0 && reports.told_after <= reports.bound);
	}
	setup.guest.capture = 0;
}

/* Balloons: as many guests, and the host asks for the memory only when it is short of it. */
static void what_balloons_show(void **state)
{
	static struct experiment_outcome out;

	(void)state;
	for (int caches = 0; caches < 2; caches++) {
		struct experiment_arm arm = { false, caches, true, true };

		assert_int_equal(experiment_run(&setup, &arm, &out), 0);
		assert_true(out.wrong == 0 && out.all_fit && out.fit == 8 && out.outs == 0);
	}
}

static void the_same_again(void **state)
{
	static struct experiment_outcome first, second, other;

	(void)state;
	run(true, true, true, &first);
	run(true, true, true, &second);
	assert_memory_equal(&first, &second, sizeof(first));
	setup.guest.seed = 2;
	run(true, true, true, &other);
	setup.guest.seed = 1;
	assert_memory_not_equal(&first, &other, sizeof(first));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_freed_goes_to_the_host),
		cmocka_unit_test(files_stay_in_the_cache),
		cmocka_unit_test(a_cache_shrinks),
		cmocka_unit_test(a_balloon_gives_back),
		cmocka_unit_test(what_is_lost_is_noticed),
		cmocka_unit_test(what_is_kept_is_noticed),
		cmocka_unit_test(what_the_arms_show),
		cmocka_unit_test(what_balloons_show),
		cmocka_unit_test(the_same_again),
	};

	return cmocka_run_group_tests_name("experiment", tests, NULL, NULL);
}
