/* SPDX-License-Identifier: MIT */
/*
 * test_unplug.c - a machine of two segments, of which one goes and comes back, in turns, while threads map, store,
 * load, move, unmap and fork in one address space: what they have is moved under them, by the real mover.
 *
 * PAGES    each thread has a window of its own in the map, and knows what each page of it holds. The first pages of the
 *          map are everybody's: thread t stores rising numbers at word t of each (LANES).
 * CHILD    forked from the map beside all of that: shows the forker's window as it was, and for the lanes no more than
 *          is stored by now; what it stores is its own.
 * RULES    a page shows, from its first word to its last, what was stored there last; an own lane the last number; no
 *          lane goes back. No call fails: there is room for all in either segment. No unplug fails, it waits. When a
 *          segment is gone, nothing is there. Every few rounds all threads rest between two steps: audits of the map,
 *          and of the frames; with a segment gone, too. So at the end; then no frame has an owner.
 * Ends after so many rounds, not after a time.
 * Usage: test_unplug [--policy NAME] [--rounds N] [--threads N] [--seed N]
 */
#include <limits.h>
#include <pthread.h>

#include "tests/options.h"
#include "tests/unit/space/maps.h"

#include "base/compiler.h"
#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "vmmap/phys/frame.h"
#include "vmmap/physmem_hotplug.h"

#define THREADS 8u
#define SEGMENT 1024u
#define LIMIT   8192u
#define LANES   8u                               /* pages that all have                                            */
#define WINDOW  48u                              /* pages of one thread                                            */
#define WORDS   (PAGE / 8)
#define LOOK    5u                               /* rounds from one look at all to the next                        */

static const struct physmem_range segments[] = { { 0, SEGMENT }, { 4096, SEGMENT } };
static unsigned rounds = 50, threads = 3;
static uint64_t seed = 1;

static struct physmem *machine;
static struct vmmap *space;
static atomic_u32 stop, violations;
static atomic_u32 rest, resting;                 /* slept on by who rests                                          */
static atomic_u64 stored[THREADS][LANES];
static atomic_u64 did[6];                        /* so that a run which tests nothing fails                        */

enum { DID_LOAD, DID_MOVE, DID_FORK, DID_COPY, DID_UNMAP, DID_LANE };

struct worker {
	pthread_t thread;
	struct prng rng;
	unsigned number;
	uint64_t next;
	struct { bool mapped; uint64_t holds; } page[WINDOW];    /* holds: in every word; 0: never stored to     */
};

static void violation(const char *what, uint64_t page, uint64_t is, uint64_t expected)
{
	if (atomic_add_relaxed(&violations, 1) < 5)
		fprintf(stderr, "%s: page %llu, %#llx, %#llx\n", what, (unsigned long long)page,
			(unsigned long long)is, (unsigned long long)expected);
}

static unsigned below(struct worker *w, unsigned n) { return (unsigned)prng_below(&w->rng, n); }
static uint64_t at(const struct worker *w, unsigned page) { return BASE + (LANES + w->number * WINDOW + page) * PAGE; }

/* A few pages of the window. */
static void pick(struct worker *w, unsigned *lo, unsigned *n)
{
	*lo = below(w, WINDOW);
	*n = 1 + below(w, WINDOW - *lo < 12 ? WINDOW - *lo : 12);
}

/* ---- pages of one's own ---- */

static void map_some(struct worker *w)
{
	unsigned lo, n;
	int64_t got;

	pick(w, &lo, &n);
	got = vmmap_mmap(space, at(w, lo), n * PAGE, RW, NORES | MAP_FIXED, NULL, 0);
	if (got != (int64_t)at(w, lo))
		violation("mmap", lo, (uint64_t)-got, n);
	for (unsigned i = lo; i < lo + n; i++) {
		w->page[i].mapped = true;
		w->page[i].holds = 0;
	}
}

static void unmap_some(struct worker *w)
{
	unsigned lo, n;

	pick(w, &lo, &n);
	if (vmmap_munmap(space, at(w, lo), n * PAGE))
		violation("munmap", lo, n, 0);
	for (unsigned i = lo; i < lo + n; i++)
		w->page[i].mapped = false;
	atomic_add_relaxed(&did[DID_UNMAP], 1);
}

static void drop_one(struct worker *w)
{
	unsigned page = below(w, WINDOW);

	if (!w->page[page].mapped)
		return;
	if (vmmap_madvise(space, at(w, page), PAGE, MADV_DONTNEED))
		violation("DONTNEED", page, 0, 0);
	w->page[page].holds = 0;
}

static void protect_some(struct worker *w)
{
	unsigned lo, n;

	pick(w, &lo, &n);
	if (vmmap_mprotect(space, at(w, lo), n * PAGE, PROT_READ) !=
	    vmmap_mprotect(space, at(w, lo), n * PAGE, RW))
		violation("mprotect", lo, n, 0);
}

/* To another place of the window. */
static void move_some(struct worker *w)
{
	unsigned from = below(w, WINDOW), to = below(w, WINDOW), apart = from < to ? to - from : from - to, n = 0;

	while (n < apart && from + n < WINDOW && to + n < WINDOW && w->page[from + n].mapped)
		n++;
	if (n == 0)
		return;
	if (vmmap_mremap(space, at(w, from), n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(w, to)) !=
	    (int64_t)at(w, to))
		violation("mremap", from, to, n);
	for (unsigned i = 0; i < n; i++) {
		w->page[to + i] = w->page[from + i];
		w->page[from + i].mapped = false;
	}
	atomic_add_relaxed(&did[DID_MOVE], 1);
}

static uint64_t store_in(struct vmmap *map, struct worker *w, unsigned page)
{
	uint64_t word[WORDS], value = (uint64_t)(w->number + 1) << 56 | ++w->next;
	ssize_t got;

	for (unsigned i = 0; i < WORDS; i++)
		word[i] = value;
	got = vmmap_write(map, at(w, page), word, PAGE);
	if (got != (ssize_t)PAGE)
		violation("store", page, (uint64_t)-got, PAGE);
	return value;
}

static void load_in(struct vmmap *map, struct worker *w, unsigned page)
{
	uint64_t word[WORDS];
	ssize_t got = vmmap_read(map, at(w, page), word, PAGE);

	if (got != (ssize_t)PAGE)
		violation("load", page, (uint64_t)-got, PAGE);
	for (unsigned i = 0; i < WORDS && got == (ssize_t)PAGE; i++)
		if (word[i] != w->page[page].holds) {
			violation("not what was stored", page, word[i], w->page[page].holds);
			break;
		}
	atomic_add_relaxed(&did[DID_LOAD], w->page[page].holds != 0);
}

static void store_one(struct worker *w)
{
	unsigned page = below(w, WINDOW);

	if (w->page[page].mapped)
		w->page[page].holds = store_in(space, w, page);
}

static void load_one(struct worker *w)
{
	unsigned page = below(w, WINDOW);

	if (w->page[page].mapped)
		load_in(space, w, page);
}

/* ---- pages that all have ---- */

static uint64_t lane_in(struct vmmap *map, unsigned lane, unsigned page)
{
	uint64_t value = 0;
	ssize_t got = vmmap_read(map, BASE + page * PAGE + lane * 8, &value, 8);

	if (got != 8)
		violation("load of a lane", page, (uint64_t)-got, lane);
	return value;
}

static void lane_look(struct vmmap *map, const struct worker *w, unsigned lane, unsigned page)
{
	uint64_t before = atomic_load_seqcst(&stored[lane][page]), value = lane_in(map, lane, page);

	if (map == space && (lane == w->number ? value != before : value < before))
		violation("a lane lost a number", page, value, before);
	if (value > atomic_load_seqcst(&stored[lane][page]) + 1)         /* one that is being stored just now     */
		violation("a lane has what nobody stored", page, value, before);
	atomic_add_relaxed(&did[DID_LANE], value != 0);
}

static void lane_store(struct worker *w)
{
	unsigned page = below(w, LANES);
	uint64_t value = atomic_load_seqcst(&stored[w->number][page]) + 1;
	ssize_t got = vmmap_write(space, BASE + page * PAGE + w->number * 8, &value, 8);

	if (got != 8)
		violation("store to a lane", page, (uint64_t)-got, value);
	atomic_store_seqcst(&stored[w->number][page], value);
	lane_look(space, w, w->number, page);
}

/* ---- children ---- */

static void fork_one(struct worker *w)
{
	struct vmmap *child;
	int err = vmmap_fork(&child, space);

	if (err) {
		violation("fork", 0, (uint64_t)-err, 0);
		return;
	}
	for (unsigned page = 0; page < WINDOW; page++) {
		if (!w->page[page].mapped)
			continue;
		load_in(child, w, page);
		if (below(w, 2)) {
			store_in(child, w, page);
			load_in(space, w, page);
			atomic_add_relaxed(&did[DID_COPY], 1);
		}
	}
	lane_look(child, w, below(w, threads), below(w, LANES));
	vmmap_destroy(child);
	atomic_add_relaxed(&did[DID_FORK], 1);
}

/* ---- all rest ---- */

static void rests(void)
{
	(void)atomic_add_acqrel(&resting, 1);
	while (atomic_load_acquire(&rest))
		(void)park_wait(&rest, 1, PARK_FOREVER);
	(void)atomic_sub_acqrel(&resting, 1);
}

static void look_at_rest(void)
{
	atomic_store_release(&rest, 1);
	while (atomic_load_acquire(&resting) != threads)
		sched_yield();
	assert_int_equal(vmmap_audit(space, stderr), 0);
	assert_int_equal(physmem_audit(machine, stderr), 0);
	atomic_store_release(&rest, 0);
	park_wake(&rest, INT_MAX);
	while (atomic_load_acquire(&resting) != 0)
		sched_yield();
}

/* ---- a run ---- */

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load_relaxed(&stop)) {
		unsigned what = below(w, 200);

		if (atomic_load_relaxed(&rest))
			rests();
		if (what < 60)
			store_one(w);
		else if (what < 110)
			load_one(w);
		else if (what < 130)
			lane_store(w);
		else if (what < 150)
			lane_look(space, w, below(w, threads), below(w, LANES));
		else if (what < 170)
			map_some(w);
		else if (what < 180)
			unmap_some(w);
		else if (what < 186)
			drop_one(w);
		else if (what < 192)
			protect_some(w);
		else if (what < 198)
			move_some(w);
		else if (what < 199)
			fork_one(w);
	}
	return NULL;
}

static bool did_all(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(did); i++)
		if (!atomic_load_relaxed(&did[i]))
			return false;
	return true;
}

static uint64_t frames(void)
{
	struct physmem_usage usage;

	physmem_get_usage(machine, &usage);
	return usage.frames;
}

/* So many rounds, and more until each thing was done, and something moved, at least once. */
static uint64_t unplug_and_plug(void)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem_unplug_result result;
	uint64_t moved = 0;

	how.mode = PHYSMEM_UNPLUG_WAIT;
	for (unsigned i = 0; (i < rounds || !moved || !did_all()) && !atomic_load_relaxed(&violations); i++) {
		const struct physmem_range *s = &segments[i % 2];

		assert_int_equal(physmem_unplug(machine, s->pfn, s->pages, &how, &result), 0);
		moved += result.moved;
		assert_int_equal(frames(), SEGMENT);
		if (i % LOOK == 0)
			look_at_rest();
		assert_int_equal(physmem_plug(machine, s->pfn, s->pages, 0), 0);
		assert_int_equal(frames(), 2 * SEGMENT);
	}
	return moved;
}

static void begin(const char *policy)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;

	memory.segments = segments;
	memory.nsegments = ARRAY_SIZE(segments);
	memory.limit = LIMIT;
	memory.bytes = 1;
	assert_int_equal(physmem_create(&machine, &memory), 0);
	config.policy = policy;
	config.physmem = machine;
	assert_int_equal(vmmap_create(&space, &config), 0);
	assert_int_equal(maps_fixed(space, 0, LANES, RW, NORES), BASE);
	atomic_store_relaxed(&stop, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(did); i++)
		atomic_store_relaxed(&did[i], 0);
	for (unsigned i = 0; i < THREADS * LANES; i++)
		atomic_store_relaxed(&stored[i / LANES][i % LANES], 0);
}

static void end(struct worker *workers)
{
	struct physmem_usage usage;

	for (unsigned i = 0; i < threads; i++)
		for (unsigned page = 0; page < WINDOW; page++)
			if (workers[i].page[page].mapped)
				load_in(space, &workers[i], page);
	assert_int_equal(atomic_load_relaxed(&violations), 0);
	assert_int_equal(vmmap_audit(space, stderr), 0);
	vmmap_destroy(space);
	physmem_get_usage(machine, &usage);
	assert_int_equal(usage.owned, 0);
	assert_int_equal(physmem_audit(machine, stderr), 0);
	physmem_destroy(machine);
}

static void test_policy(void **state)
{
	static const char *const names[] = { "loads", "moves", "forks", "copies", "unmaps", "lanes" };
	static struct worker workers[THREADS];
	uint64_t moved;

	begin(*state);
	point_yield(64, seed);
	point_mutant_select(getenv("VMMAP_MUTANT"));     /* by hand: which of them does it find?                   */
	for (unsigned i = 0; i < threads; i++) {
		workers[i] = (struct worker){ .number = i, .rng = prng_seed(seed, i) };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	moved = unplug_and_plug();
	atomic_store_relaxed(&stop, 1);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	point_yield(0, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(did); i++)
		print_message("%s %llu, ", names[i], (unsigned long long)did[i]);
	print_message("frames moved by unplugs %llu\n", (unsigned long long)moved);
	end(workers);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[] = { cmocka_unit_test(test_policy) };
	const char *one = option_text(argc, argv, "--policy", NULL);
	int bad = 0;

	rounds = (unsigned)option_number(argc, argv, "--rounds", rounds);
	threads = (unsigned)option_number(argc, argv, "--threads", threads);
	seed = option_number(argc, argv, "--seed", seed);
	threads = threads > THREADS ? THREADS : threads;
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		if (vmmap_policy_threads(p) && (!one || !strcmp(one, vmmap_policy_name(p))))
			bad += maps_run(vmmap_policy_name(p), tests);
	return bad;
}
