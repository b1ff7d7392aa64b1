/* SPDX-License-Identifier: MIT */
/* frame_report_fixture.h - a machine of some blocks, and a host that is told of them and looks what it is told. */
#ifndef TESTS_UNIT_PHYS_FRAME_REPORT_FIXTURE_H
#define TESTS_UNIT_PHYS_FRAME_REPORT_FIXTURE_H

#include "tests/unit/phys/frame_bits_fixture.h"
#include "vmmap/phys/frame_report.h"

static struct frame_report report;
static struct frame_report_result result;

static struct {
	enum frame_verdict says[BLOCKS];
	unsigned told[BLOCKS], calls, bank_blocks;       /* bank_blocks 0: one bank                                 */
	void (*meanwhile)(void);
} host;

static inline uint64_t host_bank(void *arg, uint64_t block)
{
	(void)arg;
	return host.bank_blocks ? block / host.bank_blocks : 0;
}

static inline void host_tell(void *arg, struct frame_told *told, unsigned n)
{
	host.calls++;
	assert_true(n > 0 && n <= report.config.most);
	for (unsigned i = 0; i < n; i++) {
		uint64_t block = told[i].block;

		assert_true(frame_bits_word(&bits, block) & FRAME_BLOCK_REPORTING);
		assert_true(frame_block_all_free(frame_bits_word(&bits, block)));
		assert_int_equal(told[i].verdict, FRAME_LATER);
		assert_true(i == 0 || told[i - 1].block < block);
		assert_true(host_bank(arg, told[0].block) == host_bank(arg, block));
		told[i].verdict = host.says[block];
		host.told[block]++;
	}
	if (host.meanwhile != NULL)
		host.meanwhile();
}

/* All blocks are plugged, nothing has been told, and low is 0. */
static inline void reporter(struct frame_report_config c)
{
	memset(&host, 0, sizeof(host));
	for (unsigned i = 0; i < BLOCKS; i++)
		host.says[i] = FRAME_ACCEPTED;
	c.tell = host_tell;
	c.bank = host_bank;
	assert_int_equal(frame_report_init(&report, &bits), 0);
	assert_int_equal(frame_report_begin(&report, &c), 0);
}

static inline struct frame_report_config config(void)
{
	struct frame_report_config c = FRAME_REPORT_CONFIG;

	c.low = 0;
	return c;
}

static inline void end(void)
{
	frame_report_fini(&report);
	tear_down();
}

static inline void pass(enum frame_report_how how)
{
	assert_int_equal(frame_report_pass(&report, how, &result), 0);
}

static inline bool is_reported(uint64_t block) { return frame_bits_word(&bits, block) & FRAME_BLOCK_REPORTED; }

static inline unsigned reported(void)
{
	unsigned n = 0;

	for (uint64_t block = 0; block < BLOCKS; block++)
		n += is_reported(block);
	return n;
}

static inline unsigned reportable(void)
{
	unsigned n = 0;

	for (uint64_t block = 0; block < BLOCKS; block++)
		n += frame_block_reportable(frame_bits_word(&bits, block));
	return n;
}

static inline uint64_t take(uint64_t block, unsigned order)
{
	uint64_t index;

	assert_true(frame_bits_take_in(&bits, block, order, FRAME_CLASS_MOVABLE, false, &index));
	return index;
}

static inline void give(uint64_t index, unsigned order) { assert_int_equal(frame_bits_give(&bits, index, order), 0); }

static inline void touch(uint64_t block) { give(take(block, 0), 0); }

#endif
