/* SPDX-License-Identifier: MIT */
/* test_pt_audit.c - statistics, walk, and each rule of the audit broken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmmap/pt/pt.h"

#define KIB4 UINT64_C(0x1000)
#define GIB  UINT64_C(0x40000000)

static struct pt pt;
static struct thread_slot *self;

static int setup(void **state)
{
	(void)state;
	self = thread_self();
	return pt_init(&pt);
}

static int teardown(void **state)
{
	(void)state;
	pt_fini(&pt);
	return 0;
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

struct seen {
	uint64_t n, last, sum;
};

static void note(uint64_t addr, uint64_t entry, void *arg)
{
	struct seen *s = arg;

	assert_true(s->n++ == 0 || addr > s->last);
	s->last = addr;
	s->sum += pt_pfn(entry);
}

static void test_walk_ascends(void **state)
{
	static const uint64_t addr[] = { 0, 5 * KIB4, GIB - KIB4, 700 * GIB, ADDRESS_END - KIB4 };
	struct seen s = { 0, 0, 0 };

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		pt_store(make(addr[i]), pt_entry(i + 1, PT_PRESENT, 0));
	pt_walk(&pt, (struct lock_range){ 0, ADDRESS_END }, note, &s);
	assert_int_equal(s.n, 5);
	assert_int_equal(s.sum, 15);
	s = (struct seen){ 0, 0, 0 };
	pt_walk(&pt, (struct lock_range){ KIB4, 700 * GIB }, note, &s);
	assert_int_equal(s.n, 2);
	assert_int_equal(pt_audit(&pt, stderr), 0);
	for (uint64_t i = 0; i < 5; i++)
		pt_store(make(addr[i]), 0);
}

static void test_stats_tell_empty_tables(void **state)
{
	struct pt_stats s;

	(void)state;
	pt_get_stats(&pt, &s);
	assert_int_equal(s.tables, 1);
	assert_int_equal(s.empty_tables, 0);
	pt_store(make(GIB), pt_entry(1, PT_PRESENT, 0));
	make(2 * GIB);
	pt_get_stats(&pt, &s);
	assert_int_equal(s.tables, 1 + 1 + 2 + 2);
	assert_int_equal(s.empty_tables, 1);
	assert_int_equal(s.bytes, 6 * sizeof(struct pt_table));
	pt_store(make(GIB), 0);
}

static void test_audit_finds_bad_entries(void **state)
{
	static const uint64_t bad[] = {
		PT_LOCKED | PT_PRESENT, PT_LOCKED, PT_READ, PT_PRESENT | 1 << 11,
		PT_PRESENT | PT_PINNED | PT_SHARED, PT_PRESENT | PT_PINNED | PT_ZERO,
		PT_PRESENT | PT_PINNED | PT_OBJECT,
		PT_PRESENT | PT_SHARED | PT_WRITE, PT_PRESENT | PT_SHARED | PT_OBJECT, PT_PRESENT | PT_SHARED | PT_ZERO,
		PT_PRESENT | PT_ZERO | PT_WRITE, PT_PRESENT | PT_ZERO | PT_OBJECT,
		PT_PRESENT | PT_ZERO | UINT64_C(7) << 12,
		PT_PRESENT | UINT64_C(1025) << 52,
	};
	atomic_u64 *word = make(3 * GIB);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pt_store(word, bad[i]);
		assert_true(pt_audit(&pt, NULL) > 0);
	}
	pt_store(word, pt_entry(9, PT_PRESENT | PT_ACCESS | PT_OBJECT | PT_DIRTY | PT_YOUNG, 1024));
	assert_int_equal(pt_audit(&pt, stderr), 0);
	pt_store(word, pt_entry(9, PT_PRESENT | PT_READ | PT_SHARED | PT_DIRTY, 0));
	assert_int_equal(pt_audit(&pt, stderr), 0);
	pt_store(word, 0);
}

static void test_audit_finds_bad_tables(void **state)
{
	struct pt_table *table;

	(void)state;
	make(0);
	table = pt_below(&pt.root->word[0]);
	table->level = 1;
	assert_true(pt_audit(&pt, NULL) > 0);
	table->level = 2;
	table->pt = NULL;
	assert_true(pt_audit(&pt, NULL) > 0);
	table->pt = &pt;
	pt_store(&pt.root->word[256], (uint64_t)(uintptr_t)table);       /* beyond 47 bits */
	assert_true(pt_audit(&pt, NULL) > 0);
	pt_store(&pt.root->word[256], 0);
	assert_int_equal(pt_audit(&pt, stderr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk_ascends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stats_tell_empty_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_audit_finds_bad_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_audit_finds_bad_tables, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
