/* SPDX-License-Identifier: MIT */
/*
 * test_objects.c - one object with a pager, mapped in two maps, of two policies, and in others that come and go;
 * threads store, load, remap, resize and sync it, more of them than CPUs, with yields at random test points.
 *
 * LANES    thread t stores at word t of a page, rising numbers. Mappings: each thread makes and breaks its own, one a
 *          map, and knows what it is; all store and load through their own only.
 * EPOCH    odd while a resize runs, one at a time. What a thread saw between two looks at the same even epoch, it saw
 *          with the size of that epoch.
 * RULES    beyond the end: BUS; inside: no fault fails, but where a pager has failed meanwhile. A lane shows the last
 *          number that its thread stored in this epoch. A page that was cut off shows nothing that was stored before
 *          the cut. What was stored before a sync that succeeded is in the pager's copy. No page is written by two
 *          threads at once. At the end: audits, and the pager's copy is what the pages show.
 * Usage: test_objects [--policy NAME] [--ms N] [--threads N] [--seed N]
 */
#include "tests/options.h"
#include "tests/pager.h"
#include "tests/unit/space/maps.h"

#include "base/clock.h"
#include "base/point.h"
#include "base/prng.h"

#define THREADS 12u
#define MAPS    2u
#define FILE_PAGES PAGER_PAGES

static const char *only_policy;
static unsigned run_ms = 500, threads = 5;
static uint64_t seed = 1;

static struct vmmap *maps[MAPS];
static struct vmmap_object *file;
static struct pager pager;
static pthread_mutex_t resizing = PTHREAD_MUTEX_INITIALIZER;
static atomic_u32 stop, violations;
static atomic_u64 epoch, size;                   /* size: of an even epoch, in bytes                               */
static atomic_u64 failed_reads;
static atomic_u64 done[THREADS];                 /* numbers up to here have been stored, or were refused           */
static atomic_u64 stored[THREADS][FILE_PAGES];   /* epoch << 32 | number: stored in that epoch; 0: not sure        */
static atomic_u64 floor_of[THREADS][FILE_PAGES]; /* numbers up to here were stored before the page was cut off     */
static atomic_u64 did[8];                        /* checks made, so that a run which checks nothing fails          */

enum { DID_LOAD, DID_BUS, DID_SYNC, DID_COPY, DID_CUT, DID_FLOOR, DID_MOVE, DID_MAP };

struct worker {
	pthread_t thread;
	struct prng rng;
	unsigned number;
	uint64_t at[MAPS], from[MAPS], pages[MAPS];      /* its mapping: address, first page of the object; 0: none */
	bool shared[MAPS];
	uint64_t next;
	uint64_t before[THREADS][FILE_PAGES];    /* `stored`, when a sync began                                    */
};

static void violation(const char *what, uint64_t page, uint64_t a, uint64_t b)
{
	if (atomic_add_relaxed(&violations, 1) < 5)
		fprintf(stderr, "%s: page %llu, %llu, %llu\n", what, (unsigned long long)page, (unsigned long long)a,
			(unsigned long long)b);
}

static uint64_t below(struct worker *w, uint64_t n) { return prng_below(&w->rng, n); }

/* The thread's own place in a map: room to move a mapping in. */
static uint64_t place(const struct worker *w, uint64_t page)
{
	return BASE + ((uint64_t)w->number * 4096 + page) * PAGE;
}

static int failing_read(void *self, uint64_t page, void *bytes)
{
	int err = pager_read(self, page, bytes);

	if (err)
		atomic_add_relaxed(&failed_reads, 1);
	return err;
}

/* ---- mappings ---- */

/* Pages [lo, hi) of the mapping. */
static void map_part(struct worker *w, unsigned m, uint64_t lo, uint64_t hi)
{
	int flags = MAP_FIXED | (w->shared[m] ? MAP_SHARED : MAP_PRIVATE);
	int64_t got;

	if (lo == hi)
		return;
	got = vmmap_mmap(maps[m], w->at[m] + lo * PAGE, (hi - lo) * PAGE, RW, flags, file, (w->from[m] + lo) * PAGE);
	if (got != (int64_t)(w->at[m] + lo * PAGE))
		violation("mmap", w->from[m], (uint64_t)-got, hi);
}

static void remap(struct worker *w, unsigned m)
{
	uint64_t to = place(w, below(w, 3000)), half;
	int64_t got;

	if (w->pages[m] && below(w, 3)) {
		if (to < w->at[m] + w->pages[m] * PAGE && w->at[m] < to + w->pages[m] * PAGE)
			return;
		got = vmmap_mremap(maps[m], w->at[m], w->pages[m] * PAGE, w->pages[m] * PAGE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, to);
		if (got != (int64_t)to)
			violation("mremap", w->from[m], (uint64_t)-got, w->pages[m]);
		w->at[m] = to;
		atomic_add_relaxed(&did[DID_MOVE], 1);
		return;
	}
	if (w->pages[m] && vmmap_munmap(maps[m], w->at[m], w->pages[m] * PAGE))
		violation("munmap", w->from[m], 0, 0);
	w->from[m] = below(w, FILE_PAGES);
	w->pages[m] = 1 + below(w, FILE_PAGES - w->from[m]);
	w->at[m] = to;
	w->shared[m] = below(w, 4) != 0;
	half = below(w, w->pages[m]);                    /* two, that merge */
	map_part(w, m, 0, half);
	map_part(w, m, half, w->pages[m]);
}

static void protect(struct worker *w, unsigned m)
{
	uint64_t page = w->pages[m] ? below(w, w->pages[m]) : 0;

	if (w->pages[m] && (vmmap_mprotect(maps[m], w->at[m] + page * PAGE, PAGE, PROT_READ) ||
			    vmmap_mprotect(maps[m], w->at[m] + page * PAGE, PAGE, RW)))
		violation("mprotect", page, 0, 0);
}

/* ---- loads and stores ---- */

/* An access of 8 bytes ended like this, in one epoch: is that right? */
static bool access_right(uint64_t now, uint64_t page, ssize_t got, uint64_t failed)
{
	bool inside = page < (atomic_load_seqcst(&size) + PAGE - 1) / PAGE;

	if (atomic_load_seqcst(&epoch) != now || now & 1)
		return true;
	if (!inside)
		atomic_add_relaxed(&did[DID_BUS], 1);
	return inside ? got == 8 || (got == -EFAULT && atomic_load_seqcst(&failed_reads) != failed) : got == -EFAULT;
}

static void store(struct worker *w, unsigned m)
{
	uint64_t page, now = atomic_load_seqcst(&epoch), number = ++w->next;
	uint64_t failed = atomic_load_seqcst(&failed_reads);
	ssize_t got;

	if (!w->pages[m])
		return;
	page = below(w, w->pages[m]);
	if (w->shared[m])
		atomic_store_seqcst(&stored[w->number][w->from[m] + page], 0);
	got = vmmap_write(maps[m], w->at[m] + page * PAGE + w->number * 8, &number, 8);
	if (!access_right(now, w->from[m] + page, got, failed))
		violation("store", w->from[m] + page, (uint64_t)got, atomic_load_seqcst(&size));
	if (got == 8 && w->shared[m] && !(now & 1) && atomic_load_seqcst(&epoch) == now)
		atomic_store_seqcst(&stored[w->number][w->from[m] + page], now << 32 | number);
	atomic_store_seqcst(&done[w->number], number);
}

static void load(struct worker *w, unsigned m)
{
	uint64_t page, now = atomic_load_seqcst(&epoch), failed = atomic_load_seqcst(&failed_reads), value = 0, mine;
	unsigned lane = (unsigned)below(w, threads);
	uint64_t least;
	ssize_t got;

	if (!w->pages[m])
		return;
	page = below(w, w->pages[m]);
	least = atomic_load_seqcst(&floor_of[lane][w->from[m] + page]);
	got = vmmap_read(maps[m], w->at[m] + page * PAGE + lane * 8, &value, 8);
	page += w->from[m];
	if (!access_right(now, page, got, failed))
		violation("load", page, (uint64_t)got, atomic_load_seqcst(&size));
	if (got != 8)
		return;
	if (value >> 32)
		violation("what the pager has beyond", page, value, 0);
	if (value && value <= least)
		violation("a number of before the cut", page, value, least);
	atomic_add_relaxed(&did[DID_FLOOR], least != 0);
	mine = atomic_load_seqcst(&stored[w->number][page]);
	if (lane == w->number && w->shared[m] && mine >> 32 == now && mine && atomic_load_seqcst(&epoch) == now) {
		atomic_add_relaxed(&did[DID_LOAD], 1);
		if (value != (mine & UINT32_MAX))
			violation("my own number is not there", page, value, mine & UINT32_MAX);
	}
}

/* ---- size and sync ---- */

static void resize(struct worker *w)
{
	uint64_t bytes = below(w, 2) ? FILE_PAGES * PAGE : below(w, FILE_PAGES) * PAGE, gone[THREADS], old;

	pthread_mutex_lock(&resizing);
	old = atomic_load_relaxed(&size) / PAGE;
	atomic_add_seqcst(&epoch, 1);
	for (unsigned t = 0; t < threads; t++)
		gone[t] = atomic_load_seqcst(&done[t]);
	if (vmmap_object_resize(file, bytes))
		violation("resize", bytes / PAGE, 0, 0);
	for (uint64_t page = bytes / PAGE; page < old; page++) {
		pager_cut(&pager, page);
		for (unsigned t = 0; t < threads; t++)
			atomic_store_seqcst(&floor_of[t][page], gone[t]);
	}
	atomic_store_seqcst(&size, bytes);
	atomic_add_seqcst(&epoch, 1);
	pthread_mutex_unlock(&resizing);
	atomic_add_relaxed(&did[DID_CUT], bytes < FILE_PAGES * PAGE);
}

static void sync_file(struct worker *w)
{
	uint64_t now = atomic_load_seqcst(&epoch), value;
	int err;

	for (unsigned t = 0; t < threads; t++)
		for (unsigned page = 0; page < FILE_PAGES; page++)
			w->before[t][page] = atomic_load_seqcst(&stored[t][page]);
	err = vmmap_object_sync(file, 0, FILE_PAGES * PAGE);
	if (err != 0 && err != -EIO)
		violation("sync", 0, (uint64_t)-err, 0);
	atomic_add_relaxed(&did[DID_SYNC], 1);
	for (unsigned t = 0; t < threads && !err && !(now & 1); t++)
		for (unsigned page = 0; page < FILE_PAGES; page++) {
			if (!w->before[t][page] || w->before[t][page] >> 32 != now)
				continue;
			value = pager_peek(&pager, page, t * 8);
			if (atomic_load_seqcst(&epoch) != now)
				return;
			atomic_add_relaxed(&did[DID_COPY], 1);
			if (value < (w->before[t][page] & UINT32_MAX))
				violation("the pager has not got it", page, value, w->before[t][page] & UINT32_MAX);
		}
}

static void sync_mapping(struct worker *w, unsigned m)
{
	int err = w->pages[m] ? vmmap_msync(maps[m], w->at[m], w->pages[m] * PAGE, MS_SYNC) : 0;

	if (err && err != -EIO)
		violation("msync", w->from[m], (uint64_t)-err, 0);
}

/* A map that lives for a moment. */
static void visitor(struct worker *w)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;
	uint64_t word = 0;

	config.policy = only_policy;
	config.physmem = maps_memory;
	if (vmmap_create(&map, &config))
		return;
	for (uint64_t i = 0; i < 3; i++)
		if (vmmap_mmap(map, place(w, i * 200), FILE_PAGES * PAGE, RW, MAP_FIXED | MAP_SHARED, file, 0) > 0)
			vmmap_read(map, place(w, i * 200 + below(w, FILE_PAGES)), &word, 8);
	vmmap_destroy(map);
	atomic_add_relaxed(&did[DID_MAP], 1);
}

/* ---- a run ---- */

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load_relaxed(&stop)) {
		unsigned m = (unsigned)below(w, MAPS), dice = (unsigned)below(w, 100);

		if (dice < 40)
			store(w, m);
		else if (dice < 75)
			load(w, m);
		else if (dice < 85)
			remap(w, m);
		else if (dice < 88)
			protect(w, m);
		else if (dice < 92)
			sync_mapping(w, m);
		else if (dice < 96)
			sync_file(w);
		else if (dice < 98)
			resize(w);
		else if (dice < 99 && below(w, 10) == 0)
			visitor(w);
	}
	return NULL;
}

static void forget(void)
{
	atomic_store_relaxed(&stop, 0);
	atomic_store_relaxed(&epoch, 2);
	atomic_store_relaxed(&size, FILE_PAGES * PAGE);
	for (unsigned t = 0; t < THREADS; t++) {
		atomic_store_relaxed(&done[t], 0);
		for (unsigned page = 0; page < FILE_PAGES; page++) {
			atomic_store_relaxed(&stored[t][page], 0);
			atomic_store_relaxed(&floor_of[t][page], 0);
		}
	}
	for (unsigned i = 0; i < 8; i++)
		atomic_store_relaxed(&did[i], 0);
}

static bool did_all(void)
{
	for (unsigned i = 0; i < 8; i++)
		if (!atomic_load_relaxed(&did[i]))
			return false;
	return true;
}

/* The pager's copy is what a mapping shows. */
static void compare_all(void)
{
	unsigned char seen[PAGE];

	pager.fail_read = pager.fail_write = 0;
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	for (uint64_t page = 0; page < vmmap_object_size(file) / PAGE; page++) {
		assert_int_equal(vmmap_mmap(maps[0], BASE, PAGE, RW, MAP_SHARED | MAP_FIXED, file, page * PAGE), BASE);
		assert_int_equal(vmmap_read(maps[0], BASE, seen, PAGE), PAGE);
		if (!pager.void_page[page])
			assert_memory_equal(seen, pager.copy + page * PAGE, PAGE);
	}
}

static void test_policy(void **state)
{
	static const char *const names[8] = { "loads", "BUS", "syncs", "copies",
					      "cuts", "after cuts", "moves", "maps" };
	static struct worker workers[THREADS];
	struct vmmap_pager calls;
	struct vmmap_config config = VMMAP_CONFIG;
	uint64_t end;

	only_policy = *state;
	maps[0] = maps_new(only_policy);
	config.policy = strcmp(only_policy, "vma") ? "vma" : "pervma";   /* maps of two policies show one object */
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&maps[1], &config), 0);
	pager_init(&pager);
	memset(pager.copy, 0, sizeof pager.copy);
	pager.fail_read = 13;
	pager.fail_write = 11;
	calls = pager_of(&pager);
	calls.read_page = failing_read;
	assert_int_equal(vmmap_object_create(&file, maps_memory, "torture", FILE_PAGES * PAGE, &calls), 0);
	forget();
	point_yield(64, seed);
	point_mutant_select(getenv("VMMAP_MUTANT"));     /* by hand: which of them does it find?                   */
	for (unsigned i = 0; i < threads; i++) {
		workers[i] = (struct worker){ .number = i, .rng = prng_seed(seed, i) };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	end = clock_ns() + run_ms * UINT64_C(1000000);
	while ((clock_ns() < end || !did_all()) && !atomic_load_relaxed(&violations))
		nanosleep(&(struct timespec){ 0, 5000000 }, NULL);       /* one that checks nothing never ends */
	atomic_store_relaxed(&stop, 1);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	point_yield(0, 0);
	for (unsigned i = 0; i < 8; i++)
		print_message("%s %llu%s", names[i], (unsigned long long)did[i], i < 7 ? ", " : "\n");
	assert_int_equal(atomic_load_relaxed(&violations), 0);
	assert_int_equal(atomic_load_relaxed(&pager.twice), 0);
	assert_int_equal(vmmap_audit(maps[0], stderr), 0);
	assert_int_equal(vmmap_audit(maps[1], stderr), 0);
	compare_all();
	vmmap_object_put(file);
	vmmap_destroy(maps[1]);
	maps_free(maps[0]);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[] = { cmocka_unit_test(test_policy) };
	const char *one = option_text(argc, argv, "--policy", NULL);
	int bad = 0;

	run_ms = (unsigned)option_number(argc, argv, "--ms", run_ms);
	threads = (unsigned)option_number(argc, argv, "--threads", threads);
	seed = option_number(argc, argv, "--seed", seed);
	threads = threads > THREADS ? THREADS : threads;
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		if (vmmap_policy_threads(p) && (!one || !strcmp(one, vmmap_policy_name(p))))
			bad += maps_run(vmmap_policy_name(p), tests);
	return bad;
}
