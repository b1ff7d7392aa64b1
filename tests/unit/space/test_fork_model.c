/* SPDX-License-Identifier: MIT */
/*
 * test_fork_model.c - random programs of forks, stores, loads, unmaps, maps, moves, exits and migrations of frames on
 * a family of maps, against a model with a record for each frame: contents, which entries show the same frame, and how
 * many, are exact; and from each frame the reverse map leads to these entries, and to no other.
 *
 *     test_fork_model [STEPS [SEED [POLICY]]]
 *
 * The bar is 1,000,000 steps. Without arguments that is what `vma` runs, others 50,000 each; all of it is run under
 * every policy by `scripts/soak --only models`, or `test_fork_model 1000000`. What it did is printed.
 *
 * mutant: seek_unmoved
 */
#include "base/clock.h"
#include "base/prng.h"
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

#define MAPS   6
#define PAGES  48
#define EVERY  500                               /* steps between two looks at all entries                         */

struct model_frame { uint64_t word, pfn; unsigned refs; };
struct model_page { bool mapped; struct model_frame *frame; };
struct model_map { struct vmmap *map; struct model_page page[PAGES]; };

static struct model_map family[MAPS];
static const char *const measured = "vma";       /* the policy that runs all of the bar by default                 */
static uint64_t steps_given, seed_now, live, frames_live;
static struct prng prng;

static unsigned pick(unsigned n) { return (unsigned)prng_below(&prng, n); }

static struct model_map *pick_live(void)
{
	struct model_map *m;

	do
		m = &family[pick(MAPS)];
	while (!m->map);
	return m;
}

/* ---- the model ---- */

static void model_drop(struct model_page *p)
{
	if (p->frame && !--p->frame->refs) {
		free(p->frame);
		frames_live--;
	}
	p->frame = NULL;
}

static void model_store(struct model_page *p, uint64_t word)
{
	if (!p->frame || p->frame->refs > 1) {
		struct model_frame *own = calloc(1, sizeof *own);

		assert_non_null(own);
		own->refs = 1;
		frames_live++;
		model_drop(p);
		p->frame = own;
	}
	p->frame->word = word;
}

static void model_unmap(struct model_map *m, unsigned lo, unsigned n, bool stays)
{
	for (unsigned i = lo; i < lo + n; i++) {
		model_drop(&m->page[i]);
		m->page[i].mapped = stays;
	}
}

/* ---- what the engine has ---- */

static uint64_t entry_of(struct vmmap *map, unsigned page)
{
	atomic_u64 *entry = pt_find(&map->pt, BASE + page * PAGE);

	return entry ? atomic_load_relaxed(entry) : 0;
}

/* From the frame to all entries that the model has for it (the exact shadow), this one among them, and to no other. */
static void check_found(const struct model_map *m, unsigned i)
{
	struct rmap_found found[2 * MAPS * PAGES];
	struct rmap_seek s = { .physmem = m->map->physmem, .pfn = m->page[i].frame->pfn - 1, .found = found,
			       .most = ARRAY_SIZE(found) };
	bool here = false;

	assert_true(frame_name(s.physmem, s.pfn, &s.name));
	rmap_seek(&s);
	assert_int_equal(s.n, m->page[i].frame->refs);
	for (unsigned k = 0; k < s.n; k++) {
		here |= found[k].gate == m->map->gate && found[k].addr == BASE + i * PAGE;
		rmap_gate_leave(found[k].gate);
	}
	assert_true(here);
}

/* The first to ask tells the model which frame it is. */
static void check_page(struct model_map *m, unsigned i)
{
	struct model_frame *frame = m->page[i].frame;
	uint64_t entry = entry_of(m->map, i);

	if (!frame) {
		assert_false(pt_has_frame(entry));
		return;
	}
	assert_true(pt_has_frame(entry));
	if (!frame->pfn)
		frame->pfn = pt_pfn(entry) + 1;
	assert_int_equal(pt_pfn(entry) + 1, frame->pfn);
	assert_int_equal(frame_counts(m->map->physmem, pt_pfn(entry)).maps, frame->refs);
	assert_int_equal(frame_counts(m->map->physmem, pt_pfn(entry)).refs, frame->refs);
	if (frame->refs > 1)
		assert_true(entry & PT_SHARED);
	if (entry & PT_SHARED)
		assert_false(entry & PT_WRITE);
	check_found(m, i);
}

static void check_all(void)
{
	struct physmem_usage usage;

	rcu_enter(thread_self());
	for (unsigned m = 0; m < MAPS; m++)
		for (unsigned i = 0; family[m].map && i < PAGES; i++)
			check_page(&family[m], i);
	rcu_leave(thread_self());
	physmem_get_usage(maps_memory, &usage);
	assert_int_equal(usage.owned, frames_live);
}

/* ---- steps ---- */

static void step_fork(struct model_map *m)
{
	struct model_map *child = &family[pick(MAPS)];

	if (child->map)
		return;
	*child = *m;
	for (unsigned i = 0; i < PAGES; i++)
		if (child->page[i].frame)
			child->page[i].frame->refs++;
	assert_int_equal(vmmap_fork(&child->map, m->map), 0);
	live++;
}

static void step_exit(struct model_map *m)
{
	if (live == 1 || pick(4))
		return;
	assert_int_equal(vmmap_audit(m->map, stderr), 0);
	vmmap_destroy(m->map);
	model_unmap(m, 0, PAGES, false);
	m->map = NULL;
	live--;
}

static void step_store(struct model_map *m, unsigned page)
{
	uint64_t word = prng_next(&prng);
	ssize_t got = vmmap_write(m->map, BASE + page * PAGE + 8, &word, sizeof word);

	assert_int_equal(got, m->page[page].mapped ? (int)sizeof word : -EFAULT);
	if (m->page[page].mapped)
		model_store(&m->page[page], word);
}

static void step_load(struct model_map *m, unsigned page)
{
	uint64_t word = 1;
	ssize_t got = vmmap_read(m->map, BASE + page * PAGE + 8, &word, sizeof word);

	assert_int_equal(got, m->page[page].mapped ? (int)sizeof word : -EFAULT);
	if (m->page[page].mapped)
		assert_int_equal(word, m->page[page].frame ? m->page[page].frame->word : 0);
}

static void step_map(struct model_map *m, unsigned lo, unsigned n)
{
	assert_true(maps_fixed(m->map, lo, n, RW, NORES) > 0);
	model_unmap(m, lo, n, true);
}

static void step_unmap(struct model_map *m, unsigned lo, unsigned n)
{
	assert_int_equal(maps_unmap(m->map, lo, n), 0);
	model_unmap(m, lo, n, false);
}

static void step_drop(struct model_map *m, unsigned lo)
{
	if (!m->page[lo].mapped)
		return;
	assert_int_equal(vmmap_madvise(m->map, BASE + lo * PAGE, PAGE, MADV_DONTNEED), 0);
	model_unmap(m, lo, 1, true);
}

/* The page's contents go to another frame: nobody is in the way. */
static void step_migrate(struct model_map *m, unsigned page)
{
	struct physmem *pm = m->map->physmem;
	uint64_t pfn = pt_pfn(entry_of(m->map, page));

	if (!m->page[page].frame)
		return;
	assert_int_equal(space_mover.move(pm, thread_self(), pfn, NULL), FRAME_MOVED);
	assert_true(pt_pfn(entry_of(m->map, page)) != pfn);
	m->page[page].frame->pfn = 0;
	step_load(m, page);
}

/* Takes the right to store away, and gives it back. */
static void step_protect(struct model_map *m, unsigned lo, unsigned n)
{
	int first = maps_protect(m->map, lo, n, PROT_READ), second = maps_protect(m->map, lo, n, RW);

	assert_int_equal(first, second);
}

/* Up to n pages that are mapped, to where they do not meet themselves. */
static void step_move(struct model_map *m, unsigned from, unsigned to, unsigned n)
{
	unsigned apart = from < to ? to - from : from - to, k = 0;

	while (k < n && k < apart && from + k < PAGES && to + k < PAGES && m->page[from + k].mapped)
		k++;
	if (!k)
		return;
	assert_int_equal(vmmap_mremap(m->map, BASE + from * PAGE, k * PAGE, k * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				      BASE + to * PAGE),
			 BASE + to * PAGE);
	for (unsigned i = 0; i < k; i++) {
		model_drop(&m->page[to + i]);
		m->page[to + i] = m->page[from + i];
		m->page[from + i] = (struct model_page){ false, NULL };
	}
}

static void step(void)
{
	struct model_map *m = pick_live();
	unsigned lo = pick(PAGES), n = 1 + pick(PAGES - lo < 8 ? PAGES - lo : 8), what = pick(1000);

	if (what < 6)
		step_fork(m);
	else if (what < 22)
		step_exit(m);
	else if (what < 50)
		step_unmap(m, lo, n);
	else if (what < 130)
		step_map(m, lo, n);
	else if (what < 150)
		step_drop(m, lo);
	else if (what < 180)
		step_protect(m, lo, n);
	else if (what < 200)
		step_move(m, lo, pick(PAGES), n);
	else if (what < 260)
		step_migrate(m, lo);
	else if (what < 600)
		step_load(m, lo);
	else
		step_store(m, lo);
	rcu_enter(thread_self());
	if (m->map)
		check_page(m, lo);
	rcu_leave(thread_self());
}

static uint64_t steps_of(const char *policy)
{
	return steps_given ? steps_given : !strcmp(policy, measured) ? 1000000 : 50000;
}

static void test_programs(void **state)
{
	uint64_t forks = 0, steps = steps_of(*state);

	print_message("%s: %llu steps, seed %llu\n", (const char *)*state, (unsigned long long)steps,
		      (unsigned long long)seed_now);
	prng = prng_seed(seed_now, 0);
	family[0] = (struct model_map){ .map = maps_new(*state) };
	live = 1;
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t before = live;

		step();
		forks += live > before;
		if (i % EVERY == 0)
			check_all();
	}
	check_all();
	print_message("%llu forks, %llu exits\n", (unsigned long long)forks, (unsigned long long)(forks + 1 - live));
	assert_true(forks > steps / 2000);
	for (unsigned i = 0; i < MAPS; i++) {
		if (!family[i].map)
			continue;
		model_unmap(&family[i], 0, PAGES, false);
		if (--live)
			vmmap_destroy(family[i].map);
		else
			maps_free(family[i].map);
		family[i].map = NULL;
	}
	assert_int_equal(frames_live, 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[] = { cmocka_unit_test(test_programs) };
	const char *mutant = getenv("VMMAP_MUTANT");
	int bad = 0;

	if (point_mutant_select(mutant && *mutant ? mutant : NULL))
		return 99;
	seed_now = clock_ns();                           /* printed: another program in each run                   */
	if (argc > 1)
		steps_given = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed_now = strtoull(argv[2], NULL, 0);
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		if (argc <= 3 || !strcmp(argv[3], vmmap_policy_name(p)))
			bad += maps_run(vmmap_policy_name(p), tests);
	return bad;
}
