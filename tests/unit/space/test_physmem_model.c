/* SPDX-License-Identifier: MIT */
/*
 * test_physmem_model.c - random programs over one physmem: plugs, runs of all orders, wrong frees, maps that store,
 * drop, fork and exit, against a byte for each frame and a record for each page; the same with each allocation of
 * memory failing in turn.
 *
 *     test_physmem_model [STEPS [SEED]]
 *
 * mutant: share_uncounted
 * mutant: share_keeps_write
 * mutant: fault_takes_over
 * mutant: frame_flush_keeps
 * mutant: unplug_claims_twice
 */
#include "tests/unit/space/physmem_model.h"

#define SPACES 4u
#define PAGES  700u
#define EVERY  250u                              /* steps between two looks at every frame                         */

struct page { bool mapped; uint64_t stored, pfn; };      /* pfn 0: none of its own                                 */
struct space { struct vmmap *map; struct page page[PAGES]; };

static struct space space[SPACES];

/* ---- pages ---- */

static uint64_t addr_of(unsigned page) { return BASE + page * PAGE; }

static void unshow(struct page *p)
{
	if (p->pfn != 0 && --users[p->pfn - FIRST] == 0)
		place[p->pfn - FIRST] = FREE;
	p->pfn = p->stored = 0;
}

static void do_map(struct space *s)
{
	unsigned lo = pick(PAGES), n = 1 + pick(PAGES - lo);
	int64_t err = vmmap_mmap(s->map, addr_of(lo), n * PAGE, RW, ANON | MAP_FIXED, NULL, 0);

	if (ordered((int)err))
		return;
	assert_int_equal(err, addr_of(lo));
	for (unsigned i = lo; i < lo + n; i++) {
		unshow(&s->page[i]);
		s->page[i].mapped = true;
	}
}

static void do_unmap(struct space *s)
{
	unsigned lo = pick(PAGES), n = 1 + pick(PAGES - lo);
	int err = vmmap_munmap(s->map, addr_of(lo), n * PAGE);

	if (ordered(err))
		return;
	assert_int_equal(err, 0);
	for (unsigned i = lo; i < lo + n; i++) {
		unshow(&s->page[i]);
		s->page[i].mapped = false;
	}
}

static void do_drop(struct space *s)
{
	unsigned lo = pick(PAGES), n = 1 + pick(20), holes = 0;
	int err;

	n = n < PAGES - lo ? n : PAGES - lo;
	err = vmmap_madvise(s->map, addr_of(lo), n * PAGE, MADV_DONTNEED);
	if (ordered(err))
		return;
	for (unsigned i = lo; i < lo + n; i++) {
		holes += !s->page[i].mapped;
		unshow(&s->page[i]);
	}
	assert_int_equal(err, holes != 0 ? -ENOMEM : 0);
}

/* The page has a frame: as before, if nobody else has it; else one that was free. */
static void stored_to(struct space *s, unsigned at)
{
	struct vmmap_fault_info info;
	struct page *p = &s->page[at];
	uint64_t before = p->pfn;

	assert_int_equal(vmmap_fault(s->map, addr_of(at), PROT_READ, &info), 0);
	p->stored = stamp;
	if (info.pfn == before) {
		assert_int_equal(users[before - FIRST], 1);
		return;
	}
	assert_true(info.pfn - FIRST < FRAMES);
	assert_int_equal(place[info.pfn - FIRST], FREE);
	if (before != 0) {
		assert_true(users[before - FIRST] > 1);
		users[before - FIRST]--;
		seen[COPIES]++;
	}
	p->pfn = info.pfn;
	place[p->pfn - FIRST] = SHOWN;
	users[p->pfn - FIRST] = 1;
}

static void do_store(struct space *s, unsigned at)
{
	ssize_t n;

	stamp++;
	n = vmmap_write(s->map, addr_of(at), &stamp, sizeof(stamp));
	if (ordered((int)n))
		return;
	if (!s->page[at].mapped) {
		assert_int_equal(n, -EFAULT);
	} else if (n == -ENOMEM) {
		assert_true(count(FREE) == 0);
		assert_true(s->page[at].pfn == 0 || users[s->page[at].pfn - FIRST] > 1);
		seen[NO_FRAME]++;
	} else {
		assert_int_equal(n, sizeof(stamp));
		stored_to(s, at);
	}
}

static void do_stores(struct space *s)
{
	unsigned lo = pick(PAGES), n = 1 + pick(pick(8) ? 8 : 300);

	for (unsigned i = lo; i < PAGES && i < lo + n; i++)
		do_store(s, i);
}

static void do_load(struct space *s)
{
	unsigned at = pick(PAGES);
	uint64_t is = 0;
	ssize_t n = vmmap_read(s->map, addr_of(at), &is, sizeof(is));

	if (ordered((int)n))
		return;
	assert_int_equal(n, s->page[at].mapped ? (ssize_t)sizeof(is) : -EFAULT);
	assert_int_equal(is, s->page[at].stored);
}

/* ---- address spaces ---- */

static void do_exit(struct space *s)
{
	vmmap_destroy(s->map);
	for (unsigned i = 0; i < PAGES; i++)
		unshow(&s->page[i]);
	memset(s, 0, sizeof(*s));
}

static void do_begin(struct space *s)
{
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	config.physmem = pm;
	err = vmmap_create(&s->map, &config);
	if (err != 0)
		s->map = NULL;
	assert_true(err == 0 || ordered(err));
}

static void do_fork(struct space *s)
{
	struct space *child = &space[pick(SPACES)];
	int err;

	if (child == s)
		return;
	if (child->map != NULL)
		do_exit(child);
	err = vmmap_fork(&child->map, s->map);
	if (err != 0) {
		assert_true(ordered(err));
		child->map = NULL;
		return;
	}
	seen[FORKS]++;
	memcpy(child->page, s->page, sizeof(s->page));
	for (unsigned i = 0; i < PAGES; i++)
		if (s->page[i].pfn != 0)
			users[s->page[i].pfn - FIRST]++;
}

/* ---- unplug ---- */

/* All pages that show one frame show the same other one now, with the same content; that was free. */
static void page_moved(struct page *p, uint64_t now)
{
	uint64_t before = p->pfn;

	if (place[now - FIRST] == FREE) {
		place[now - FIRST] = SHOWN;
		users[now - FIRST] = 0;
	}
	assert_int_equal(place[now - FIRST], SHOWN);
	users[now - FIRST]++;
	if (--users[before - FIRST] == 0)
		place[before - FIRST] = FREE;
	p->pfn = now;
}

static void pages_moved(void)
{
	struct vmmap_fault_info info;

	for (unsigned k = 0; k < SPACES; k++)
		for (unsigned i = 0; i < PAGES && space[k].map != NULL; i++) {
			if (space[k].page[i].pfn == 0)
				continue;
			assert_int_equal(vmmap_fault(space[k].map, addr_of(i), PROT_READ, &info), 0);
			if (info.pfn != space[k].page[i].pfn)
				page_moved(&space[k].page[i], info.pfn);
		}
}

/* ---- programs ---- */

static void compare(void)
{
	struct physmem_usage u;

	physmem_get_usage(pm, &u);
	assert_int_equal(u.frames, FRAMES - count(ABSENT));
	assert_int_equal(u.owned, count(RUN) + count(INSIDE) + count(SHOWN));
	assert_int_equal(u.balloon, count(BALLOON));
	assert_int_equal(u.poisoned, count(POISON));
	assert_int_equal(u.free + u.cached + u.deferred, count(FREE));
	assert_int_equal(physmem_audit(pm, stderr), 0);
	for (unsigned i = 0; i < FRAMES; i++) {
		if (place[i] != SHOWN)
			continue;
		assert_int_equal(frame_counts(pm, FIRST + i).refs, users[i]);
		assert_int_equal(frame_counts(pm, FIRST + i).maps, users[i]);
	}
}

/* By turns as much is taken as given back; more is taken, until there is none; nearly all is given back. */
static void step(uint64_t number)
{
	static void (*const of_space[])(struct space *) = {
		do_stores, do_stores, do_stores, do_stores, do_load, do_load, do_drop, do_map, do_unmap, do_fork,
	};
	struct space *s = &space[pick(SPACES)];
	unsigned dice = pick(40), turn = number / 2000 % 3, many = turn != 0 ? 12 : 1;

	if (dice < 2)
		pick(2) ? do_plug() : do_unplug();
	else if (dice < 6)
		do_report();
	else if (dice == 6)
		do_wrong_free();
	else if (dice == 7)
		do_balloon();
	else if (dice == 8)
		do_poison();
	else if (dice < (turn == 1 ? 22 : 16) && turn != 2)
		for (unsigned i = 0; i < many; i++)
			do_alloc();
	else if (dice < 22)
		for (unsigned i = 0; i < many; i++)
			do_free();
	else if (s->map == NULL && (turn != 2 || pick(300) == 0))
		do_begin(s);
	else if (s->map == NULL)
		return;
	else if (dice == 22 && (turn == 2 || pick(8) == 0))
		do_exit(s);
	else
		of_space[pick(10)](s);
}

static void begin(uint64_t seed)
{
	struct physmem_range boot[] = { { FIRST + 100, 412 + 2 * BLOCK }, { FIRST + 4 * BLOCK - 36, 36 } };
	struct physmem_config config = PHYSMEM_CONFIG;

	memset(place, ABSENT, sizeof(place));
	memset(kind, NOTHING, sizeof(kind));
	memset(users, 0, sizeof(users));
	memset(space, 0, sizeof(space));
	runs = 0;
	reports = inflates = failing = false;
	for (unsigned i = 0; i < 2; i++)
		for (uint64_t at = boot[i].pfn - FIRST; at < boot[i].pfn - FIRST + boot[i].pages; at++)
			place[at] = FREE, kind[at / BLOCK] = ANY;
	config.segments = boot;
	config.nsegments = 2;
	config.base = FIRST;
	config.limit = FIRST + FRAMES;
	config.bytes = 1;
	assert_int_equal(physmem_create(&pm, &config), 0);
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
