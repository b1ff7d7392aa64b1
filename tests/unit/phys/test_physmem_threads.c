/* SPDX-License-Identifier: MIT */
/*
 * test_physmem_threads.c - all of a machine, taken by several threads until nothing is left: each frame once; given
 * back by others: whole blocks are there again. And what churn leaves of whole blocks.
 */
#include <string.h>

#include "base/prng.h"
#include "tests/unit/phys/crew.h"
#include "tests/unit/phys/fixture.h"
#include "vmmap/phys/frame_bits.h"

#define THREADS 4u
#define BLOCK   FRAME_BLOCK_FRAMES

/* ---- all frames ---- */

struct taker {
	struct physmem *pm;
	uint64_t seed, n, bad;
	struct physmem_run *run;                 /* [room]                                                         */
	unsigned orders;                         /* 0: frames only; else runs of orders below                      */
};

/* Large runs first, as long as there are some; then whatever is left, frame by frame. */
static void *take_until_none(void *arg)
{
	struct taker *t = arg;
	struct prng rng = prng_seed(t->seed, 0);

	for (unsigned misses = 0; t->orders != 0 && misses < 8;) {
		unsigned order = (unsigned)prng_below(&rng, t->orders);

		if (physmem_run_alloc(t->pm, order, &t->run[t->n]) == 0)
			t->n++;
		else
			misses++;
	}
	while (physmem_run_alloc(t->pm, 0, &t->run[t->n]) == 0)
		t->n++;
	return NULL;
}

static void *give_all_back(void *arg)
{
	struct taker *t = arg;

	for (uint64_t i = 0; i < t->n; i++)
		t->bad += physmem_run_free(t->pm, &t->run[i]) != 0;
	return NULL;
}

static int by_pfn(const void *a, const void *b)
{
	uint64_t x = ((const struct physmem_run *)a)->pfn, y = ((const struct physmem_run *)b)->pfn;

	return x < y ? -1 : x > y;
}

/* All runs of all takers, sorted: they touch, and no two overlap. Returns how many frames that are. */
static uint64_t all_sorted(const struct taker *t, const struct physmem_range *segment, unsigned nsegments)
{
	uint64_t n = 0, frames = 0, k = 0;
	struct physmem_run *all;

	for (unsigned i = 0; i < THREADS; i++)
		n += t[i].n;
	all = malloc(n * sizeof(*all));
	for (unsigned i = 0; i < THREADS; k += t[i++].n)
		memcpy(all + k, t[i].run, t[i].n * sizeof(*all));
	qsort(all, n, sizeof(*all), by_pfn);
	k = 0;
	for (unsigned i = 0; i < nsegments; i++)
		for (uint64_t at = segment[i].pfn; at < segment[i].pfn + segment[i].pages; k++) {
			assert_true(k < n);
			assert_int_equal(all[k].pfn, at);
			at += UINT64_C(1) << all[k].order;
			frames += UINT64_C(1) << all[k].order;
		}
	assert_int_equal(k, n);
	free(all);
	return frames;
}

/* What one thread has taken, another gives back. */
static void rotate(struct taker *t)
{
	struct taker first = t[0];

	for (unsigned i = 0; i + 1 < THREADS; i++)
		t[i] = t[i + 1];
	t[THREADS - 1] = first;
}

/* Every whole block can be had as one again. */
static void whole_blocks_reappear(struct physmem *pm, uint64_t blocks)
{
	struct physmem_run *run = calloc(blocks + 1, sizeof(*run));
	uint64_t n = 0;

	while (n <= blocks && physmem_run_alloc(pm, 9, &run[n]) == 0)
		n++;
	assert_int_equal(n, blocks);
	while (n > 0)
		assert_int_equal(physmem_run_free(pm, &run[--n]), 0);
	free(run);
}

static void all_of(const struct physmem_range *segment, unsigned n, uint64_t blocks, unsigned orders)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct taker t[THREADS];
	struct physmem *pm;
	uint64_t frames = 0;

	for (unsigned i = 0; i < n; i++)
		frames += segment[i].pages;
	config.segments = segment;
	config.nsegments = n;
	assert_int_equal(physmem_create(&pm, &config), 0);
	for (unsigned i = 0; i < THREADS; i++)
		t[i] = (struct taker){ pm, i + 1, 0, 0, calloc(frames + 1, sizeof(*t[i].run)), orders };
	for (unsigned round = 0; round < 3; round++) {
		struct taker rest = { pm, 0, 0, 0, calloc(frames + 1, sizeof(*rest.run)), 0 };

		crew_run(THREADS, take_until_none, t, sizeof(t[0]));
		/* What lay in caches of threads that ended after others had looked for the last time. */
		take_until_none(&rest);
		for (uint64_t i = 0; i < rest.n; i++)
			t[0].run[t[0].n++] = rest.run[i];
		free(rest.run);
		assert_int_equal(all_sorted(t, segment, n), frames);
		assert_int_equal(usage(pm).owned, frames);
		assert_int_equal(physmem_audit(pm, stderr), 0);
		rotate(t);
		crew_run(THREADS, give_all_back, t, sizeof(t[0]));
		assert_clean(pm);
		for (unsigned i = 0; i < THREADS; i++) {
			assert_int_equal(t[i].bad, 0);
			t[i].n = 0;
		}
		whole_blocks_reappear(pm, blocks);
	}
	for (unsigned i = 0; i < THREADS; i++)
		free(t[i].run);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void each_frame_once(void **state)
{
	static const struct physmem_range one[] = { { 0, 32 * BLOCK } };
	static const struct physmem_range ragged[] = {
		{ 100, 3 }, { 500, 12 + 4 * BLOCK }, { 8 * BLOCK, 512 }, { 9 * BLOCK, 511 }, { 20 * BLOCK + 1, 8000 },
	};

	(void)state;
	all_of(one, 1, 32, 0);
	all_of(one, 1, 32, 10);
	all_of(ragged, 5, 4 + 1 + 14, 0);
	all_of(ragged, 5, 4 + 1 + 14, 10);
}

/* ---- fragmentation ---- */

#define BLOCKS 256u
#define ROUNDS 20u

static uint64_t free_blocks(struct physmem *pm)
{
	uint64_t n = 0;

	for (uint64_t block = 0; block < BLOCKS; block++)
		n += frame_block_all_free(frame_bits_word(&pm->bits, block));
	return n;
}

/* Of segments of eight blocks the one with the fewest frames in use: so many moves would empty it. */
static uint64_t fewest_moves(const unsigned char *used)
{
	uint64_t fewest = UINT64_MAX;

	for (uint64_t at = 0; at < BLOCKS * BLOCK; at += 8 * BLOCK) {
		uint64_t n = 0;

		for (uint64_t i = 0; i < 8 * BLOCK; i++)
			n += used[at + i];
		fewest = n < fewest ? n : fewest;
	}
	return fewest;
}

struct churn { struct physmem *pm; uint64_t *pfn, n, bad; unsigned char used[BLOCKS * BLOCK]; struct prng rng; };

static void take(struct churn *c, uint64_t n)
{
	while (n-- > 0) {
		uint64_t pfn = physmem_frame_alloc(c->pm);

		assert_true(pfn != PHYSMEM_NONE);
		c->used[c->pfn[c->n++] = pfn] = 1;
	}
}

/* n of those in use, at random. */
static void give(struct churn *c, uint64_t n)
{
	while (n-- > 0) {
		uint64_t k = prng_below(&c->rng, c->n), pfn = c->pfn[k];

		c->pfn[k] = c->pfn[--c->n];
		c->used[pfn] = 0;
		c->bad += physmem_frame_free(c->pm, pfn) != 0;
	}
}

/* Half of what is in use goes, more than caches and depot hold. By a thread of its own, so that no cache keeps it for
 * who takes. */
static void *churn_once(void *arg)
{
	struct churn *c = arg;

	give(c, c->n / 2);
	return NULL;
}

/* Returns how many blocks are whole and free afterwards. */
static uint64_t churned(struct churn *c, const char *what)
{
	uint64_t least = BLOCKS, whole = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t n = c->n / 2;

		crew_run(1, churn_once, c, sizeof(*c));
		take(c, n);
		whole = free_blocks(c->pm);
		least = whole < least ? whole : least;
	}
	print_message("%s, half of %u blocks in use, half of that churned %u times: %llu whole ones are free (%llu at "
		      "the least); %llu moves empty eight\n", what, BLOCKS, ROUNDS, (unsigned long long)whole,
		      (unsigned long long)least, (unsigned long long)fewest_moves(c->used));
	return whole;
}

/* Blocks that are in use are filled first, so what is whole stays so; had each frame its place by chance, none would.
 * But a machine that was full once has no block to itself, and churn alone does not bring them back. */
static void churn_leaves_whole_blocks(void **state)
{
	struct churn *c = calloc(1, sizeof(*c));

	(void)state;
	c->pm = make(BLOCKS * BLOCK, 0);
	c->pfn = malloc(BLOCKS * BLOCK * sizeof(*c->pfn));
	c->rng = prng_seed(5, 0);
	take(c, BLOCKS * BLOCK / 2);
	assert_in_range(churned(c, "from empty"), BLOCKS / 2 - 4, BLOCKS / 2);
	take(c, BLOCKS * BLOCK - c->n);
	give(c, c->n / 2);
	churned(c, "from full");
	give(c, c->n);
	assert_int_equal(c->bad, 0);
	assert_clean(c->pm);
	whole_blocks_reappear(c->pm, BLOCKS);
	physmem_destroy(c->pm);
	free(c->pfn);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_frame_once),
		cmocka_unit_test(churn_leaves_whole_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
