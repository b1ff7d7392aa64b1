/* SPDX-License-Identifier: MIT */
/*
 * test_source.c - the frame allocator and its rivals as the benchmark sees them: each frame once, none lost, runs where
 * they belong, whole blocks back; and the loops that measure them notice a frame that is out twice.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "bench/frames/churn.h"
#include "bench/frames/frames_arm.h"

#define FRAMES  UINT64_C(65536)
#define THREADS 3u
#define STEPS   20000u
#define HELD    512u

static const struct source *const sources[] = {
	&source_engine, &source_public, &source_bits, &source_buddy, &source_buddy_lock, &source_list,
};

/* ---- everything, from several threads, back by others ---- */

struct worker { const struct source *source; void *s; unsigned thread; uint32_t *frame; uint32_t n; };

static void *take_all(void *arg)
{
	struct worker *w = arg;
	uint64_t frame;

	while ((frame = w->source->take(w->s, w->thread, 0)) != SOURCE_NONE)
		w->frame[w->n++] = (uint32_t)frame;
	return NULL;
}

static void *give_all(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < w->n; i++)
		w->source->give(w->s, w->thread, w->frame[i], 0);
	return NULL;
}

static void in_threads(struct worker *w, void *(*fn)(void *))
{
	pthread_t thread[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, fn, &w[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
}

static uint64_t each_once(const struct worker *w)
{
	uint8_t *seen = calloc(FRAMES, 1);
	uint64_t n = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		for (uint32_t j = 0; j < w[i].n; j++, n++) {
			assert_true(w[i].frame[j] < FRAMES);
			assert_int_equal(seen[w[i].frame[j]]++, 0);
		}
	}
	free(seen);
	return n;
}

static void all_frames(const struct source *source)
{
	struct worker w[THREADS];
	void *s = source->create(FRAMES, THREADS);
	uint32_t *first;

	assert_non_null(s);
	for (unsigned i = 0; i < THREADS; i++)
		w[i] = (struct worker){ source, s, i, calloc(FRAMES, sizeof(uint32_t)), 0 };
	assert_int_equal(source->free_frames(s), FRAMES);
	in_threads(w, take_all);
	/* who ran dry leaves what the others have in their caches, and threads that are over leave nothing */
	assert_int_equal(each_once(w) + source->free_frames(s), FRAMES);
	assert_true(each_once(w) > FRAMES - FRAMES / 4);
	first = w[0].frame;
	for (unsigned i = 0; i + 1 < THREADS; i++)
		w[i].frame = w[i + 1].frame;
	w[THREADS - 1].frame = first;
	for (unsigned i = 0, n = w[0].n; i < THREADS; i++)
		w[i].n = i + 1 < THREADS ? w[i + 1].n : n;
	in_threads(w, give_all);
	assert_int_equal(source->free_frames(s), FRAMES);
	for (unsigned i = 0; i < THREADS; i++)
		free(w[i].frame);
	source->destroy(s);
}

static void test_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		all_frames(sources[i]);
}

/* ---- a random program of all orders, beside a byte for each frame ---- */

struct run { uint32_t frame; unsigned order; };

static void mark(uint8_t *taken, struct run run, uint8_t from, uint8_t to)
{
	assert_int_equal(run.frame % (1u << run.order), 0);
	assert_true(run.frame + (1u << run.order) <= FRAMES);
	for (uint32_t i = 0; i < 1u << run.order; i++) {
		assert_int_equal(taken[run.frame + i], from);
		taken[run.frame + i] = to;
	}
}

static void random_program(const struct source *source)
{
	void *s = source->create(FRAMES, THREADS);
	uint8_t *taken = calloc(FRAMES, 1);
	struct prng random = prng_seed(1, 1);
	struct run held[HELD];
	uint64_t n = 0, out = 0, frame;

	assert_non_null(s);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned thread = (unsigned)prng_below(&random, THREADS), i;
		struct run run = { 0, (unsigned)prng_below(&random, source->order + 1) };

		if (n < HELD && prng_below(&random, 2) == 0 &&
		    (frame = source->take(s, thread, run.order)) != SOURCE_NONE) {
			run.frame = (uint32_t)frame;
			mark(taken, run, 0, 1);
			out += 1u << run.order;
			held[n++] = run;
		} else if (n > 0) {
			i = (unsigned)prng_below(&random, n);
			mark(taken, held[i], 1, 0);
			out -= 1u << held[i].order;
			source->give(s, thread, held[i].frame, held[i].order);
			held[i] = held[--n];
		}
		assert_int_equal(source->free_frames(s), FRAMES - out);
	}
	while (n-- > 0)
		source->give(s, 0, held[n].frame, held[n].order);
	assert_int_equal(source->free_frames(s), FRAMES);
	free(taken);
	source->destroy(s);
}

static void test_random(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		random_program(sources[i]);
}

/* ---- whole blocks come back ---- */

/* All runs of the largest order, after all frames were out one by one: caches let go what is missing. */
static void whole_blocks(const struct source *source)
{
	uint64_t size = UINT64_C(1) << source->order, n = 0, frame, *out = calloc(FRAMES, sizeof(*out));
	void *s = source->create(FRAMES, 1);

	while ((frame = source->take(s, 0, 0)) != SOURCE_NONE)
		out[n++] = frame;
	assert_int_equal(n, FRAMES);
	for (uint64_t i = 0; i < FRAMES; i++)
		source->give(s, 0, out[i * 40503 % FRAMES], 0);  /* odd: each once                                   */
	for (n = 0; n < FRAMES / size && (frame = source->take(s, 0, source->order)) != SOURCE_NONE; n++)
		out[n] = frame;
	assert_int_equal(n * size, FRAMES);
	while (n-- > 0)
		source->give(s, 0, out[n], source->order);
	assert_int_equal(source->free_frames(s), FRAMES);
	free(out);
	source->destroy(s);
}

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		whole_blocks(sources[i]);
}

/* ---- the arms ---- */

static void blocks_of(const struct source *source, struct frames_plan plan)
{
	struct frames_arm *arm;
	struct pairs_block block;

	plan.gang = gang_create(plan.threads);
	arm = frames_arm_open(source, &plan);
	assert_non_null(arm);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(frames_arm_block(arm, i, &block), 0);
		assert_true(block.proven);
		assert_true(block.rate > 0);
	}
	gang_destroy(plan.gang);
	frames_arm_close(arm);
}

static void test_arms(void **state)
{
	struct frames_plan plan = { .threads = 2, .frames = FRAMES, .burst = 8192, .ms = 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		plan.order = 0;
		for (plan.loop = SOURCE_PAIR; plan.loop < SOURCE_LOOPS; plan.loop++)
			blocks_of(sources[i], plan);
		plan.loop = SOURCE_PAIR;
		plan.order = sources[i]->order;
		blocks_of(sources[i], plan);
	}
}

/* ---- the loops notice ---- */

static uint64_t same_frame(void *s, void *mine)
{
	(void)s, (void)mine;
	return 7;
}

static void keep(void *s, void *mine, uint64_t frame)
{
	(void)s, (void)mine, (void)frame;
}

/* A source that gives one frame again and again: pairs of calls may have it, two at a time may not. */
static void test_twice(void **state)
{
	atomic_u8 stamp[16] = { 0 };
	uint32_t held[2];
	struct churn c = { .stamp = stamp, .held = held, .burst = 2, .threads = 1 };
	int status = 0;
	pid_t child;

	(void)state;
	churn_pair(&c, NULL, same_frame, keep);
	assert_int_equal(c.ops, CHURN_PAIRS);
	child = fork();
	if (child == 0) {
		churn_bulk(&c, NULL, same_frame, keep);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all), cmocka_unit_test(test_random), cmocka_unit_test(test_whole),
		cmocka_unit_test(test_arms), cmocka_unit_test(test_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
