/* SPDX-License-Identifier: MIT */
/* test_pt.c - walk, zap, protect, move, one thread at a time; locked entries with a second one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "vmmap/pt/pt.h"

#define KIB4  UINT64_C(0x1000)
#define MIB2  UINT64_C(0x200000)
#define GIB   UINT64_C(0x40000000)
#define GIB512 (GIB * 512)
#define RW    (PT_PRESENT | PT_READ | PT_WRITE)

static struct pt pt;
static struct thread_slot *self;
static uint64_t bytes_before;

static int setup(void **state)
{
	(void)state;
	self = thread_self();
	bytes_before = mem_bytes(MEM_TABLE);
	return pt_init(&pt);
}

/* ---- helpers ---- */

struct taken {
	struct pt_batch batch;
	uint64_t n, sum, flushes;
};

static void taken_flush(struct pt_batch *b)
{
	struct taken *t = b->arg;

	t->flushes++;
	t->n += b->n;
	for (unsigned i = 0; i < b->n; i++)
		t->sum += pt_pfn(b->entry[i]);
	b->n = 0;
}

static struct taken zap(uint64_t lo, uint64_t hi)
{
	struct taken t = { .batch.flush = taken_flush };

	t.batch.arg = &t;
	rcu_enter(self);
	pt_zap(&pt, (struct lock_range){ lo, hi }, &t.batch);
	rcu_leave(self);
	taken_flush(&t.batch);
	return t;
}

static void set(uint64_t addr, uint64_t entry)
{
	atomic_u64 *word;

	rcu_enter(self);
	word = pt_make(&pt, self, addr);
	assert_non_null(word);
	assert_true(pt_lock(word, 0));
	pt_store(word, entry);
	rcu_leave(self);
}

static uint64_t get(uint64_t addr)
{
	atomic_u64 *word;
	uint64_t value;

	rcu_enter(self);
	word = pt_find(&pt, addr);
	value = word ? atomic_load_seqcst(word) : 0;
	rcu_leave(self);
	return value;
}

static int teardown(void **state)
{
	(void)state;
	zap(0, ADDRESS_END);
	if (pt_audit(&pt, stderr))
		return -1;
	pt_fini(&pt);
	return mem_bytes(MEM_TABLE) == bytes_before ? 0 : -1;
}

/* ---- walking ---- */

static const uint64_t borders[] = {
	0, KIB4, MIB2 - KIB4, MIB2, GIB - KIB4, GIB, GIB + MIB2, GIB512 - KIB4, GIB512, 3 * GIB512 + 5 * GIB + 7 * MIB2,
	ADDRESS_END - KIB4,
};
#define BORDERS (sizeof(borders) / sizeof(borders[0]))

static void test_find_and_make(void **state)
{
	(void)state;
	rcu_enter(self);
	for (size_t i = 0; i < BORDERS; i++) {
		atomic_u64 *word = pt_make(&pt, self, borders[i]);

		assert_non_null(word);
		assert_ptr_equal(word, pt_find(&pt, borders[i]));
		assert_ptr_equal(word, pt_find(&pt, borders[i] + KIB4 - 1));
		assert_int_equal(*word, 0);
	}
	assert_null(pt_find(&pt, 2 * GIB));
	assert_null(pt_find(&pt, 9 * GIB512));
	rcu_leave(self);
}

static void test_next_finds_each_border(void **state)
{
	uint64_t addr = 0;
	atomic_u64 *word;
	size_t i = 0;

	(void)state;
	for (size_t k = 0; k < BORDERS; k++)
		set(borders[k], pt_entry(k + 1, RW, 0));
	rcu_enter(self);
	while ((word = pt_next(&pt, &addr, ADDRESS_END))) {
		if (*word) {
			assert_true(i < BORDERS);
			assert_int_equal(addr, borders[i]);
			assert_int_equal(pt_pfn(*word), ++i);
		}
		addr += KIB4;
	}
	assert_int_equal(i, BORDERS);
	addr = 2 * GIB;
	assert_null(pt_next(&pt, &addr, 3 * GIB));               /* nothing there: no table of 1 GiB */
	assert_true(addr >= 3 * GIB);
	rcu_leave(self);
}

static void test_entry_layout(void **state)
{
	uint64_t e = pt_entry(PT_PFN_MASK, PT_PRESENT | PT_DIRTY, 4095);

	(void)state;
	assert_true(pt_pfn(e) == PT_PFN_MASK);
	assert_int_equal(pt_toucher(e), 4095);
	assert_true(pt_has_frame(e));
	assert_false(pt_has_frame(pt_entry(0, PT_PRESENT | PT_ZERO, 0)));
	assert_false(pt_has_frame(0));
}

/* ---- zap ---- */

static void test_zap_takes_exactly_the_range(void **state)
{
	struct taken t;

	(void)state;
	for (uint64_t i = 0; i < 1500; i++)
		set(GIB - 700 * KIB4 + i * KIB4, pt_entry(i, RW, 1));
	t = zap(GIB - 600 * KIB4, GIB + 500 * KIB4);           /* i in [100, 1200) */
	assert_int_equal(t.n, 1100);
	assert_int_equal(t.sum, (100 + 1199) * 1100 / 2);
	assert_int_equal(t.flushes, 1100 / 64 + 1);
	assert_int_equal(pt_pfn(get(GIB - 601 * KIB4)), 99);
	assert_int_equal(get(GIB - 600 * KIB4), 0);
	assert_int_equal(get(GIB + 499 * KIB4), 0);
	assert_int_equal(pt_pfn(get(GIB + 500 * KIB4)), 1200);
	assert_int_equal(zap(GIB, GIB + KIB4).n, 0);
	assert_int_equal(zap(GIB + 500 * KIB4, GIB + 501 * KIB4).n, 1);
}

static void test_zap_of_everything_is_quick(void **state)
{
	struct taken t;

	(void)state;
	for (size_t k = 0; k < BORDERS; k++)
		set(borders[k], pt_entry(k + 1, RW, 0));
	t = zap(0, ADDRESS_END);                                 /* 2^35 pages: only what is there is looked at */
	assert_int_equal(t.n, BORDERS);
	assert_int_equal(t.sum, BORDERS * (BORDERS + 1) / 2);
}

/* Against an array: random sets and zaps over three tables. */
static void test_zap_against_a_model(void **state)
{
	static uint64_t model[1536];
	struct prng rng = prng_seed(1, 2);

	(void)state;
	memset(model, 0, sizeof(model));
	for (int round = 0; round < 2000; round++) {
		uint64_t i = prng_below(&rng, 1536), n = prng_below(&rng, 40) + 1, base = 4 * GIB - MIB2, live = 0;

		n = i + n > 1536 ? 1536 - i : n;
		if (round & 1) {
			for (uint64_t k = i; k < i + n; k++) {
				live += model[k] != 0;
				model[k] = 0;
			}
			assert_int_equal(zap(base + i * KIB4, base + (i + n) * KIB4).n, live);
		} else if (!model[i]) {
			model[i] = pt_entry(prng_below(&rng, 1 << 20), RW, 0);
			set(base + i * KIB4, model[i]);
		}
		i = prng_below(&rng, 1536);
		assert_true(get(base + i * KIB4) == model[i]);
	}
}

/* ---- protect ---- */

static void test_protect_rules(void **state)
{
	static const struct {
		uint64_t kind, before, allow;
		bool object_write;
		uint64_t after;
	} row[] = {
		{ 0, PT_READ | PT_WRITE, PT_READ, false, PT_READ },
		{ 0, PT_READ, PT_READ | PT_WRITE, false, PT_READ | PT_WRITE },
		{ 0, PT_READ, PT_ACCESS, false, PT_ACCESS },
		{ 0, PT_READ | PT_WRITE, 0, false, 0 },
		{ 0, 0, PT_READ | PT_EXEC, false, PT_READ | PT_EXEC },
		{ PT_ZERO, PT_READ, PT_READ | PT_WRITE, true, PT_READ },
		{ PT_ZERO, 0, PT_ACCESS, true, PT_READ | PT_EXEC },
		{ PT_OBJECT, PT_READ, PT_READ | PT_WRITE, false, PT_READ },
		{ PT_OBJECT, PT_READ, PT_READ | PT_WRITE, true, PT_READ | PT_WRITE },
		{ PT_OBJECT, PT_READ | PT_WRITE, PT_READ | PT_WRITE, false, PT_READ },
		{ PT_OBJECT, PT_READ | PT_WRITE, PT_READ, true, PT_READ },
	};
	struct lock_range r = { GIB, GIB + KIB4 };

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint64_t pfn = row[i].kind & PT_ZERO ? 0 : 77;
		uint64_t rest = pt_entry(pfn, PT_PRESENT | PT_DIRTY | PT_YOUNG | row[i].kind, 3);
		uint64_t changed;

		set(GIB, rest | row[i].before);
		rcu_enter(self);
		changed = pt_protect(&pt, r, row[i].allow, row[i].object_write);
		assert_int_equal(changed, row[i].before != row[i].after);
		assert_true(get(GIB) == (rest | row[i].after));
		assert_int_equal(pt_protect(&pt, r, row[i].allow, row[i].object_write), 0);
		rcu_leave(self);
		zap(GIB, GIB + KIB4);
	}
}

static void test_protect_counts_and_keeps_empty(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 600; i += 2)
		set(i * KIB4, pt_entry(i, RW, 0));
	rcu_enter(self);
	assert_int_equal(pt_protect(&pt, (struct lock_range){ KIB4, 600 * KIB4 }, PT_READ, false), 299);
	rcu_leave(self);
	assert_int_equal(get(0) & PT_ACCESS, PT_READ | PT_WRITE);
	assert_int_equal(get(KIB4), 0);
	assert_int_equal(get(598 * KIB4) & PT_ACCESS, PT_READ);
}

/* ---- move ---- */

static int move(uint64_t lo, uint64_t hi, uint64_t to)
{
	int err;

	rcu_enter(self);
	err = pt_move(&pt, self, (struct lock_range){ lo, hi }, to);
	rcu_leave(self);
	return err;
}

static void test_move_keeps_places_and_bits(void **state)
{
	uint64_t from = GIB - 300 * KIB4, to = 7 * GIB + 123 * KIB4, entry = pt_entry(5, RW | PT_DIRTY, 9);

	(void)state;
	for (uint64_t i = 0; i < 900; i += 3)
		set(from + i * KIB4, entry + (i << PT_PFN_SHIFT));
	set(from + 900 * KIB4, entry);                           /* outside */
	assert_int_equal(move(from, from + 900 * KIB4, to), 0);
	for (uint64_t i = 0; i < 900; i++) {
		assert_true(get(to + i * KIB4) == (i % 3 ? 0 : entry + (i << PT_PFN_SHIFT)));
		assert_int_equal(get(from + i * KIB4), 0);
	}
	assert_true(get(from + 900 * KIB4) == entry);
}

/* Fails for want of the n-th table, for every n, in a fresh page table. Returns entries that moved in spite of it. */
static uint64_t moved_in_spite(const char *mutant)
{
	uint64_t from = 20 * GIB, to = 40 * GIB, moved = 0, nth = 0;
	int err;

	do {
		zap(0, ADDRESS_END);
		pt_fini(&pt);
		assert_int_equal(pt_init(&pt), 0);
		for (uint64_t i = 0; i < 3; i++)
			set(from + i * MIB2, pt_entry(i + 1, RW, 0));
		assert_int_equal(point_mutant_select(mutant), 0);
		mem_fail_nth(++nth);
		err = move(from, from + 3 * MIB2, to);
		mem_fail_nth(0);
		assert_int_equal(point_mutant_select(NULL), 0);
		assert_true(err == 0 || err == -ENOMEM);
		if (err)
			moved += zap(to, to + 3 * MIB2).n;
	} while (err);
	assert_int_equal(nth, 5);                /* a table of 1 GiB and three of 2 MiB, then success */
	return moved;
}

static void test_move_moves_nothing_without_memory(void **state)
{
	(void)state;
	assert_int_equal(moved_in_spite(NULL), 0);
	if (!point_available())
		skip();
	assert_true(moved_in_spite("move_makes_late") > 0);
}

/* ---- locked entries ---- */

enum verb { ZAP, PROTECT, MOVE };

struct writer {
	enum verb verb;
	atomic_u32 done;
	uint64_t n;
};

static void *write_range(void *arg)
{
	struct writer *w = arg;
	struct thread_slot *own = thread_self();
	struct taken t = { .batch.flush = taken_flush };
	struct lock_range r = { MIB2, MIB2 + KIB4 };

	t.batch.arg = &t;
	rcu_enter(own);
	if (w->verb == ZAP) {
		pt_zap(&pt, r, &t.batch);
		taken_flush(&t.batch);
		w->n = t.n;
	} else if (w->verb == PROTECT) {
		w->n = pt_protect(&pt, r, PT_READ, false);
	} else {
		w->n = (uint64_t)-pt_move(&pt, own, r, GIB);
	}
	rcu_leave(own);
	atomic_store_release(&w->done, 1);
	return NULL;
}

/* Somebody has been seen waiting for a LOCKED entry (false), or is through (true). */
static bool waits_or_done(atomic_u32 *done)
{
	struct park_spin spin = PARK_SPIN;

	while (!atomic_load_acquire(done) && point_hits("pt_settled_waits") == 0)
		park_spin(&spin);
	return atomic_load_acquire(done);
}

/* True: the verb returned while the entry was LOCKED, before the fault stored its value. */
static bool verb_ignores_lock(enum verb verb, const char *mutant)
{
	struct writer w = { .verb = verb };
	pthread_t thread;
	atomic_u64 *word;
	bool early;

	set(MIB2, 0);
	word = pt_find(&pt, MIB2);                       /* stays: nobody unlinks tables here */
	assert_true(pt_lock(word, 0));                   /* the fault is between its CAS and its store */
	point_reset();
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_range, &w), 0);
	early = waits_or_done(&w.done);
	pt_store(word, pt_entry(5, RW, 0));
	pthread_join(thread, NULL);
	assert_int_equal(point_mutant_select(NULL), 0);
	if (!early) {
		assert_int_equal(w.n, verb == MOVE ? 0 : 1);
		assert_int_equal(get(MIB2), verb == PROTECT ? pt_entry(5, PT_PRESENT | PT_READ, 0) : 0);
		assert_int_equal(get(GIB), verb == MOVE ? pt_entry(5, RW, 0) : 0);
	}
	zap(0, ADDRESS_END);
	return early;
}

static void test_writers_wait_for_locked_entries(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_false(verb_ignores_lock(ZAP, NULL));
	assert_false(verb_ignores_lock(PROTECT, NULL));
	assert_false(verb_ignores_lock(MOVE, NULL));
	assert_true(verb_ignores_lock(ZAP, "zap_skips_locked"));
	assert_true(verb_ignores_lock(PROTECT, "protect_skips_locked"));
}

/* A fault locks the entry between the zap's load and its clear, finds lk held, and restores what it saw. */
struct late_fault {
	atomic_u64 *word;
	atomic_u32 locked, zapped;
};

static void lock_now(void *arg)
{
	struct late_fault *f = arg;

	if (pt_lock(f->word, pt_entry(5, RW, 0)))
		atomic_store_release(&f->locked, 1);
}

static void *restore_later(void *arg)
{
	struct late_fault *f = arg;
	struct park_spin spin = PARK_SPIN;

	while (!atomic_load_acquire(&f->locked))
		park_spin(&spin);
	(void)waits_or_done(&f->zapped);
	pt_store(f->word, pt_entry(5, RW, 0));
	return NULL;
}

static uint64_t left_after_zap(const char *mutant)
{
	struct late_fault f = { NULL, 0, 0 };
	struct taken t;
	pthread_t thread;
	uint64_t left;

	set(MIB2, pt_entry(5, RW, 0));
	rcu_enter(self);
	f.word = pt_find(&pt, MIB2);
	rcu_leave(self);
	point_reset();
	assert_int_equal(point_call(NULL, "pt_zap_before_clear", lock_now, &f), 0);
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(pthread_create(&thread, NULL, restore_later, &f), 0);
	t = zap(MIB2, MIB2 + KIB4);
	atomic_store_release(&f.zapped, 1);
	pthread_join(thread, NULL);
	assert_int_equal(f.locked, 1);
	assert_int_equal(t.n, 1);
	point_reset();
	left = get(MIB2);
	zap(0, ADDRESS_END);
	return left;
}

static void test_clear_does_not_overtake_a_lock(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(left_after_zap(NULL), 0);
	assert_true(left_after_zap("zap_clears_unseen") != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entry_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_and_make, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next_finds_each_border, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zap_takes_exactly_the_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zap_of_everything_is_quick, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zap_against_a_model, setup, teardown),
		cmocka_unit_test_setup_teardown(test_protect_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_protect_counts_and_keeps_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move_keeps_places_and_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move_moves_nothing_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writers_wait_for_locked_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear_does_not_overtake_a_lock, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
