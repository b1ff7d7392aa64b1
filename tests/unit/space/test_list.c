/* SPDX-License-Identifier: MIT */
/*
 * test_list.c - listings beside edits. What is mapped all the time, though it is split, merged and replaced without
 * end, is never missing from a walk; each VMA's protection is one that was set; the ends only rise; a query's answer
 * covers its address.
 * mutant: vtree_slot_refilled_early
 */
#include <pthread.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/space/maps.h"

#define PAGES   600                              /* always mapped: many leaves' worth of VMAs                      */
#define BESIDE  64                               /* mapped and unmapped, right after them                          */
#define RUN_NS  UINT64_C(500000000)
#define SETTABLE(prot) ((prot) == PROT_READ || (prot) == RW || (prot) == (PROT_READ | PROT_EXEC))

struct scan {
	struct vmmap *map;
	uint64_t next;                           /* all below was listed in this walk                              */
	uint64_t ended;                          /* where the VMA before ended                                     */
	uint64_t missing, back, alien, wrong;    /* sins: a hole; an end that falls; a protection; a query         */
	uint64_t walks, vmas;
	atomic_u32 stop;
};

static int scan_vma(const struct vmmap_vma *v, void *arg)
{
	struct scan *s = arg;
	uint64_t end = BASE + PAGES * PAGE;

	s->vmas++;
	if (v->end <= v->start || v->end <= s->ended)
		s->back++;
	if (s->next < end && v->start > s->next)
		s->missing++;
	if (!SETTABLE(v->prot) || v->object || !(v->flags & MAP_PRIVATE))
		s->alien++;
	s->ended = v->end;
	s->next = v->end > s->next ? v->end : s->next;
	return 0;
}

static void *scanner(void *arg)
{
	struct scan *s = arg;
	struct prng random;

	random = prng_seed(7, 0);
	while (!atomic_load_acquire(&s->stop)) {
		uint64_t addr = BASE + prng_below(&random, PAGES) * PAGE + 5;
		struct vmmap_vma v;

		s->next = s->ended = BASE;
		vmmap_walk(s->map, BASE, BASE + (PAGES + BESIDE) * PAGE, scan_vma, s);
		s->missing += s->next < BASE + PAGES * PAGE;
		s->walks++;
		s->wrong += vmmap_query(s->map, addr, &v) || v.start > addr || v.end <= addr || !SETTABLE(v.prot);
	}
	return NULL;
}

static void churn_once(struct vmmap *map, struct prng *random)
{
	static const int prots[] = { PROT_READ, RW, PROT_READ | PROT_EXEC };
	static const uint64_t lengths[] = { 1, 2, 7, 64, 300 };
	uint64_t pages = lengths[prng_below(random, 5)], page = prng_below(random, PAGES - pages + 1);
	int prot = prots[prng_below(random, 3)];

	switch (prng_below(random, 5)) {
	case 0:
	case 1:
		assert_int_equal(maps_protect(map, page, pages, prot), 0);
		break;
	case 2:
		assert_int_equal(maps_fixed(map, page, pages, prot, NORES), BASE + page * PAGE);
		break;
	case 3:
		vmmap_fault(map, BASE + page * PAGE, PROT_WRITE, NULL);
		assert_int_equal(vmmap_madvise(map, BASE + page * PAGE, pages * PAGE,
					       prot == RW ? MADV_DONTDUMP : MADV_DODUMP), 0);
		break;
	case 4:
		page = PAGES + prng_below(random, BESIDE - 2);
		if (prot == RW)
			assert_int_equal(maps_unmap(map, page, 2), 0);
		else
			assert_int_equal(maps_fixed(map, page, 2, prot, NORES), BASE + page * PAGE);
		break;
	}
}

static void test_walk_beside_churn(void **state)
{
	struct scan s = { .map = maps_new(*state) };
	uint64_t until = clock_ns() + RUN_NS, calls = 0;
	struct prng random;
	pthread_t thread;

	random = prng_seed(11, 0);
	maps_fixed(s.map, 0, PAGES, RW, NORES);
	assert_int_equal(pthread_create(&thread, NULL, scanner, &s), 0);
	while (clock_ns() < until) {
		churn_once(s.map, &random);
		calls++;
	}
	atomic_store_release(&s.stop, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	print_message("%s: %llu calls beside %llu walks of %llu VMAs\n", (const char *)*state,
		      (unsigned long long)calls, (unsigned long long)s.walks, (unsigned long long)s.vmas);
	assert_int_equal(s.missing, 0);
	assert_int_equal(s.back, 0);
	assert_int_equal(s.alien, 0);
	assert_int_equal(s.wrong, 0);
	assert_true(s.walks > 0 && s.vmas > s.walks && calls > 0);
	maps_free(s.map);
}

int main(void)
{
	static const char *const policies[] = { "rwlock", "vma" };
	struct CMUnitTest tests[] = { cmocka_unit_test(test_walk_beside_churn) };
	const char *mutant = getenv("VMMAP_MUTANT");
	int bad = 0;

	if (mutant && *mutant && point_mutant_select(mutant))
		return 99;
	for (unsigned p = 0; p < sizeof policies / sizeof policies[0]; p++)
		bad += maps_run(policies[p], tests);
	return bad;
}
