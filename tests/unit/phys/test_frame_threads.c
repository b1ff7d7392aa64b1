/* SPDX-License-Identifier: MIT */
/* test_frame_threads.c - the caches under many threads: no frame has two owners, slots that only take or only give. */
#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/phys/crew.h"
#include "tests/unit/phys/fixture.h"

/* ---- many threads: no frame has two owners ---- */

#define THREADS 4
#define HOLDS   200

struct churner {
	struct physmem *pm;
	atomic_u32 *owner;               /* per frame: thread + 1                                                  */
	atomic_u64 *ring;                /* frames handed from one thread to the next                              */
	unsigned number;
	int rounds;
	uint64_t twice, none;
};

static bool own(struct churner *c, uint64_t pfn)
{
	uint32_t nobody = 0;

	return atomic_cas_acqrel(&c->owner[pfn], &nobody, c->number + 1);
}

static void release(struct churner *c, struct thread_slot *self, uint64_t pfn, uint64_t how)
{
	c->twice += atomic_load_relaxed(&c->owner[pfn]) == 0;
	atomic_store_release(&c->owner[pfn], 0);
	if (how & 1)
		frame_free(c->pm, self, pfn);
	else
		frame_defer(c->pm, self, pfn);
}

static void *churn(void *arg)
{
	struct churner *c = arg;
	struct thread_slot *self = thread_self();
	struct prng rng = prng_seed(7, c->number);
	uint64_t held[HOLDS], n = 0;

	for (int i = 0; i < c->rounds; i++) {
		uint64_t dice = prng_next(&rng), pfn;

		if (n < HOLDS && (dice & 2)) {
			pfn = frame_alloc(c->pm, self);
			if (pfn == PHYSMEM_NONE) {
				c->none++;
				continue;
			}
			c->twice += !own(c, pfn);
			held[n++] = pfn;
		} else if (n) {
			pfn = held[--n];
			if ((dice & 0x70) == 0) {                /* hand it to whoever comes by */
				pfn = atomic_swap_acqrel(&c->ring[(dice >> 8) % 64], pfn + 1);
				if (!pfn--)
					continue;
			}
			release(c, self, pfn, dice >> 2);
		}
	}
	while (n) {
		n--;
		release(c, self, held[n], n);
	}
	return NULL;
}

static void run_churn(uint64_t pages, int rounds, uint32_t yield_one_in)
{
	struct physmem *pm = make(pages, 0);
	atomic_u32 *owner = calloc(pages, sizeof(*owner));
	atomic_u64 ring[64] = { 0 };
	struct churner c[THREADS];
	uint64_t twice = 0;

	point_yield(yield_one_in, 1);
	for (unsigned i = 0; i < THREADS; i++)
		c[i] = (struct churner){ pm, owner, ring, i, rounds, 0, 0 };
	crew_run(THREADS, churn, c, sizeof(c[0]));
	for (unsigned i = 0; i < THREADS; i++)
		twice += c[i].twice;
	point_yield(0, 0);
	for (int i = 0; i < 64; i++)
		if (ring[i])
			frame_free(pm, thread_self(), ring[i] - 1);
	assert_int_equal(twice, 0);
	assert_clean(pm);
	frame_settle(pm);
	assert_int_equal(usage(pm).deferred, 0);
	assert_clean(pm);
	physmem_destroy(pm);
	free(owner);
}

static void test_no_frame_has_two_owners(void **state)
{
	(void)state;
	run_churn(1 << 16, 1000000, 0);
	run_churn(1 << 16, 100000, 3);
}

/* Fewer frames than the threads want: refill from others, waits, failures. */
static void test_no_frame_has_two_owners_when_short(void **state)
{
	(void)state;
	run_churn(300, 100000, 0);
	run_churn(300, 10000, 3);
}

struct pipe {
	struct physmem *pm;
	atomic_u64 cell[256];
	int frames;
	uint64_t failed;
};

static void *produce(void *arg)
{
	struct pipe *p = arg;
	struct thread_slot *self = thread_self();

	for (int i = 0; i < p->frames; i++) {
		uint64_t pfn = frame_alloc(p->pm, self);
		struct park_spin spin = PARK_SPIN;

		while (pfn == PHYSMEM_NONE) {
			p->failed++;
			park_spin(&spin);
			pfn = frame_alloc(p->pm, self);
		}
		while (atomic_load_acquire(&p->cell[i % 256]))
			park_spin(&spin);
		atomic_store_release(&p->cell[i % 256], pfn + 1);
	}
	return NULL;
}

/* One thread only allocates, the other only frees: through the depot the same frames go round. */
static void test_producer_consumer(void **state)
{
	struct pipe p = { .pm = make(1 << 16, 0), .frames = 200000 };
	struct thread_slot *self = thread_self();
	struct crew producer;

	(void)state;
	producer = crew_start(1, produce, &p, sizeof(p));
	for (int i = 0; i < p.frames; i++) {
		struct park_spin spin = PARK_SPIN;
		uint64_t pfn;

		while (!(pfn = atomic_load_acquire(&p.cell[i % 256])))
			park_spin(&spin);
		atomic_store_release(&p.cell[i % 256], 0);
		if (i & 1)
			frame_free(p.pm, self, pfn - 1);
		else
			frame_defer(p.pm, self, pfn - 1);
	}
	crew_join(&producer);
	assert_int_equal(p.failed, 0);
	/* Of 65,536: none pile up, but for what the one that frees keeps. */
	assert_in_range(handed_out(p.pm), 1, 2048 + p.pm->spare_max * (FRAME_BATCH + FRAME_DEFER_BATCH));
	assert_clean(p.pm);
	physmem_destroy(p.pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_frame_has_two_owners),
		cmocka_unit_test(test_no_frame_has_two_owners_when_short),
		cmocka_unit_test(test_producer_consumer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
