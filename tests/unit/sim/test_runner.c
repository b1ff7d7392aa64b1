/* SPDX-License-Identifier: MIT */
/* test_runner.c - the conflict matrix's instrument on pairs of calls whose verdict is known from the policies. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "bench/conflicts/runner.h"
#include "bench/sim/kernel.h"

#define BASE UINT64_C(0x100000000000)
#define FAR  (UINT64_C(1) << 33)
#define RW   (PROT_READ | PROT_WRITE)

const long kernel_cpus = RUNNER_CORES;

static void map_at(struct exec *e, uint64_t at, uint64_t pages, int flags)
{
	assert_int_equal(vmmap_mmap(e->map, at, pages * PAGE, RW, flags | MAP_ANONYMOUS | MAP_FIXED, NULL, 0), at);
}

/* Other VMAs, so that the tree has many leaves. */
static void crowd(struct exec *e, uint64_t at)
{
	for (uint64_t i = 0; i < 120; i++)
		map_at(e, at + i * 2 * PAGE, 1, MAP_PRIVATE);
}

static void one_vma(struct exec *e)
{
	map_at(e, BASE, FAR / PAGE + 8, MAP_PRIVATE);
	assert_int_equal(vmmap_fault(e->map, BASE + 4 * PAGE, PROT_WRITE, NULL), 0);
	assert_int_equal(vmmap_fault(e->map, BASE + FAR + 4 * PAGE, PROT_WRITE, NULL), 0);
}

static void two_vmas(struct exec *e)
{
	map_at(e, BASE, 8, MAP_PRIVATE);
	map_at(e, BASE + FAR, 8, MAP_PRIVATE);
	crowd(e, BASE + FAR / 2);
	assert_int_equal(vmmap_fault(e->map, BASE + 4 * PAGE, PROT_WRITE, NULL), 0);
	assert_int_equal(vmmap_fault(e->map, BASE + FAR + 4 * PAGE, PROT_WRITE, NULL), 0);
}

static void fault_low(struct exec *e) { assert_int_equal(vmmap_fault(e->map, BASE, PROT_WRITE, NULL), 0); }
static void fault_high(struct exec *e) { assert_int_equal(vmmap_fault(e->map, BASE + FAR, PROT_WRITE, NULL), 0); }
static void mmap_low(struct exec *e) { map_at(e, BASE + PAGE, 1, MAP_PRIVATE); }
static void mmap_high(struct exec *e) { map_at(e, BASE + FAR + PAGE, 1, MAP_PRIVATE); }
static void munmap_low(struct exec *e) { assert_int_equal(vmmap_munmap(e->map, BASE, 2 * PAGE), 0); }
static void munmap_high(struct exec *e) { assert_int_equal(vmmap_munmap(e->map, BASE + FAR, 2 * PAGE), 0); }
static void protect_low(struct exec *e) { assert_int_equal(vmmap_mprotect(e->map, BASE, PAGE, PROT_READ), 0); }
static void protect_high(struct exec *e) { assert_int_equal(vmmap_mprotect(e->map, BASE + FAR, PAGE, PROT_READ), 0); }
static void mmap_anywhere(struct exec *e)
{
	assert_true(vmmap_mmap(e->map, 0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) > 0);
}

/* ---- what the policies are known for ---- */

enum { ONE_VMA, TWO_VMAS, MMAPS, MUNMAPS, PROTECTS, ANYWHERE, MUNMAP_FAULT, SAME_FAULT, PAIRS };

static const struct runner_pair pairs[PAIRS] = {
	[ONE_VMA] = { one_vma, { fault_low, fault_high } },
	[TWO_VMAS] = { two_vmas, { fault_low, fault_high } },
	[MMAPS] = { two_vmas, { mmap_low, mmap_high } },
	[MUNMAPS] = { two_vmas, { munmap_low, munmap_high } },
	[PROTECTS] = { two_vmas, { protect_low, protect_high } },
	[ANYWHERE] = { two_vmas, { mmap_anywhere, mmap_anywhere } },
	[MUNMAP_FAULT] = { two_vmas, { munmap_low, fault_high } },
	[SAME_FAULT] = { two_vmas, { fault_low, fault_low } },
};

static bool meets(const struct trace_verdict *v, const char *label)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->met[i].same_bytes && strcmp(v->met[i].label[0], label) == 0)
			return true;
	return false;
}

static struct trace_verdict verdict[PAIRS];

static void run_pairs(const char *policy)
{
	assert_int_equal(runner_policy(policy), 0);
	for (unsigned i = 0; i < PAIRS; i++) {
		runner_pair(&pairs[i], &verdict[i]);
		assert_true(verdict[i].accesses[0] > 50 && verdict[i].accesses[1] > 50);
	}
}

static void vma_has_nothing_in_common_but_what_is_the_same(void **state)
{
	(void)state;
	run_pairs("vma");
	for (unsigned i = 0; i < SAME_FAULT; i++) {
		assert_int_equal(verdict[i].lines, 0);
		assert_int_equal(verdict[i].false_lines, 0);
		assert_int_equal(verdict[i].n, 0);
	}
	assert_int_equal(verdict[SAME_FAULT].lines, 1);
	assert_true(meets(&verdict[SAME_FAULT], "pt_table.word[]"));
}

static void counted_readers_meet_in_the_count(void **state)
{
	(void)state;
	run_pairs("vma-count");
	assert_int_equal(verdict[ONE_VMA].lines, 1);
	assert_true(meets(&verdict[ONE_VMA], "lock_slot_far.pins"));
	for (unsigned i = TWO_VMAS; i < SAME_FAULT; i++)
		assert_int_equal(verdict[i].lines, 0);
	run_pairs("pervma");
	assert_true(meets(&verdict[ONE_VMA], "lock_slot_far.pins"));
	assert_int_equal(verdict[TWO_VMAS].lines, 0);
}

static void one_lock_is_met_by_all(void **state)
{
	(void)state;
	run_pairs("rwsem");
	for (unsigned i = 0; i < PAIRS; i++)
		assert_true(meets(&verdict[i], "rwsem_state.sem.word"));
	run_pairs("pervma");
	for (unsigned i = MMAPS; i <= ANYWHERE; i++)
		assert_true(meets(&verdict[i], "writer.sem.word"));
	assert_true(meets(&verdict[MUNMAP_FAULT], "writer.seq"));
}

/* ---- no test depends on those before it ---- */

static bool same(const struct trace_verdict *x, const struct trace_verdict *y)
{
	return x->n == y->n && memcmp(x, y, offsetof(struct trace_verdict, met) + x->n * sizeof(x->met[0])) == 0;
}

static void run_suite(const struct suite *suite, struct trace_verdict *out, uint64_t first, uint64_t step)
{
	static struct placed p;
	char why[RUNNER_WHY];

	for (uint64_t i = 0, k = first; i < suite->n; i++, k = (k + step) % suite->n)
		for (int how = 0; how < PLACEMENTS; how++) {
			if (placed_make(&p, &suite->test[k], (enum placement)how, PLACED_DISTANCE) != 0)
				continue;        /* packed only */
			assert_int_equal(runner_test(&p, &out[k * PLACEMENTS + (unsigned)how], why), 0);
		}
}

/* Other policies before, other tests before, and a third way round. */
static void the_order_does_not_matter(void **state)
{
	static const char *const cells[] = { "munmap|mprotect", "fault_write|mremap", "mmap_any|brk" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++) {
		struct trace_verdict *once, *again;
		struct suite_cell cell;
		struct suite suite;
		size_t n;

		assert_true(suite_cell_parse(cells[i], &cell));
		assert_int_equal(suite_make(&suite, SUITE_SEED, &cell), 0);
		n = suite.n * PLACEMENTS;
		once = calloc(n, sizeof(*once));
		again = calloc(n, sizeof(*again));
		assert_true(suite.n > 50 && once != NULL && again != NULL);
		assert_int_equal(runner_policy("vma"), 0);
		run_suite(&suite, once, 0, 1);
		assert_int_equal(runner_policy("rwsem"), 0);
		run_suite(&suite, again, 0, 1);
		assert_int_equal(runner_policy("vma"), 0);
		run_suite(&suite, again, suite.n / 2, suite.n - 1);
		for (size_t k = 0; k < n; k++)
			assert_true(same(&once[k], &again[k]));
		free(once);
		free(again);
		suite_free(&suite);
	}
}

static void a_wrong_answer_is_noticed(void **state)
{
	static struct placed p;
	struct trace_verdict v;
	struct suite_cell cell;
	struct suite suite;
	char why[RUNNER_WHY];

	(void)state;
	assert_int_equal(runner_policy("vma"), 0);
	assert_true(suite_cell_parse("munmap|munmap", &cell));
	assert_int_equal(suite_make(&suite, SUITE_SEED, &cell), 0);
	assert_int_equal(placed_make(&p, &suite.test[0], PLACED_PACKED, PLACED_DISTANCE), 0);
	assert_int_equal(runner_test(&p, &v, why), 0);
	p.answer[1].result++;
	assert_int_equal(runner_test(&p, &v, why), -EILSEQ);
	assert_true(why[0] != '\0');
	suite_free(&suite);
}

/* ---- bytes and lines ---- */

static struct { uint32_t word[64]; } shared __attribute__((aligned(64)));

static void touch(unsigned who, unsigned word, unsigned words, enum access_op op)
{
	trace_add(who, &(struct access){ (uintptr_t)&shared.word[word], 4 * words, op, true, false, 0, touch });
}

static void expect(unsigned lines, unsigned false_lines)
{
	struct trace_verdict v;

	trace_judge(&v);
	assert_int_equal(v.lines, lines);
	assert_int_equal(v.false_lines, false_lines);
	assert_int_equal(v.n != 0, lines + false_lines != 0);
	assert_true(v.n == 0 || strcmp(v.met[0].label[0], "test_runner.c:shared.word[]") == 0);
	trace_begin();
}

static void what_is_a_conflict(void **state)
{
	(void)state;
	trace_begin();
	touch(0, 0, 1, ACCESS_LOAD), touch(1, 0, 1, ACCESS_LOAD), expect(0, 0);          /* both only look         */
	touch(0, 0, 1, ACCESS_STORE), touch(1, 0, 1, ACCESS_LOAD), expect(1, 0);
	touch(0, 0, 1, ACCESS_LOAD), touch(1, 0, 1, ACCESS_RMW), expect(1, 0);           /* a failed CAS, too      */
	touch(0, 0, 1, ACCESS_STORE), touch(1, 1, 1, ACCESS_LOAD), expect(0, 1);         /* other bytes of a line  */
	touch(0, 0, 1, ACCESS_STORE), touch(1, 16, 1, ACCESS_STORE), expect(0, 0);       /* another line           */
	touch(0, 0, 64, ACCESS_STORE), touch(1, 15, 2, ACCESS_LOAD), expect(2, 0);       /* ranges cross lines     */
	touch(0, 15, 2, ACCESS_STORE), touch(1, 17, 2, ACCESS_LOAD), expect(0, 1);
	touch(0, 0, 1, ACCESS_STORE), expect(0, 0);                                      /* nobody else            */
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_conflict),
		cmocka_unit_test(vma_has_nothing_in_common_but_what_is_the_same),
		cmocka_unit_test(counted_readers_meet_in_the_count),
		cmocka_unit_test(one_lock_is_met_by_all),
		cmocka_unit_test(the_order_does_not_matter),
		cmocka_unit_test(a_wrong_answer_is_noticed),
	};

	(void)argc;
	kernel_same_addresses(argv);
	runner_begin();
	return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
