/* SPDX-License-Identifier: MIT */
/*
 * test_pt_race.c - the fault's protocol against the writer's verbs, with a plain word in the place of a VMA's lk.
 *
 * Every fault commits an entry that names the version of lk under which it was made; whoever holds the range must find
 * no entry after its zap, and a fault that committed must find its entry taken exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/mem.h"
#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "vmmap/pt/pt.h"

#define KIB4 UINT64_C(0x1000)
#define MIB2 UINT64_C(0x200000)
#define GIB  UINT64_C(0x40000000)

struct region {
	struct pt *pt;
	struct lock_range r;             /* under lk                                                               */
	PAIR_ALIGNED atomic_u64 lk;      /* even: free, odd: held                                                  */
	PAIR_ALIGNED atomic_u32 stop;
	bool no_recheck;                 /* the mutation that every such test must notice                          */
	bool tables;                     /* the writer unlinks tables too                                          */
};

struct faulter {
	struct region *g;
	unsigned number;
	atomic_u64 commits;
	uint64_t undone;
};

/* The optimistic fault on one page. True: committed. */
static bool fault(struct faulter *f, struct thread_slot *self, uint64_t addr)
{
	uint64_t lk = atomic_load_acquire(&f->g->lk);
	atomic_u64 *word;

	if (lk & 1)
		return false;
	word = pt_make(f->g->pt, self, addr);
	if (!word || atomic_load_seqcst(word) || !pt_lock(word, 0))
		return false;
	BASE_POINT(test_fault_locked);
	if (!f->g->no_recheck && atomic_load_seqcst(&f->g->lk) != lk) {
		pt_store(word, 0);
		f->undone++;
		return false;
	}
	pt_store(word, pt_entry(f->number + 1, PT_PRESENT | PT_ACCESS, 0));
	return true;
}

static void *fault_loop(void *arg)
{
	struct faulter *f = arg;
	struct thread_slot *self = thread_self();
	struct prng rng = prng_seed(3, f->number);
	uint64_t pages = (f->g->r.hi - f->g->r.lo) / KIB4;

	while (!atomic_load_relaxed(&f->g->stop)) {
		rcu_enter(self);
		atomic_bump(&f->commits, fault(f, self, f->g->r.lo + prng_below(&rng, pages) * KIB4));
		rcu_leave(self);
	}
	return NULL;
}

static void count_flush(struct pt_batch *b)
{
	*(uint64_t *)b->arg += b->n;
	b->n = 0;
}

/* A writer's round. Returns ghosts: entries present while the range is held, after its zap. */
static uint64_t hold_and_zap(struct region *g, struct thread_slot *self, uint64_t *version, uint64_t *zapped)
{
	struct pt_batch batch = { .flush = count_flush, .arg = zapped };
	uint64_t ghosts = 0, addr = g->r.lo, free_version = *version;
	atomic_u64 *word;

	(void)atomic_cas_seqcst(&g->lk, &free_version, *version | 1);
	rcu_enter(self);
	pt_zap(g->pt, g->r, &batch);
	count_flush(&batch);
	if (g->tables)
		pt_free_tables(g->pt, self, g->r);
	while ((word = pt_next(g->pt, &addr, g->r.hi))) {
		ghosts += (atomic_load_seqcst(word) & PT_PRESENT) != 0;
		addr += KIB4;
	}
	rcu_leave(self);
	*version += 2;
	atomic_store_seqcst(&g->lk, *version);
	return ghosts;
}

static uint64_t sum_commits(struct faulter *f, unsigned n)
{
	uint64_t sum = 0;

	while (n--)
		sum += atomic_load_relaxed(&f[n].commits);
	return sum;
}

/* At least `rounds` of them, and until each faulter had its share. */
static uint64_t run(struct region *g, int rounds, unsigned faulters)
{
	struct thread_slot *self = thread_self();
	struct faulter f[4];
	pthread_t thread[4];
	uint64_t ghosts = 0, version = 2, zapped = 0;
	struct prng rng = prng_seed(9, 9);

	atomic_store_relaxed(&g->stop, 0);
	atomic_store_relaxed(&g->lk, version);
	for (unsigned i = 0; i < faulters; i++) {
		f[i] = (struct faulter){ g, i, 0, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, fault_loop, &f[i]), 0);
	}
	for (int i = 0; i < rounds || sum_commits(f, faulters) < (uint64_t)rounds / 100; i++) {
		ghosts += hold_and_zap(g, self, &version, &zapped);
		for (uint64_t n = prng_below(&rng, 60); n; n--)
			atomic_pause();
	}
	atomic_store_relaxed(&g->stop, 1);
	for (unsigned i = 0; i < faulters; i++)
		pthread_join(thread[i], NULL);
	hold_and_zap(g, self, &version, &zapped);
	if (!g->no_recheck)
		assert_int_equal(sum_commits(f, faulters), zapped);
	return ghosts;
}

static void with_table(struct region *g, uint64_t lo, uint64_t hi, uint64_t (*body)(struct region *), uint64_t *ghosts)
{
	uint64_t before = mem_bytes(MEM_TABLE);
	struct pt pt;

	assert_int_equal(pt_init(&pt), 0);
	g->pt = &pt;
	g->r = (struct lock_range){ lo, hi };
	*ghosts = body(g);
	assert_int_equal(pt_audit(&pt, stderr), 0);
	pt_fini(&pt);
	assert_int_equal(mem_bytes(MEM_TABLE), before);
}

static uint64_t body_plain(struct region *g)
{
	return run(g, 200000, 1);
}

/* Fault commits while the writer locks: four entries in two tables. */
static void test_dekker_entry(void **state)
{
	struct region g = { .no_recheck = false };
	uint64_t ghosts;

	(void)state;
	with_table(&g, MIB2 - 2 * KIB4, MIB2 + 2 * KIB4, body_plain, &ghosts);
	assert_int_equal(ghosts, 0);
}

static uint64_t body_yield(struct region *g)
{
	uint64_t ghosts;

	point_yield(4, 11);
	ghosts = run(g, 3000, 3);
	point_yield(0, 0);
	return ghosts;
}

static void test_dekker_entry_with_yields(void **state)
{
	struct region g = { .no_recheck = false };
	uint64_t ghosts;

	(void)state;
	with_table(&g, MIB2 - 2 * KIB4, MIB2 + 2 * KIB4, body_yield, &ghosts);
	assert_int_equal(ghosts, 0);
}

/* The oracle itself: without the re-check there are ghosts. */
static void test_oracle_sees_missing_recheck(void **state)
{
	struct region g = { .no_recheck = true };
	uint64_t ghosts = 0;

	(void)state;
	for (int i = 0; i < 50 && !ghosts; i++)
		with_table(&g, MIB2 - 2 * KIB4, MIB2 + 2 * KIB4, point_available() ? body_yield : body_plain, &ghosts);
	assert_true(ghosts > 0);
}

static uint64_t body_tables(struct region *g)
{
	g->tables = true;
	return run(g, 30000, 1);
}

/* Sparse faults against a zap of the span whose tables come and go. */
static void test_absent_tables(void **state)
{
	struct region g = { .no_recheck = false };
	uint64_t ghosts;

	(void)state;
	with_table(&g, GIB, GIB + 4 * MIB2, body_tables, &ghosts);
	assert_int_equal(ghosts, 0);
}

/* Two regions share a table of 2 MiB; one is mapped and zapped all the time, the other keeps its entries. */
static void test_neighbours_under_one_table(void **state)
{
	struct pt pt;
	struct region g[2] = { { .pt = &pt, .r = { 0, 4 * KIB4 }, .tables = true },
			       { .pt = &pt, .r = { 4 * KIB4, 8 * KIB4 } } };
	struct thread_slot *self = thread_self();
	struct faulter f = { &g[1], 7, 0, 0 };
	uint64_t version = 2, zapped = 0, lost = 0;

	(void)state;
	assert_int_equal(pt_init(&pt), 0);
	g[0].lk = 2;
	g[1].lk = 2;
	rcu_enter(self);
	for (uint64_t addr = g[1].r.lo; addr < g[1].r.hi; addr += KIB4)
		assert_true(fault(&f, self, addr));
	rcu_leave(self);
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(hold_and_zap(&g[0], self, &version, &zapped), 0);
		rcu_enter(self);
		for (uint64_t addr = g[1].r.lo; addr < g[1].r.hi; addr += KIB4)
			lost += !pt_find(&pt, addr) || !atomic_load_seqcst(pt_find(&pt, addr));
		rcu_leave(self);
	}
	assert_int_equal(lost, 0);
	version = 2;
	hold_and_zap(&g[1], self, &version, &zapped);
	pt_fini(&pt);
}

/* ---- two threads miss the same tables ---- */

struct maker {
	struct pt *pt;
	uint64_t seed, missing;
};

static void *make_loop(void *arg)
{
	struct maker *m = arg;
	struct thread_slot *self = thread_self();

	for (uint64_t i = 0; i < 3000; i++) {
		uint64_t addr = i * 3 * MIB2 + (i % 5) * 600 * GIB;

		rcu_enter(self);
		m->missing += !pt_make(m->pt, self, addr);
		m->missing += pt_make(m->pt, self, addr) != pt_find(m->pt, addr);
		rcu_leave(self);
	}
	return NULL;
}

static void test_makers_agree(void **state)
{
	uint64_t before = mem_bytes(MEM_TABLE);
	struct pt_stats alone, together;
	pthread_t thread[3];
	struct maker m[3];
	struct pt pt;

	(void)state;
	assert_int_equal(pt_init(&pt), 0);
	m[0] = (struct maker){ &pt, 0, 0 };
	make_loop(&m[0]);
	pt_get_stats(&pt, &alone);
	pt_fini(&pt);
	assert_int_equal(pt_init(&pt), 0);
	point_yield(8, 5);
	for (unsigned i = 0; i < 3; i++) {
		m[i] = (struct maker){ &pt, i, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, make_loop, &m[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(m[i].missing, 0);
	}
	point_yield(0, 0);
	pt_get_stats(&pt, &together);
	assert_int_equal(together.tables, alone.tables);
	pt_fini(&pt);
	assert_int_equal(mem_bytes(MEM_TABLE), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dekker_entry),
		cmocka_unit_test(test_dekker_entry_with_yields),
		cmocka_unit_test(test_oracle_sees_missing_recheck),
		cmocka_unit_test(test_absent_tables),
		cmocka_unit_test(test_neighbours_under_one_table),
		cmocka_unit_test(test_makers_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
