/* SPDX-License-Identifier: MIT */
/* test_frame_report.c - blocks are told to a host: rules one by one. Many threads: test_frame_report_threads.c. */
#include "base/mem.h"
#include "tests/unit/phys/frame_report_fixture.h"

static void what_is_free_is_told_once(void **state)
{
	(void)state;
	set_up(false, 0, FRAMES);
	reporter(config());
	pass(FRAME_REPORT_SOME);
	assert_int_equal(result.accepted, BLOCKS);
	assert_int_equal(result.calls, 1);
	assert_int_equal(reported(), BLOCKS);
	pass(FRAME_REPORT_ALL);
	assert_int_equal(result.accepted + result.looks, 0);                     /* one word for 64 blocks     */
	assert_int_equal(result.words, 1);
	end();
}

static void who_takes_ends_it(void **state)
{
	uint64_t whole;

	(void)state;
	set_up(false, 0, FRAMES);
	reporter(config());
	pass(FRAME_REPORT_ALL);
	whole = take(3, FRAME_BLOCK_ORDER);
	assert_false(is_reported(3));
	pass(FRAME_REPORT_ALL);
	assert_int_equal(host.told[3], 1);                                       /* it is in use               */
	give(whole, FRAME_BLOCK_ORDER);
	pass(FRAME_REPORT_ALL);
	pass(FRAME_REPORT_ALL);
	assert_int_equal(host.told[3], 2);
	assert_int_equal(host.told[2], 1);
	end();
}

/* Taken from since the pass before: the next one; so within two. Or now, if that is asked for, or nobody minds. */
static void what_is_in_use_is_left_alone(void **state)
{
	struct frame_report_config c = config();

	(void)state;
	set_up(false, 0, FRAMES);
	reporter(c);
	pass(FRAME_REPORT_ALL);
	touch(5);
	pass(FRAME_REPORT_ALL);
	assert_true(!is_reported(5) && result.put_off == 1);
	touch(5);
	pass(FRAME_REPORT_ALL);
	assert_false(is_reported(5));
	pass(FRAME_REPORT_ALL);
	assert_true(is_reported(5));
	touch(5);
	pass(FRAME_REPORT_NOW);
	assert_true(is_reported(5));
	frame_report_fini(&report);
	c.idle = false;
	reporter(c);
	touch(5);
	pass(FRAME_REPORT_ALL);
	assert_true(is_reported(5));
	end();
}

/* Each block has a verdict of its own. */
static void the_host_decides(void **state)
{
	(void)state;
	set_up(false, 0, FRAMES);
	reporter(config());
	host.says[1] = FRAME_REFUSED;
	host.says[4] = FRAME_LATER;
	pass(FRAME_REPORT_ALL);
	assert_true(result.accepted == BLOCKS - 2 && result.refused == 1 && result.later == 1);
	assert_true(!is_reported(1) && !is_reported(4) && is_reported(0) && is_reported(2));
	host.says[1] = host.says[4] = FRAME_ACCEPTED;
	pass(FRAME_REPORT_ALL);
	assert_true(!is_reported(1) && is_reported(4));
	touch(1);                                                                /* used again                 */
	pass(FRAME_REPORT_NOW);
	assert_true(is_reported(1));
	end();
}

static void few_wait(void **state)
{
	struct frame_report_config c = config();

	(void)state;
	set_up(false, 0, FRAMES);
	c.notify = 3;
	reporter(c);
	pass(FRAME_REPORT_ALL);
	touch(0);
	touch(7);
	pass(FRAME_REPORT_NOW);
	touch(0);
	touch(7);
	for (unsigned i = 0; i < 3; i++) {
		pass(FRAME_REPORT_SOME);
		assert_int_equal(result.calls, 0);
		assert_int_equal(result.put_off, 2);
	}
	touch(3);
	pass(FRAME_REPORT_SOME);
	pass(FRAME_REPORT_SOME);
	assert_int_equal(result.accepted, 3);
	touch(0);
	pass(FRAME_REPORT_SOME);
	pass(FRAME_REPORT_ALL);
	assert_int_equal(result.accepted, 1);
	end();
}

/* Never more at a time than leave `low` frames; none, if that is all there is. */
static void some_stay_to_be_had(void **state)
{
	struct frame_report_config c = config();
	uint64_t whole[BLOCKS];

	(void)state;
	set_up(false, 0, FRAMES);
	c.low = 2 * BLOCK + 1;
	c.most = 4;
	reporter(c);
	pass(FRAME_REPORT_ALL);
	assert_true(result.accepted == BLOCKS && result.calls == 2);             /* reported is free, too      */
	for (uint64_t i = 0; i < BLOCKS; i++)
		whole[i] = take(i, FRAME_BLOCK_ORDER);
	for (uint64_t i = 0; i < 4; i++)
		give(whole[i], FRAME_BLOCK_ORDER);
	pass(FRAME_REPORT_NOW);
	assert_true(result.accepted == 4 && result.calls == 4);                  /* one by one                 */
	for (uint64_t i = 2; i < 4; i++)
		whole[i] = take(i, FRAME_BLOCK_ORDER);
	touch(1);
	pass(FRAME_REPORT_NOW);
	assert_true(result.short_of_room && result.accepted == 0 && result.put_off == 1);
	for (uint64_t i = 4; i < 7; i++)
		give(whole[i], FRAME_BLOCK_ORDER);
	pass(FRAME_REPORT_NOW);
	assert_true(!result.short_of_room && result.accepted == 4 && result.calls == 2);
	end();
}

static void banks_are_told_apart(void **state)
{
	(void)state;
	set_up(false, 0, FRAMES);
	reporter(config());
	host.bank_blocks = 3;
	pass(FRAME_REPORT_ALL);
	assert_true(result.accepted == BLOCKS && result.calls == 3);             /* 3, 3, 2: host_tell looks   */
	end();
}

/* Blocks of which a part is there are nobody's page; what goes and comes is told anew. */
static void blocks_come_and_go(void **state)
{
	(void)state;
	set_up(false, 100, FRAMES - 100);
	reporter(config());
	pass(FRAME_REPORT_ALL);
	assert_true(result.accepted == BLOCKS - 2 && host.told[0] == 0 && host.told[BLOCKS - 1] == 0);
	plug(0, 100, FRAME_CLASS_NONE);
	pass(FRAME_REPORT_ALL);
	assert_int_equal(host.told[0], 1);
	assert_true(step(4, frame_block_offline));
	touch(3);
	pass(FRAME_REPORT_NOW);
	assert_true(step(4, frame_block_online));
	pass(FRAME_REPORT_ALL);
	assert_int_equal(host.told[4], 1);                                       /* nobody took from it        */
	assert_true(step(4, frame_block_offline));
	assert_int_equal(frame_bits_claim(&bits, 4 * BLOCK, 5 * BLOCK), BLOCK);
	frame_bits_go(&bits, 4 * BLOCK, 5 * BLOCK);
	pass(FRAME_REPORT_ALL);
	plug(4 * BLOCK, 5 * BLOCK, FRAME_CLASS_NONE);
	pass(FRAME_REPORT_NOW);
	assert_int_equal(host.told[4], 2);
	end();
}

/* An unplug that gives up: what it had claimed is free again, and is told when the block is not offline any more. */
static void an_unplug_gives_up(void **state)
{
	(void)state;
	set_up(false, 0, FRAMES);
	reporter(config());
	assert_true(step(2, frame_block_offline));
	assert_int_equal(frame_bits_claim(&bits, 2 * BLOCK, 3 * BLOCK), BLOCK);
	pass(FRAME_REPORT_NOW);
	assert_int_equal(host.told[2], 0);
	for (unsigned i = 0; i < BLOCK; i += 64)
		give(2 * BLOCK + i, 6);
	pass(FRAME_REPORT_NOW);
	assert_int_equal(host.told[2], 0);
	assert_true(step(2, frame_block_online));
	pass(FRAME_REPORT_NOW);
	assert_int_equal(host.told[2], 1);
	end();
}

/* ---- when ---- */

static bool asked(void) { return frame_report_wait(&report, PARK_TRY) == FRAME_REPORT_SOME; }

static void enough_ask_for_a_pass(void **state)
{
	struct frame_report_config c = config();

	(void)state;
	set_up(false, 0, FRAMES);
	c.begin = 3;
	reporter(c);
	pass(FRAME_REPORT_ALL);
	touch(0);
	touch(0);                                                                /* noted already              */
	touch(1);
	assert_false(asked());
	touch(2);
	assert_true(asked());
	pass(FRAME_REPORT_SOME);
	assert_false(asked());
	frame_report_ask(&report);
	assert_true(asked());
	end();
}

/* The array of a slot asks when it is full; what finds no place in it is found all the same. */
static bool captures_lose(void)
{
	struct frame_report_config c = config();
	unsigned n;

	set_up(false, 0, FRAMES);
	c.capture = 4;
	reporter(c);
	pass(FRAME_REPORT_ALL);
	assert_int_equal(reported(), BLOCKS);
	for (uint64_t i = 0; i < 3; i++)
		touch(7 - i);
	assert_false(asked());
	touch(0);
	assert_true(asked());
	pass(FRAME_REPORT_NOW);
	assert_int_equal(result.accepted, 4);
	for (uint64_t i = 0; i < BLOCKS; i++)
		touch(i);
	pass(FRAME_REPORT_NOW);
	n = reportable();
	assert_int_equal(result.accepted, BLOCKS - n);
	end();
	return n != 0;
}

static void full_captures_lose_nothing(void **state)
{
	(void)state;
	point_reset();
	assert_false(captures_lose());
	if (!point_available())
		return;
	assert_int_equal(point_mutant_select("frame_report_misses"), 0);
	assert_true(captures_lose());
	point_reset();
}

/* ---- errors ---- */

static void what_cannot_be(void **state)
{
	struct frame_report_config c = config();

	(void)state;
	set_up(false, 0, FRAMES);
	assert_int_equal(frame_report_init(&report, &bits), 0);
	assert_int_equal(frame_report_begin(&report, &c), -EINVAL);              /* nobody to tell             */
	c.tell = host_tell;
	c.capture = 5;
	assert_int_equal(frame_report_begin(&report, &c), -EINVAL);
	c.capture = 0;
	c.notify = c.most + 1;
	assert_int_equal(frame_report_begin(&report, &c), -EINVAL);
	c.notify = c.most = 0;
	assert_int_equal(frame_report_begin(&report, &c), -EINVAL);
	assert_null(atomic_load_relaxed(&bits.listener));
	frame_report_fini(&report);
	tear_down();
}

/* Without memory there is no report; or a slot has no array, which is a full one. */
static void no_memory(void **state)
{
	struct frame_report_config c = config();
	int err;

	(void)state;
	set_up(false, 0, FRAMES);
	c.tell = host_tell;
	for (unsigned n = 1;; n++) {
		mem_fail_nth(n);
		err = frame_report_init(&report, &bits);
		mem_fail_nth(0);
		if (err == 0)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	frame_report_fini(&report);
	c.capture = 4;
	reporter(c);
	pass(FRAME_REPORT_ALL);
	mem_fail_from(1);
	touch(1);
	touch(2);
	mem_fail_nth(0);
	assert_true(asked());
	pass(FRAME_REPORT_NOW);
	assert_int_equal(result.accepted, 2);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_free_is_told_once),
		cmocka_unit_test(who_takes_ends_it),
		cmocka_unit_test(what_is_in_use_is_left_alone),
		cmocka_unit_test(the_host_decides),
		cmocka_unit_test(few_wait),
		cmocka_unit_test(some_stay_to_be_had),
		cmocka_unit_test(banks_are_told_apart),
		cmocka_unit_test(blocks_come_and_go),
		cmocka_unit_test(an_unplug_gives_up),
		cmocka_unit_test(enough_ask_for_a_pass),
		cmocka_unit_test(full_captures_lose_nothing),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("frame_report", tests, NULL, NULL);
}
