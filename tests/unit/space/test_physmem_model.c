/* SPDX-License-Identifier: MIT */
/*
 * test_physmem_model.c - random programs over one physmem: plugs and unplugs of all modes, a listener that may say no,
 * runs of all orders, wrong frees, reports, a balloon, poison, maps that store, drop, pin, fork and exit, against a
 * byte for each frame and a record for each page. All sums after each step, each frame after some. The same with each
 * allocation of memory failing in turn.
 *
 *     test_physmem_model [STEPS [SEED]]
 *
 * mutant: share_uncounted
 * mutant: share_keeps_write
 * mutant: fault_takes_over
 * mutant: frame_flush_keeps
 * mutant: unplug_claims_twice
 * mutant: unplug_ignores_veto
 * mutant: unplug_veto_keeps
 * mutant: pin_anywhere
 * mutant: fork_shares_pinned
 * mutant: migrate_takes_pinned
 */
#include "tests/unit/space/physmem_model_pages.h"

#define EVERY 20u                                /* steps between two looks at every frame                         */

/* ---- programs ---- */

static void compare_sums(void)
{
	struct physmem_usage u;

	physmem_get_usage(pm, &u);
	assert_int_equal(u.frames, FRAMES - count(ABSENT));
	assert_int_equal(u.owned, count(RUN) + count(INSIDE) + count(SHOWN) + count(PINNED));
	assert_int_equal(u.balloon, count(BALLOON));
	assert_int_equal(u.poisoned, count(POISON));
	assert_int_equal(u.isolated, 0);
	assert_int_equal(u.free + u.cached + u.deferred, count(FREE));
	assert_int_equal(ear.begun, ear.ended);
	assert_int_equal(host_was_wrong, 0);
}

static int compare_stretch(void *arg, const struct physmem_stretch *is)
{
	static const enum physmem_state state[PLACES] = {
		[ABSENT] = PHYSMEM_ABSENT, [FREE] = PHYSMEM_FREE, [RUN] = PHYSMEM_UNMOVABLE,
		[INSIDE] = PHYSMEM_UNMOVABLE, [SHOWN] = PHYSMEM_MOVABLE, [PINNED] = PHYSMEM_MOVABLE,
		[BALLOON] = PHYSMEM_BALLOON, [POISON] = PHYSMEM_POISONED,
	};
	enum physmem_state of = is->state == PHYSMEM_REPORTED || is->state == PHYSMEM_CACHED ? PHYSMEM_FREE : is->state;

	for (uint64_t at = is->pfn - FIRST; at < is->pfn - FIRST + is->pages; at++)
		assert_int_equal(of, state[place[at]]);
	*(uint64_t *)arg += is->pages;
	return 0;
}

static void compare_frames(void)
{
	uint64_t all = 0;

	compare_sums();
	assert_int_equal(physmem_audit(pm, stderr), 0);
	assert_int_equal(physmem_walk(pm, FIRST, FRAMES, compare_stretch, &all), 0);
	assert_int_equal(all, FRAMES);
	for (unsigned i = 0; i < FRAMES; i++) {
		if (place[i] != SHOWN && place[i] != PINNED)
			continue;
		assert_int_equal(frame_counts(pm, FIRST + i).refs, users[i] + pins[i]);
		assert_int_equal(frame_counts(pm, FIRST + i).maps, users[i]);
	}
}

static void compare(void)
{
	compare_frames();
	for (unsigned k = 0; k < SPACES; k++)
		for (unsigned i = 0; i < PAGES && space[k].map != NULL; i++)
			if (space[k].page[i].pfn != 0)
				assert_int_equal(shown_by(&space[k], i), space[k].page[i].pfn);
}

static void step_space(struct space *s, unsigned turn)
{
	static void (*const of_space[])(struct space *) = {
		do_stores, do_stores, do_stores, do_stores, do_load, do_load, do_drop, do_map, do_unmap, do_fork,
		do_pin, do_pin, do_pin,
	};

	if (s->map == NULL && (turn != 2 || pick(50) == 0))
		do_begin(s);
	else if (s->map == NULL)
		return;
	else if (pick(turn == 2 ? 12 : 150) == 0)
		do_exit(s);
	else
		of_space[pick(13)](s);
}

static void plug_or_unplug(void)
{
	if (count(ABSENT) > FRAMES / 6 + pick(FRAMES / 3))
		do_plug();
	else
		do_unplug();
}

/* By turns as much is taken as given back; more is taken, until there is none; nearly all is given back. */
static void step(uint64_t number)
{
	unsigned dice = pick(100), turn = number / 300 % 3, many = turn != 0 ? 12 : 1;

	failed_before = failing && mem_fail_fired();
	if (dice < 14)
		plug_or_unplug();
	else if (dice < 24)
		do_report();
	else if (dice < 26)
		do_wrong_free();
	else if (dice < 29)
		do_balloon(turn == 2);
	else if (dice < 37)
		do_poison();
	else if (dice < 40)
		for (unsigned i = 0; i < (turn == 2 ? many : 1); i++)
			do_unpin();
	else if (dice < (turn == 1 ? 56 : 50) && turn != 2)
		for (unsigned i = 0; i < many; i++)
			do_alloc();
	else if (dice < 57)
		for (unsigned i = 0; i < many * (1 + turn / 2); i++)
			do_free();
	else
		step_space(&space[pick(SPACES)], turn);
}

static void begin(uint64_t seed)
{
	struct physmem_range boot[] = { { FIRST + 100, 412 + 2 * BLOCK }, { FIRST + 4 * BLOCK - 36, 36 } };
	struct physmem_config config = PHYSMEM_CONFIG;
	struct vmmap_config space_config = VMMAP_CONFIG;

	memset(place, ABSENT, sizeof(place));
	memset(kind, NOTHING, sizeof(kind));
	memset(users, 0, sizeof(users));
	memset(pins, 0, sizeof(pins));
	memset(placed, 0, sizeof(placed));
	memset(&ear, 0, sizeof(ear));
	placed[ABSENT] = FRAMES;
	npins = 0;
	memset(space, 0, sizeof(space));
	runs = 0;
	reports = inflates = failing = false;
	for (unsigned i = 0; i < 2; i++)
		for (uint64_t at = boot[i].pfn - FIRST; at < boot[i].pfn - FIRST + boot[i].pages; at++)
			set_place(at, FREE), kind[at / BLOCK] = ANY;
	config.segments = boot;
	config.nsegments = 2;
	config.base = FIRST;
	config.limit = FIRST + FRAMES;
	config.bytes = 1;
	assert_int_equal(physmem_create(&pm, &config), 0);
	space_config.physmem = pm;
	assert_int_equal(vmmap_create(&keeper, &space_config), 0);
	ear.l.fn = ear_hears;
	assert_int_equal(physmem_listen(pm, &ear.l), 0);
	rng = prng_seed(seed, 0);
}

static void end(void)
{
	for (unsigned i = 0; i < SPACES; i++) {
		if (space[i].map == NULL)
			continue;
		assert_int_equal(vmmap_audit(space[i].map, stderr), 0);
		do_exit(&space[i]);
	}
	while (runs != 0)
		do_free();
	while (npins != 0)
		do_unpin();
	vmmap_destroy(keeper);
	physmem_report_stop(pm);
	physmem_balloon_stop(pm);
	reports = inflates = false;
	compare();
	assert_int_equal(count(FREE) + count(ABSENT) + count(POISON), FRAMES);
	physmem_destroy(pm);
}

static unsigned long steps = 100000, seed_now = 1;

static void random_programs(void **state)
{
	(void)state;
	begin(seed_now);
	for (unsigned long i = 0; i < steps; i++) {
		step(i);
		if (i % EVERY == 0)
			compare();
		else
			compare_sums();
	}
	end();
	model_print_seen();
	assert_true(steps < 100000 || seed_now != 1 || model_saw_all());
}

/* A program for each allocation of memory that it makes. */
static void want_for_memory(void **state)
{
	uint64_t nth = 1;
	bool fired = true;

	(void)state;
	for (; fired; nth += 1 + nth / 8) {
		begin(7);
		failing = true;
		mem_fail_nth(nth);
		for (unsigned i = 0; i < 400; i++)
			step(i);
		fired = mem_fail_fired();
		mem_fail_nth(0);
		failing = false;
		compare();
		end();
	}
	assert_true(nth > 50);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
		cmocka_unit_test(want_for_memory),
	};
	const char *mutant = getenv("VMMAP_MUTANT");

	if (mutant && point_mutant_select(mutant))
		return 99;
	steps = argc > 1 ? strtoul(argv[1], NULL, 0) : steps;
	seed_now = argc > 2 ? strtoul(argv[2], NULL, 0) : seed_now;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
