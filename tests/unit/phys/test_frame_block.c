/* SPDX-License-Identifier: MIT */
/*
 * test_frame_block.c - every word there can be, sound or not; and all transitions of each word whose counts are near a
 * border, and of many that are not, against what they are said to do, field by field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "vmmap/phys/frame_block.h"

#define BLOCK FRAME_BLOCK_FRAMES

/* A word, spelt out. */
struct view {
	uint32_t free, present, takes;
	enum frame_class class;
	bool movable_only, reporting, offline, reported;
};

static struct view view_of(uint64_t word)
{
	return (struct view){
		.free = word & 1023, .present = word >> 10 & 1023, .takes = (uint32_t)(word >> 32),
		.class = (enum frame_class)(word >> 20 & 3), .movable_only = word >> 22 & 1,
		.reporting = word >> 23 & 1, .offline = word >> 24 & 1, .reported = word >> 25 & 1,
	};
}

static uint64_t word_of(const struct view *v)
{
	return v->free | (uint64_t)v->present << 10 | (uint64_t)v->class << 20 | (uint64_t)v->movable_only << 22 |
	       (uint64_t)v->reporting << 23 | (uint64_t)v->offline << 24 | (uint64_t)v->reported << 25 |
	       (uint64_t)v->takes << 32;
}

/* The invariant, as prose has it. */
static bool sound(const struct view *v)
{
	bool whole = v->class == FRAME_CLASS_WHOLE, none = v->class == FRAME_CLASS_NONE;

	if (v->present > BLOCK || v->free > v->present || none != (v->free == v->present))
		return false;
	if (v->present == 0)
		return !v->movable_only && !v->reporting && !v->offline && !v->reported;
	if (whole && (v->present != BLOCK || v->free != 0))
		return false;
	if (v->class == FRAME_CLASS_UNMOVABLE && v->movable_only)
		return false;
	return v->free == BLOCK || (!v->reporting && !v->reported);
}

/* What a transition may do and does. */
typedef bool spec(struct view *v, uint32_t n, enum frame_class class);

static bool may_be(const struct view *v, enum frame_class class)
{
	return class == FRAME_CLASS_MOVABLE || (class == FRAME_CLASS_UNMOVABLE && !v->movable_only);
}

static void settle(struct view *v)
{
	if (v->free == v->present)
		v->class = FRAME_CLASS_NONE;
	if (v->present == 0)
		v->movable_only = v->offline = v->reporting = v->reported = false;
}

static bool promise(struct view *v, uint32_t n, enum frame_class class)
{
	if (n == 0 || n > v->free)
		return false;
	v->free -= n;
	v->takes++;
	v->reported = false;
	v->class = class;
	return true;
}

static bool take(struct view *v, uint32_t n, enum frame_class class)
{
	if (v->offline || v->reporting || !may_be(v, class) || (v->class != FRAME_CLASS_NONE && v->class != class))
		return false;
	return promise(v, n, class);
}

static bool steal(struct view *v, uint32_t n, enum frame_class class)
{
	bool unmovable = class == FRAME_CLASS_UNMOVABLE || v->class == FRAME_CLASS_UNMOVABLE;

	if (v->offline || v->reporting || !may_be(v, class))
		return false;
	return promise(v, n, unmovable ? FRAME_CLASS_UNMOVABLE : FRAME_CLASS_MOVABLE);
}

static bool take_whole(struct view *v, uint32_t n, enum frame_class class)
{
	(void)n;
	if (v->free != BLOCK || v->offline || v->reporting || !may_be(v, class))
		return false;
	return promise(v, BLOCK, FRAME_CLASS_WHOLE);
}

static bool claim(struct view *v, uint32_t n, enum frame_class class)
{
	(void)class;
	if (!v->offline || v->reporting)
		return false;
	return promise(v, n, v->class == FRAME_CLASS_NONE ? FRAME_CLASS_MOVABLE : v->class);
}

static bool give(struct view *v, uint32_t n, enum frame_class class)
{
	(void)class;
	if (n == 0 || v->class == FRAME_CLASS_WHOLE || v->free + n > v->present)
		return false;
	v->free += n;
	settle(v);
	return true;
}

static bool give_whole(struct view *v, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	if (v->class != FRAME_CLASS_WHOLE)
		return false;
	v->free = BLOCK;
	settle(v);
	return true;
}

static bool split(struct view *v, uint32_t n, enum frame_class class)
{
	(void)n;
	if (v->class != FRAME_CLASS_WHOLE || !may_be(v, class))
		return false;
	v->class = class;
	return true;
}

static bool come(struct view *v, uint32_t n, enum frame_class class)
{
	bool movable_only = class == FRAME_CLASS_MOVABLE;

	if (n == 0 || v->present + n > BLOCK || (v->present != 0 && v->movable_only != movable_only))
		return false;
	v->free += n;
	v->present += n;
	v->movable_only = movable_only;
	return true;
}

static bool go(struct view *v, uint32_t n, enum frame_class class)
{
	(void)class;
	if (n == 0 || !v->offline || v->class == FRAME_CLASS_WHOLE || v->free + n > v->present)
		return false;
	v->present -= n;
	settle(v);
	return true;
}

static bool offline(struct view *v, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	if (v->offline || v->present == 0)
		return false;
	v->offline = true;
	return true;
}

static bool online(struct view *v, uint32_t n, enum frame_class class)
{
	bool was = v->offline;

	(void)n;
	(void)class;
	v->offline = false;
	return was;
}

static bool report(struct view *v, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	if (v->free != BLOCK || v->reporting || v->offline || v->reported)
		return false;
	v->reporting = true;
	return true;
}

static bool reported(struct view *v, uint32_t n, enum frame_class class)
{
	bool was = v->reporting;

	(void)n;
	(void)class;
	v->reporting = false;
	v->reported = true;
	return was;
}

static bool unreported(struct view *v, uint32_t n, enum frame_class class)
{
	bool was = v->reporting;

	(void)n;
	(void)class;
	v->reporting = false;
	return was;
}

static const struct { const char *name; frame_block_step *step; spec *spec; } transition[] = {
	{ "take", frame_block_take, take }, { "steal", frame_block_steal, steal },
	{ "take_whole", frame_block_take_whole, take_whole }, { "claim", frame_block_claim, claim },
	{ "give", frame_block_give, give }, { "give_whole", frame_block_give_whole, give_whole },
	{ "split", frame_block_split, split }, { "come", frame_block_come, come }, { "go", frame_block_go, go },
	{ "offline", frame_block_offline, offline }, { "online", frame_block_online, online },
	{ "report", frame_block_report, report }, { "reported", frame_block_reported, reported },
	{ "unreported", frame_block_unreported, unreported },
};

static void check(unsigned i, uint64_t word, uint32_t n, enum frame_class class)
{
	struct view v = view_of(word);
	uint64_t is = transition[i].step(word, n, class);
	bool may = transition[i].spec(&v, n, class);

	if (may ? is == word_of(&v) && frame_block_valid(is) && sound(&v) : is == FRAME_BLOCK_NO)
		return;
	fail_msg("%s(%#llx, %u, %d) = %#llx, not %#llx", transition[i].name, (unsigned long long)word, n, class,
		 (unsigned long long)is, may ? (unsigned long long)word_of(&v) : (unsigned long long)FRAME_BLOCK_NO);
}

/* All amounts at which anything changes. */
static void check_word(const struct view *v)
{
	uint64_t word = word_of(v);
	uint32_t out = v->present - v->free;
	const uint32_t amount[] = { 0, 1, v->free, v->free + 1, out, out + 1, BLOCK - v->present, BLOCK };

	for (unsigned i = 0; i < ARRAY_SIZE(transition); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(amount); k++)
			for (int class = FRAME_CLASS_NONE; class <= FRAME_CLASS_UNMOVABLE; class++)
				check(i, word, amount[k], (enum frame_class)class);
}

/* Every class and every flag with it, sound or not. */
static uint64_t check_counts(uint32_t free, uint32_t present, bool all)
{
	uint64_t words = 0;

	for (unsigned flags = 0; flags < 64; flags++) {
		struct view v = {
			.free = free, .present = present, .takes = flags & 1 ? UINT32_MAX : 7,
			.class = (enum frame_class)(flags & 3), .movable_only = flags >> 2 & 1,
			.reporting = flags >> 3 & 1, .offline = flags >> 4 & 1, .reported = flags >> 5 & 1,
		};

		if (frame_block_valid(word_of(&v)) != sound(&v))
			fail_msg("%#llx: sound or not?", (unsigned long long)word_of(&v));
		if (!sound(&v))
			continue;
		words++;
		if (all)
			check_word(&v);
	}
	return words;
}

/* Counts far from any border behave like their neighbours: of those every 61st is tried. */
static bool at_border(uint32_t n)
{
	return n < 3 || n > BLOCK - 3 || (n > 62 && n < 67) || n % 61 == 0;
}

static void all_words(void **state)
{
	uint64_t words = 0;

	(void)state;
	for (uint32_t present = 0; present <= BLOCK + 1; present++)
		for (uint32_t free = 0; free <= BLOCK + 1; free++)
			words += check_counts(free, present, at_border(present) || at_border(free) ||
					      at_border(present - free));
	assert_true(words > 500000);
}

static void no_other_bits(void **state)
{
	(void)state;
	for (unsigned bit = 26; bit < 32; bit++)
		assert_false(frame_block_valid(UINT64_C(1) << bit));
	assert_false(frame_block_valid(FRAME_BLOCK_NO));
	assert_true(frame_block_valid(0));
}

/* What isolation is for: what was out before it comes back to a block that gives nothing. */
static void isolated_block_gives_nothing(void **state)
{
	uint64_t word = frame_block_come(0, BLOCK, FRAME_CLASS_NONE);

	(void)state;
	word = frame_block_take(word, 3, FRAME_CLASS_MOVABLE);
	word = frame_block_offline(word, 0, FRAME_CLASS_NONE);
	assert_true(frame_block_take(word, 1, FRAME_CLASS_MOVABLE) == FRAME_BLOCK_NO);
	assert_true(frame_block_steal(word, 1, FRAME_CLASS_MOVABLE) == FRAME_BLOCK_NO);
	assert_false(frame_block_drained(word));
	word = frame_block_give(word, 3, FRAME_CLASS_NONE);
	assert_true(frame_block_drained(word));
	assert_true(frame_block_take_whole(word, 0, FRAME_CLASS_MOVABLE) == FRAME_BLOCK_NO);
	word = frame_block_claim(word, BLOCK, FRAME_CLASS_NONE);
	word = frame_block_go(word, BLOCK, FRAME_CLASS_NONE);
	assert_int_equal((uint32_t)word, 0);             /* all that is left is that it was taken from            */
	assert_int_equal(frame_block_takes(word), 2);
}

/* Reported until the next use, and no longer. */
static void reported_until_taken(void **state)
{
	uint64_t word = frame_block_come(0, BLOCK, FRAME_CLASS_NONE);

	(void)state;
	word = frame_block_report(word, 0, FRAME_CLASS_NONE);
	assert_true(frame_block_take(word, 1, FRAME_CLASS_MOVABLE) == FRAME_BLOCK_NO);
	word = frame_block_reported(word, 0, FRAME_CLASS_NONE);
	assert_true(frame_block_report(word, 0, FRAME_CLASS_NONE) == FRAME_BLOCK_NO);
	word = frame_block_take(word, 1, FRAME_CLASS_MOVABLE);
	assert_false(word & FRAME_BLOCK_REPORTED);
	word = frame_block_give(word, 1, FRAME_CLASS_NONE);
	assert_true(frame_block_report(word, 0, FRAME_CLASS_NONE) != FRAME_BLOCK_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_words),
		cmocka_unit_test(no_other_bits),
		cmocka_unit_test(isolated_block_gives_nothing),
		cmocka_unit_test(reported_until_taken),
	};

	return cmocka_run_group_tests_name("frame_block", tests, NULL, NULL);
}
