/* SPDX-License-Identifier: MIT */
/* test_physmem_plug.c - segments come to a machine: where they may, what can be had then, and beside who allocates. */
#include "base/mem.h"
#include "base/park.h"
#include "tests/unit/phys/crew.h"
#include "tests/unit/phys/fixture.h"
#include "vmmap/phys/frame_depot.h"

#define LIMIT (UINT64_C(1) << 20)

/* Boot memory [1000, 1000 + pages), room up to LIMIT. */
static struct physmem *roomy(uint64_t pages)
{
	struct physmem_range boot = { 1000, pages };
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *pm = NULL;

	config.segments = &boot;
	config.nsegments = 1;
	config.base = 512;
	config.limit = LIMIT;
	config.bytes = 1;
	assert_int_equal(physmem_create(&pm, &config), 0);
	return pm;
}

/* For what can be moved: there are such frames in all segments. */
static uint64_t take_all(struct physmem *pm, uint64_t *pfn, uint64_t room)
{
	uint64_t n = 0;

	while (n < room && (pfn[n] = frame_alloc(pm, thread_self())) != PHYSMEM_NONE)
		n++;
	return n;
}

static void give_all(struct physmem *pm, const uint64_t *pfn, uint64_t n)
{
	while (n > 0)
		frame_free(pm, thread_self(), pfn[--n]);
}

static void errors_change_nothing(void **state)
{
	static const struct { uint64_t pfn, pages; int movable, err; } bad[] = {
		{ 2000, 0, 0, -EINVAL }, { 0, 100, 0, -EINVAL }, { LIMIT - 5, 6, 0, -EINVAL }, { LIMIT, 1, 0, -EINVAL },
		{ 4096, UINT64_MAX, 0, -EINVAL }, { 1000, 1, 0, -EEXIST }, { 2020, 100, 0, -EEXIST },
		{ 600, 4000, 0, -EEXIST }, { 2030, 10, 1, -EINVAL },
	};
	struct physmem *pm = roomy(1024);

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(physmem_plug(pm, bad[i].pfn, bad[i].pages, bad[i].movable), bad[i].err);
		assert_int_equal(usage(pm).frames, 1024);
		assert_clean(pm);
	}
	physmem_destroy(pm);
}

static void what_is_plugged_can_be_had(void **state)
{
	static const struct { uint64_t pfn, pages; int movable; } come[] = {
		{ 2024, 100, 0 },                        /* adjacent                                                  */
		{ 700, 300, 0 },                         /* below                                                     */
		{ 8192, 5000, 1 },                       /* for what is movable only; more than all there is          */
		{ LIMIT - 1, 1, 0 },                     /* the last                                                  */
	};
	struct physmem *pm = roomy(1024);
	uint64_t *pfn = calloc(8192, sizeof(*pfn)), frames = 1024;

	(void)state;
	for (unsigned i = 0; i < sizeof(come) / sizeof(come[0]); i++) {
		uint64_t n = take_all(pm, pfn, 8192), before = usage(pm).free;

		assert_int_equal(n, frames);
		assert_int_equal(physmem_plug(pm, come[i].pfn, come[i].pages, come[i].movable), 0);
		assert_int_equal(usage(pm).free, before + come[i].pages);
		for (uint64_t k = 0; k < come[i].pages; k++) {
			uint64_t got = frame_alloc(pm, thread_self());

			assert_in_range(got, come[i].pfn, come[i].pfn + come[i].pages - 1);
			pfn[n++] = got;
		}
		assert_true(frame_alloc(pm, thread_self()) == PHYSMEM_NONE);
		frames = n;
		assert_int_equal(physmem_audit(pm, stderr), 0);
		give_all(pm, pfn, n);
		assert_clean(pm);
	}
	assert_int_equal(usage(pm).frames, 1024 + 100 + 300 + 5000 + 1);
	free(pfn);
	physmem_destroy(pm);
}

static void want_for_memory_changes_nothing(void **state)
{
	struct physmem *pm = roomy(1024);

	(void)state;
	for (uint64_t at = 4096, nth = 1;; nth++) {
		uint64_t before = usage(pm).frames;
		int err;

		mem_fail_nth(nth);
		err = physmem_plug(pm, at, 100, 0);
		if (!mem_fail_fired()) {
			mem_fail_nth(0);
			assert_int_equal(err, 0);
			break;
		}
		assert_true(err == 0 || err == -ENOMEM);
		at += err == 0 ? 512 : 0;
		assert_int_equal(usage(pm).frames, before + (err == 0 ? 100 : 0));
		assert_clean(pm);
	}
	physmem_destroy(pm);
}

/* ---- what can be moved, and what cannot ---- */

/* A segment for what can be moved never holds anything else, however short of memory the machine is (I12). */
static void movable_segments_hold_nothing_else(void **state)
{
	struct physmem_run run[1024];
	struct physmem *pm = roomy(1024);
	uint64_t moved = 0, n = 0;

	(void)state;
	assert_int_equal(physmem_plug(pm, 8192, 2048, 1), 0);
	for (; physmem_run_alloc(pm, 0, &run[n]) == 0; n++)
		assert_in_range(run[n].pfn, 1000, 2023);
	assert_int_equal(n, 1024);
	assert_int_equal(usage(pm).owned, 1024);
	while (frame_alloc(pm, thread_self()) != PHYSMEM_NONE)
		moved++;
	assert_int_equal(moved, 2048);
	assert_int_equal(physmem_audit(pm, stderr), 0);
	assert_int_equal(physmem_run_free(pm, &run[0]), 0);
	frame_free(pm, thread_self(), 8192);
	assert_true(physmem_frame_alloc(pm) == run[0].pfn);
	assert_true(physmem_frame_alloc(pm) == PHYSMEM_NONE);            /* though one is free */
	assert_int_equal(physmem_run_alloc(pm, 0, &run[0]), -ENOMEM);
	assert_true(frame_alloc(pm, thread_self()) == 8192);
	for (uint64_t pfn = 8192; pfn < 8192 + 2048; pfn++)
		frame_free(pm, thread_self(), pfn);
	for (uint64_t pfn = 1000; pfn < 2024; pfn++)
		assert_int_equal(physmem_frame_free(pm, pfn), 0);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* While there is room the two lie in different blocks; short of it, frames change their kind both ways. */
static void kinds_keep_apart(void **state)
{
	struct physmem *pm = make(4096, 0);
	uint64_t pfn[4096 + 1], n = 0;           /* and the PHYSMEM_NONE behind them */

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		uint64_t stays = physmem_frame_alloc(pm), moves = frame_alloc(pm, thread_self());

		assert_int_equal(frame_block_class(frame_bits_word(&pm->bits, stays >> 9)), FRAME_CLASS_UNMOVABLE);
		assert_int_equal(frame_block_class(frame_bits_word(&pm->bits, moves >> 9)), FRAME_CLASS_MOVABLE);
		pfn[n++] = stays;
		pfn[n++] = moves;
	}
	for (uint64_t i = 0; i < n; i += 2) {
		assert_int_equal(physmem_frame_free(pm, pfn[i]), 0);
		frame_free(pm, thread_self(), pfn[i + 1]);
	}
	for (n = 0; (pfn[n] = physmem_frame_alloc(pm)) != PHYSMEM_NONE; n++)
		;
	assert_int_equal(n, 4096);
	while (n > 0)
		assert_int_equal(physmem_frame_free(pm, pfn[--n]), 0);
	assert_int_equal(take_all(pm, pfn, 4096), 4096);
	give_all(pm, pfn, 4096);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- below the caches ---- */

/* What is too much for the caches and the depot goes back to its rows: whole blocks are there again. */
static void blocks_form_again(void **state)
{
	const uint64_t n = 1 << 16;
	struct physmem *pm = make(n, 0);
	struct thread_slot *self = thread_self();
	uint64_t *pfn = malloc(n * sizeof(*pfn)), whole = 0, kept;

	(void)state;
	for (uint64_t i = 0; i < n; i++)
		assert_true((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
	for (uint64_t i = 0; i < n; i++)
		frame_free(pm, self, pfn[i]);
	assert_clean(pm);
	for (uint64_t block = 0; block < n / 512; block++)
		whole += frame_block_all_free(frame_bits_word(&pm->bits, block));
	kept = (uint64_t)(pm->depot_max + pm->spare_max + 2) * pm->batch;
	assert_in_range(whole, (n - kept) / 512 - 2, n / 512);
	free(pfn);
	physmem_destroy(pm);
}

/* In any order: pieces of chains go to many rows. */
static void frames_in_disorder_go_back(void **state)
{
	const uint64_t n = 1 << 15, odd = 20011;
	struct physmem *pm = make(n, 0);
	struct thread_slot *self = thread_self();
	uint64_t *pfn = malloc(n * sizeof(*pfn));

	(void)state;
	pm->depot_max = 2;
	for (uint64_t i = 0; i < n; i++)
		assert_true((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
	for (uint64_t i = 0; i < n; i++)
		frame_free(pm, self, pfn[i * odd % n]);
	assert_clean(pm);
	frame_flush(pm, self);
	assert_clean(pm);
	assert_int_equal(usage(pm).free, n);
	for (uint64_t i = 0; i < n; i++)
		assert_true((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
	for (uint64_t i = 0; i < n; i++)
		frame_free(pm, self, pfn[i]);
	free(pfn);
	physmem_destroy(pm);
}

/* The depot counts its chains without a word for that. */
static void the_depot_is_bounded(void **state)
{
	struct physmem *pm = make(4096, 0);
	uint32_t chain[8];

	(void)state;
	pm->depot_max = 3;
	for (int i = 0; i < 8; i++)
		assert_true((chain[i] = frame_depot_take(pm, NULL, FRAME_MOVABLE)) != 0);
	for (int i = 0; i < 8; i++)
		frame_depot_give(pm, NULL, FRAME_MOVABLE, chain[i]);
	assert_int_equal(usage(pm).free, 4096);
	assert_clean(pm);
	assert_int_equal(frame_depot_take(pm, NULL, FRAME_MOVABLE), chain[2]);
	frame_depot_give(pm, NULL, FRAME_MOVABLE, chain[2]);
	for (int i = 2; i >= 0; i--)
		assert_int_equal(frame_depot_take(pm, NULL, FRAME_MOVABLE), chain[i]);
	for (int i = 0; i < 3; i++)
		frame_depot_give(pm, NULL, FRAME_MOVABLE, chain[i]);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- beside who allocates ---- */

#define THREADS 2u

struct churner { struct physmem *pm; atomic_u32 *stop; uint64_t seen; };

static void *churn(void *arg)
{
	struct churner *c = arg;
	uint64_t pfn[300];

	while (!atomic_load_relaxed(c->stop)) {
		uint64_t n = take_all(c->pm, pfn, 300);

		for (uint64_t i = 0; i < n; i++) {
			frame_write(c->pm, pfn[i], 8, &pfn[i], 8);
			c->seen = pfn[i] > c->seen ? pfn[i] : c->seen;
		}
		for (uint64_t i = 0; i < n; i++) {
			uint64_t is;

			frame_read(c->pm, pfn[i], 8, &is, 8);
			assert_int_equal(is, pfn[i]);
		}
		give_all(c->pm, pfn, n);
	}
	return NULL;
}

static void plugs_beside_churn(void **state)
{
	struct physmem *pm = roomy(400);
	struct churner churner[THREADS];
	atomic_u32 stop = 0;
	struct crew crew;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		churner[i] = (struct churner){ pm, &stop, 0 };
	crew = crew_start(THREADS, churn, churner, sizeof(churner[0]));
	for (uint64_t at = 4096; at < 4096 + 200 * 100; at += 200)
		assert_int_equal(physmem_plug(pm, at, 150, 0), 0);
	atomic_store_relaxed(&stop, 1);
	crew_join(&crew);
	assert_clean(pm);
	assert_int_equal(usage(pm).frames, 400 + 150 * 100);
	physmem_destroy(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_change_nothing),
		cmocka_unit_test(what_is_plugged_can_be_had),
		cmocka_unit_test(want_for_memory_changes_nothing),
		cmocka_unit_test(movable_segments_hold_nothing_else),
		cmocka_unit_test(kinds_keep_apart),
		cmocka_unit_test(blocks_form_again),
		cmocka_unit_test(frames_in_disorder_go_back),
		cmocka_unit_test(the_depot_is_bounded),
		cmocka_unit_test(plugs_beside_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
