/* SPDX-License-Identifier: MIT */
/* test_pt_table.c - unlinking and freeing tables: spans, late installs below, readers, caches, want of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/point.h"
#include "vmmap/pt/pt_table.h"

#define KIB4 UINT64_C(0x1000)
#define MIB2 UINT64_C(0x200000)
#define GIB  UINT64_C(0x40000000)

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

static int teardown(void **state)
{
	(void)state;
	pt_fini(&pt);
	return mem_bytes(MEM_TABLE) == bytes_before ? 0 : -1;
}

static atomic_u64 *make(uint64_t addr)
{
	atomic_u64 *word;

	rcu_enter(self);
	word = pt_make(&pt, self, addr);
	rcu_leave(self);
	assert_non_null(word);
	return word;
}

static void free_table(struct pt_table *table)
{
	mem_free(MEM_TABLE, table, sizeof(*table));
}

static bool there(uint64_t addr)
{
	bool found;

	rcu_enter(self);
	found = pt_find(&pt, addr) != NULL;
	rcu_leave(self);
	return found;
}

static uint64_t unlink_tables(uint64_t lo, uint64_t hi)
{
	uint64_t n;

	rcu_enter(self);
	n = pt_free_tables(&pt, self, (struct lock_range){ lo, hi });
	rcu_leave(self);
	return n;
}

static struct pt_stats stats(void)
{
	struct pt_stats s;

	pt_get_stats(&pt, &s);
	return s;
}

static void test_only_whole_spans_go(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		make(i * MIB2);
	assert_int_equal(stats().tables, 3 + 5);
	assert_int_equal(stats().empty_tables, 5);
	assert_int_equal(unlink_tables(KIB4, 2 * MIB2 - KIB4), 0);
	assert_int_equal(unlink_tables(0, MIB2 - KIB4), 0);
	assert_int_equal(unlink_tables(KIB4, 2 * MIB2), 1);
	assert_true(there(0));
	assert_false(there(MIB2));
	assert_true(there(2 * MIB2));
	assert_int_equal(unlink_tables(2 * MIB2, 4 * MIB2 + KIB4), 2);
	assert_true(there(4 * MIB2));
	assert_int_equal(stats().tables, 3 + 2);
	make(MIB2);
	assert_true(there(MIB2));
}

static void test_upper_tables_go_as_one(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		make(i * GIB + i * MIB2);
	make(600 * GIB);
	assert_int_equal(stats().tables, 1 + 2 + 5 + 5);
	assert_int_equal(unlink_tables(GIB, 3 * GIB), 4);        /* two of 1 GiB with one of 2 MiB each */
	assert_int_equal(unlink_tables(0, 512 * GIB), 1 + 4);
	assert_true(there(600 * GIB));
	assert_int_equal(unlink_tables(0, ADDRESS_END), 3);
	assert_int_equal(stats().tables, 1);
	assert_int_equal(stats().empty_tables, 0);
}

/* A fault that found an upper table before it was unlinked hangs a new one below it. How many of the two come back? */
static unsigned late_install(const char *mutant)
{
	struct pt_table *upper, *late, *taken[3];
	unsigned n = 0;
	uint64_t none = 0;

	make(GIB);
	rcu_enter(self);
	upper = pt_below(&pt_below(&pt.root->word[0])->word[1]);
	assert_int_equal(upper->level, 1);
	assert_int_equal(pt_free_tables(&pt, self, (struct lock_range){ GIB, 2 * GIB }), 2);
	late = pt_table_take(&pt, self);
	late->level = 0;
	assert_true(atomic_cas_seqcst(&upper->word[77], &none, (uint64_t)(uintptr_t)late));
	assert_true(pt_lock(&late->word[5], 0));                 /* ... and undoes at its re-check */
	pt_store(&late->word[5], 0);
	assert_null(pt_find(&pt, GIB + 77 * MIB2));
	rcu_leave(self);
	rcu_drain();
	assert_int_equal(point_mutant_select(mutant), 0);
	for (unsigned i = 0; i < 3; i++)                         /* with the one that was there before */
		taken[i] = pt_table_take(&pt, self);
	assert_int_equal(point_mutant_select(NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		n += taken[i] == upper || taken[i] == late;
		if (taken[i] == upper && mutant != NULL)
			atomic_store_relaxed(&upper->word[77], 0);
		for (unsigned k = 0; k < PT_WORDS; k++)
			assert_int_equal(atomic_load_relaxed(&taken[i]->word[k]), 0);
		free_table(taken[i]);
	}
	if (mutant != NULL)
		free_table(late);
	return n;
}

static void test_late_install_below_comes_back(void **state)
{
	(void)state;
	assert_int_equal(late_install(NULL), 2);
	assert_int_equal(mem_bytes(MEM_TABLE) - bytes_before, stats().bytes);
	if (!point_available())
		skip();
	assert_int_equal(late_install("table_taken_unlooked"), 1);
}

/* Nobody takes it any more. */
static void test_fini_frees_what_hangs_below(void **state)
{
	struct pt_table *upper, *late;
	uint64_t none = 0;

	(void)state;
	make(GIB);
	rcu_enter(self);
	upper = pt_below(&pt_below(&pt.root->word[0])->word[1]);
	assert_int_equal(pt_free_tables(&pt, self, (struct lock_range){ GIB, 2 * GIB }), 2);
	late = pt_table_take(&pt, self);
	late->level = 0;
	assert_true(atomic_cas_seqcst(&upper->word[77], &none, (uint64_t)(uintptr_t)late));
	rcu_leave(self);
}

/* pt_fini waits for what is still with RCU, without help. */
static void test_fini_while_tables_are_with_rcu(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		make(i * MIB2);
	assert_int_equal(unlink_tables(0, 100 * MIB2), 100);
}

static void test_tables_come_back_to_their_slot(void **state)
{
	uint64_t bytes;

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		make(i * MIB2);
	assert_int_equal(unlink_tables(0, 4 * MIB2), 4);
	rcu_drain();
	assert_int_equal(pt_table_cached(&pt), 4);
	bytes = mem_bytes(MEM_TABLE);
	for (uint64_t i = 0; i < 4; i++)
		make(GIB + i * MIB2);                            /* one table of 1 GiB more */
	assert_int_equal(mem_bytes(MEM_TABLE) - bytes, sizeof(struct pt_table));
	for (uint64_t i = 0; i < PT_SLOT_KEEPS + 100; i++)
		make(2 * GIB + i * MIB2);
	unlink_tables(0, 512 * GIB);
	rcu_drain();
	assert_int_equal(pt_table_cached(&pt), PT_SLOT_KEEPS);   /* the rest went to the allocator */
	assert_int_equal(mem_bytes(MEM_TABLE) - bytes_before, stats().bytes);
}

/* RCU's thread has no business with the lines of tables: all but one of a call keep what their slot wrote
 * into them, and come back all the same. */
static void test_tables_of_one_call_are_a_chain(void **state)
{
	struct pt_table *table[8];
	struct pt_chain chain = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 8; i++) {
		make(i * MIB2);
		table[i] = pt_below(&pt_below(&pt_below(&pt.root->word[0])->word[0])->word[i]);
	}
	assert_int_equal(unlink_tables(0, 3 * MIB2), 3);
	assert_ptr_equal(table[2]->rest, table[1]);
	assert_ptr_equal(table[1]->next, table[0]);
	assert_int_equal(table[2]->chained, 3);
	rcu_drain();
	assert_int_equal(pt_table_cached(&pt), 3);
	assert_ptr_equal(table[2]->rest, table[1]);
	for (uint64_t i = 0; i < 3; i++)
		assert_ptr_equal(pt_table_take(&pt, self), table[2 - i]);
	assert_int_equal(pt_table_cached(&pt), 0);
	for (uint64_t i = 0; i < 3; i++)
		pt_table_drop(&pt, self, table[i]);
	for (uint64_t i = 3; i < 8; i++)
		pt_table_chain(&chain, table[i]);
	assert_int_equal(chain.n, 5);                            /* by hand, and not retired */
	for (uint64_t i = 3; i < 8; i++)
		table[i]->pt = &pt;
	assert_int_equal(unlink_tables(0, GIB), 5 + 1);          /* with the table above them */
	rcu_drain();
	assert_int_equal(pt_table_cached(&pt), 3 + 5 + 1);
}

static struct pt_table *table_over(uint64_t addr)
{
	return pt_below(&pt_below(&pt_below(&pt.root->word[0])->word[0])->word[addr / MIB2]);
}

/* Does a table come back to its slot while a reader has it in hand? */
static bool back_under_a_reader(const char *mutant)
{
	struct pt_table *held, *taken;
	bool back;

	make(0);
	assert_int_equal(point_mutant_select(mutant), 0);
	rcu_enter(self);
	held = table_over(0);
	assert_int_equal(pt_free_tables(&pt, self, (struct lock_range){ 0, MIB2 }), 1);
	taken = pt_table_take(&pt, self);
	assert_non_null(taken);
	back = taken == held;
	pt_table_drop(&pt, self, taken);
	rcu_leave(self);
	assert_int_equal(point_mutant_select(NULL), 0);
	rcu_drain();
	return back;
}

static void test_chain_waits_for_readers(void **state)
{
	(void)state;
	assert_false(back_under_a_reader(NULL));
	if (!point_available())
		skip();
	while (pt_table_cached(&pt) > 0)                         /* what that left would be taken first */
		free_table(pt_table_take(&pt, self));
	assert_true(back_under_a_reader("chain_freed_at_once"));
}

/* Of a chain of three, taken one after the other: how many were not in it? */
static unsigned strangers(const char *mutant)
{
	struct pt_table *table[3], *taken[3];
	unsigned n = 0;

	for (unsigned i = 0; i < 3; i++) {
		make(i * MIB2);
		table[i] = table_over(i * MIB2);
	}
	assert_int_equal(unlink_tables(0, 3 * MIB2), 3);
	rcu_drain();
	assert_int_equal(point_mutant_select(mutant), 0);
	for (unsigned i = 0; i < 3; i++) {
		taken[i] = pt_table_take(&pt, self);
		assert_non_null(taken[i]);
		n += taken[i] != table[2 - i];
	}
	assert_int_equal(point_mutant_select(NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		if (taken[i] != table[2 - i])
			free_table(taken[i]);
		free_table(table[i]);
	}
	return n;
}

static void test_chain_keeps_its_rest(void **state)
{
	(void)state;
	assert_int_equal(strangers(NULL), 0);
	if (!point_available())
		skip();
	assert_int_equal(strangers("chain_loses_rest"), 2);
}

static void look_at_count(void *counted)
{
	struct pt_slot *slot = thread_local_at(&pt.slots, self->number);

	*(uint64_t *)counted = atomic_load_acquire(&slot->reclaimed);
}

/* Tables that pt_fini takes for reclaimed before they are in the slot's cache. */
static uint64_t counted_before_they_are_back(const char *mutant)
{
	struct pt_slot *slot;
	uint64_t before, counted = 0;

	for (uint64_t i = 0; i < 5; i++)
		make(i * MIB2);
	slot = thread_local_at(&pt.slots, self->number);
	before = atomic_load_acquire(&slot->reclaimed);
	point_reset();
	assert_int_equal(point_call(NULL, "chain_before_recycle", look_at_count, &counted), 0);
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(unlink_tables(0, 5 * MIB2), 5);
	rcu_drain();
	assert_int_equal(point_mutant_select(NULL), 0);
	assert_int_equal(point_timeouts(), 0);
	assert_int_equal(atomic_load_acquire(&slot->reclaimed), before + 5);
	point_reset();
	return counted - before;
}

static void test_chain_is_counted_last(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(counted_before_they_are_back(NULL), 0);
	assert_int_equal(counted_before_they_are_back("chain_counts_early"), 5);
}

static void test_no_memory(void **state)
{
	(void)state;
	rcu_enter(self);
	mem_fail_nth(1);
	assert_non_null(pt_make(&pt, self, 0));                  /* no block: straight from the allocator */
	assert_true(mem_fail_fired());
	for (uint64_t nth = 1; nth <= 3; nth++) {                /* each table of a new path */
		mem_fail_nth(nth);
		assert_null(pt_make(&pt, self, nth * 512 * GIB));
		assert_true(mem_fail_fired());
		assert_non_null(pt_make(&pt, self, nth * 512 * GIB));
	}
	rcu_leave(self);
	assert_int_equal(pt_audit(&pt, stderr), 0);
	for (uint64_t nth = 1;; nth++) {
		struct pt other;

		mem_fail_nth(nth);
		if (pt_init(&other) == 0) {
			mem_fail_nth(0);
			pt_fini(&other);
			break;
		}
		assert_true(mem_fail_fired());
	}
}

/* ---- readers ---- */

struct unlinker {
	uint64_t n;
};

static void *unlink_all(void *arg)
{
	struct unlinker *u = arg;
	struct thread_slot *own = thread_self();

	rcu_enter(own);
	u->n = pt_free_tables(&pt, own, (struct lock_range){ 0, GIB });
	rcu_leave(own);
	rcu_retire_flush(own);
	return NULL;
}

/* A reader keeps using the table that it found. Returns what the entry shows in the end. */
static uint64_t entry_under_a_reader(const char *mutant)
{
	struct unlinker u = { 0 };
	pthread_t thread;
	atomic_u64 *word;
	uint64_t seen = 0;

	make(MIB2);
	assert_int_equal(point_mutant_select(mutant), 0);
	rcu_enter(self);
	word = pt_find(&pt, MIB2 + 3 * KIB4);
	assert_int_equal(pthread_create(&thread, NULL, unlink_all, &u), 0);
	pthread_join(thread, NULL);
	assert_true(u.n > 0);
	assert_null(pt_find(&pt, MIB2 + 3 * KIB4));
	seen = atomic_load_seqcst(word);
	if (!seen) {                                             /* a late fault: locks, re-checks, undoes */
		assert_true(pt_lock(word, 0));
		pt_store(word, 0);
	}
	rcu_leave(self);
	assert_int_equal(point_mutant_select(NULL), 0);
	rcu_drain();
	return seen;
}

static void test_reader_keeps_unlinked_table(void **state)
{
	(void)state;
	assert_int_equal(entry_under_a_reader(NULL), 0);
	if (!point_available())
		skip();
	assert_true(entry_under_a_reader("tables_freed_at_once") != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_whole_spans_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_upper_tables_go_as_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_install_below_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fini_frees_what_hangs_below, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fini_while_tables_are_with_rcu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tables_come_back_to_their_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tables_of_one_call_are_a_chain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chain_waits_for_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chain_keeps_its_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chain_is_counted_last, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_keeps_unlinked_table, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
