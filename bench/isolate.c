/* SPDX-License-Identifier: MIT */
/* isolate.c - see isolate.h. */
#include "bench/isolate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/point.h"
#include "base/prng.h"
#include "base/tool/hist.h"

#define PART      (UINT64_C(128) << 20)          /* of the shared VMA, per worker, and one for the writer          */
#define SHARED    (UINT64_C(1) << 40)
#define AREA(t)   ((UINT64_C(2) + (t)) << 40)
#define WRITER    (ISOLATE_THREADS + 1)          /* its area                                                       */
#define STANDING  64u
#define PIECE     (UINT64_C(64) << 10)           /* what a worker maps                                             */
#define HELD      (UINT64_C(16) << 20)
#define MUCH      (UINT64_C(96) << 20)           /* more than a slot keeps frames: the rest go to the depot and back */
#define ROUNDS    16u                            /* of the writer: where it has not been by then, it never is      */
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW        (PROT_READ | PROT_WRITE)

const char *const isolate_op_name[ISOLATE_OPS] = { "fault", "access", "list", "mmap", "mprotect", "munmap" };

struct worker {
	struct isolate_count count;
	struct hist hist;
	uint64_t cursor;                         /* next page of my part                                            */
	int err;
} PAIR_ALIGNED;

struct isolate {
	struct vmmap *map;
	struct gang *gang;
	unsigned threads;
	uint64_t until_ns;                       /* workers stop                                   [const in a run] */
	bool quiet;                              /* count always, not only what a hold meets       [const in a run] */
	atomic_u32 held;                         /* the writer is inside                                            */
	atomic_u32 stop;                         /* the writer is to end                                            */
	atomic_u32 rounds;                       /* of edits that the writer has ended                              */
	double hold_ms;
	uint64_t holds;
	int writer_err;
	struct worker worker[ISOLATE_THREADS];
};

static int map_fixed(struct vmmap *map, uint64_t addr, uint64_t len)
{
	int64_t at = vmmap_mmap(map, addr, len, RW, ANON | MAP_FIXED, NULL, 0);

	return at < 0 ? (int)at : 0;
}

static uint64_t shared_end(const struct isolate *iso)
{
	return SHARED + (iso->threads + 1) * PART;
}

/* An area: PIECE-sized VMAs that stand, every second place free; the last free place is where the work goes on. */
static int fill_area(struct isolate *iso, uint64_t area)
{
	int err = 0;

	for (unsigned i = 0; i < STANDING && !err; i++)
		err = map_fixed(iso->map, area + 2 * i * PIECE, PIECE);
	return err;
}

int isolate_create(struct isolate **out, const char *policy, unsigned threads, struct gang *gang)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct isolate *iso = aligned_alloc(CACHE_PAIR, sizeof(*iso));
	int err;

	CHECK(iso != NULL && threads >= 1 && threads <= ISOLATE_THREADS);
	memset(iso, 0, sizeof(*iso));
	iso->gang = gang;
	iso->threads = threads;
	config.policy = policy;
	err = vmmap_create(&iso->map, &config);
	if (err) {
		free(iso);
		return err;
	}
	err = map_fixed(iso->map, SHARED, shared_end(iso) - SHARED);
	for (unsigned t = 0; t < threads && !err; t++)
		err = fill_area(iso, AREA(t));
	if (!err)
		err = fill_area(iso, AREA(WRITER));
	if (err) {
		isolate_destroy(iso);
		return err;
	}
	*out = iso;
	return 0;
}

void isolate_destroy(struct isolate *iso)
{
	vmmap_destroy(iso->map);
	free(iso);
}

/* ---- workers ---- */

static int do_fault(struct isolate *iso, struct worker *w, unsigned t)
{
	uint64_t base = SHARED + t * PART;
	int err;

	if (w->cursor == PART) {
		err = vmmap_madvise(iso->map, base, PART, MADV_DONTNEED);
		if (err)
			return err;
		w->cursor = 0;
	}
	err = vmmap_fault(iso->map, base + w->cursor, PROT_WRITE, NULL);
	w->cursor += VMMAP_PAGE_SIZE;
	return err;
}

static int do_access(struct isolate *iso, struct worker *w, unsigned t)
{
	uint64_t back = w->cursor ? w->cursor - VMMAP_PAGE_SIZE : 0;

	return vmmap_fault(iso->map, SHARED + t * PART + back, PROT_READ, NULL);
}

static int see(const struct vmmap_vma *vma, void *arg)
{
	*(uint64_t *)arg += vma->end - vma->start;
	return 0;
}

/* The listing goes over what the writer holds, and must show all of it: the shared VMA is mapped throughout. */
static int do_list(struct isolate *iso)
{
	uint64_t bytes = 0;
	int err = vmmap_walk(iso->map, SHARED, shared_end(iso), see, &bytes);

	return err ? err : bytes >= shared_end(iso) - SHARED ? 0 : -EPROTO;
}

static int do_op(struct isolate *iso, struct worker *w, unsigned t, enum isolate_op op)
{
	uint64_t piece = AREA(t) + (2 * (STANDING / 2) + 1) * PIECE;

	switch (op) {
	case ISOLATE_FAULT:    return do_fault(iso, w, t);
	case ISOLATE_ACCESS:   return do_access(iso, w, t);
	case ISOLATE_LIST:     return do_list(iso);
	case ISOLATE_MMAP:     return map_fixed(iso->map, piece, PIECE);
	case ISOLATE_MPROTECT: return vmmap_mprotect(iso->map, piece, PIECE / 2, PROT_READ);
	default:               return vmmap_munmap(iso->map, piece, PIECE);
	}
}

static void work(void *ctx, unsigned t)
{
	struct isolate *iso = ctx;
	struct worker *w = &iso->worker[t];
	unsigned turn = 0;
	uint64_t begin;

	do {
		enum isolate_op op = (enum isolate_op)(turn++ % ISOLATE_OPS);
		bool counts = iso->quiet || atomic_load_acquire(&iso->held);
		uint64_t blocked = vmmap_blocked_self(), end;

		begin = clock_ns();
		w->err = do_op(iso, w, t, op);
		end = clock_ns();
		if (counts) {
			w->count.ops[op]++;
			w->count.blocked[op] += vmmap_blocked_self() != blocked;
			hist_add(&w->hist, end - begin);
		}
	} while (!w->err && (begin < iso->until_ns || turn % ISOLATE_OPS != 0));
}

static void begin_work(struct isolate *iso, double ms)
{
	for (unsigned t = 0; t < iso->threads; t++) {
		memset(&iso->worker[t].count, 0, sizeof(iso->worker[t].count));
		hist_reset(&iso->worker[t].hist);
		iso->worker[t].err = 0;
	}
	iso->until_ns = clock_ns() + (uint64_t)(ms * 1e6);
}

static int sum_up(struct isolate *iso, struct isolate_result *result)
{
	struct hist all;
	int err = 0;

	memset(result, 0, sizeof(*result));
	hist_reset(&all);
	for (unsigned t = 0; t < iso->threads; t++) {
		for (unsigned op = 0; op < ISOLATE_OPS; op++) {
			result->count.ops[op] += iso->worker[t].count.ops[op];
			result->count.blocked[op] += iso->worker[t].count.blocked[op];
			result->ops += iso->worker[t].count.ops[op];
			result->blocked += iso->worker[t].count.blocked[op];
		}
		hist_merge(&all, &iso->worker[t].hist);
		err = err ? err : iso->worker[t].err;
	}
	result->p50_ns = hist_percentile(&all, 50);
	result->p99_ns = hist_percentile(&all, 99);
	result->p999_ns = hist_percentile(&all, 99.9);
	result->max_ns = all.max;
	return err;
}

/* ---- a writer that holds ---- */

static void *holder(void *ctx)
{
	struct isolate *iso = ctx;
	struct timespec hold = { (time_t)(iso->hold_ms / 1e3), (long)(iso->hold_ms * 1e6) % 1000000000L };
	struct timespec rest = { 0, 200000 };
	struct vmmap_held held;

	while (!atomic_load_acquire(&iso->stop)) {
		iso->writer_err = vmmap_hold(iso->map, shared_end(iso) - PART + HELD, HELD, &held);
		if (iso->writer_err)
			break;
		atomic_store_release(&iso->held, 1);
		nanosleep(&hold, NULL);
		atomic_store_release(&iso->held, 0);
		vmmap_release(iso->map, &held);
		iso->holds++;
		nanosleep(&rest, NULL);
	}
	return NULL;
}

int isolate_hold(struct isolate *iso, double hold_ms, double ms, struct isolate_result *result)
{
	pthread_t writer;
	int err;

	iso->hold_ms = hold_ms;
	iso->quiet = hold_ms <= 0;
	iso->holds = 0;
	iso->writer_err = 0;
	atomic_store_release(&iso->stop, 0);
	if (!iso->quiet && pthread_create(&writer, NULL, holder, iso) != 0)
		return -EAGAIN;
	begin_work(iso, ms);
	gang_run(iso->gang, iso->threads, work, iso);
	atomic_store_release(&iso->stop, 1);
	if (!iso->quiet)
		pthread_join(writer, NULL);
	err = sum_up(iso, result);
	result->holds = iso->holds;
	return err ? err : iso->writer_err;
}

/* ---- a writer that is stopped inside an edit ---- */

/* Whatever can be stopped inside: leaf sections of every kind, accounting, retirement of tables, refill of frames. */
static int edit_all(struct isolate *iso, uint64_t round)
{
	const uint64_t big = UINT64_C(4) << 20, at = AREA(WRITER) + 4 * STANDING * PIECE + (round % 8) * 2 * big;
	const uint64_t mine = shared_end(iso) - PART;
	int err = map_fixed(iso->map, at, big);

	for (uint64_t a = 0; a < big && !err; a += VMMAP_PAGE_SIZE)
		err = vmmap_fault(iso->map, at + a, PROT_WRITE, NULL);
	if (!err)
		err = vmmap_mprotect(iso->map, at + PIECE, PIECE, PROT_READ);
	if (!err)
		err = vmmap_munmap(iso->map, at + big / 2, PIECE);
	if (!err)
		err = vmmap_munmap(iso->map, at, big);
	for (uint64_t a = 0; a < MUCH && !err; a += VMMAP_PAGE_SIZE)
		err = vmmap_fault(iso->map, mine + a, PROT_WRITE, NULL);
	if (!err)
		err = vmmap_mprotect(iso->map, mine + PIECE, HELD / 2, PROT_READ);
	if (!err)
		err = vmmap_mprotect(iso->map, mine + PIECE, HELD / 2, RW);
	if (!err)
		err = vmmap_madvise(iso->map, mine, MUCH, MADV_DONTNEED);
	return err;
}

static void *editor(void *ctx)
{
	struct isolate *iso = ctx;

	point_role("writer");
	for (uint32_t round = 0; !atomic_load_acquire(&iso->stop) && !iso->writer_err; round++) {
		iso->writer_err = edit_all(iso, round);
		atomic_store_release(&iso->rounds, round + 1);
	}
	atomic_store_release(&iso->rounds, ROUNDS);
	point_role(NULL);
	return NULL;
}

/* Frames that only the writer touched go back at once: these, touched by another thread, it will have to retire. */
static int lend_pages(struct isolate *iso)
{
	int err = 0;

	for (uint64_t a = 0; a < HELD && !err; a += VMMAP_PAGE_SIZE)
		err = vmmap_fault(iso->map, shared_end(iso) - PART + a, PROT_WRITE, NULL);
	return err;
}

struct release { const char *place; double ms; };

/* Lets the writer go when the time is over: a worker that a global lock keeps out until then cannot do it. */
static void *releaser(void *ctx)
{
	const struct release *r = ctx;
	struct timespec pause = { (time_t)(r->ms / 1e3), (long)(r->ms * 1e6) % 1000000000L };

	nanosleep(&pause, NULL);
	point_release("writer", r->place);
	return NULL;
}

/* The workers' time while the writer is stopped. */
static int work_beside(struct isolate *iso, const char *place, double ms, struct isolate_result *result)
{
	struct release release = { place, ms };
	pthread_t thread;
	int err;

	if (pthread_create(&thread, NULL, releaser, &release) != 0)
		return -EAGAIN;
	begin_work(iso, ms * 0.9);
	gang_run(iso->gang, iso->threads, work, iso);
	pthread_join(thread, NULL);
	err = sum_up(iso, result);
	return !err && point_timeouts() != 0 ? -ETIMEDOUT : err;
}

/* False: the writer does not come by this place. */
static bool stands(struct isolate *iso, const char *place)
{
	while (!point_wait_reached("writer", place, UINT64_C(20000000)))
		if (atomic_load_acquire(&iso->rounds) >= ROUNDS)
			return false;
	return true;
}

int isolate_stop(struct isolate *iso, const char *place, double ms, struct isolate_result *result)
{
	pthread_t writer;
	int err = lend_pages(iso);

	memset(result, 0, sizeof(*result));
	point_reset();
	if (!err)
		err = point_stop("writer", place, NULL, NULL);
	if (err) {
		point_reset();
		return err;
	}
	iso->writer_err = 0;
	iso->quiet = true;
	atomic_store_release(&iso->stop, 0);
	atomic_store_release(&iso->rounds, 0);
	if (pthread_create(&writer, NULL, editor, iso) != 0)
		return -EAGAIN;
	if (stands(iso, place))
		err = work_beside(iso, place, ms, result);
	else
		err = -ETIMEDOUT;
	atomic_store_release(&iso->stop, 1);
	point_release("writer", place);
	pthread_join(writer, NULL);
	point_reset();
	return err ? err : iso->writer_err;
}
