/* SPDX-License-Identifier: MIT */
/*
 * unplug.c - `vmmap-bench unplug`: memory that goes while all of it is used, against copying as much.
 *
 * MACHINE  two segments for movable memory, of which the pages of one map fill one; a little more for caches, and for
 *          who faults elsewhere. The segment that is full goes, so its pages move to the other; then it comes back, and
 *          it is the other's turn. Memory of a segment that has come back is touched first, outside of the clock: what
 *          the host asks for its pages is no price of moving.
 * unplug   physmem_unplug of the full segment.   copy: memcpy of its pages into memory that has been used before.
 * beside   one thread faults pages of another map of the same machine and drops them; the other one unplugs and brings
 *          back, or copies and clears, the same number of pages, and the block ends with it. Faults count if their
 *          batch begins within an unplug, or within a copy: neither is beside what the memory of a segment that has
 *          come back costs the host, or what clearing does. (Were it to end there too, the shorter of the two would
 *          lose more of the batches that lost their CPU.) Blocked: how often the thread that faults entered the kernel
 *          to sleep, or spun more than 1,000 rounds, in all blocks.
 * Proof    what the unplug says it has moved; that the last page copied has arrived; faults by the engine's counter.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vmmap/physmem_hotplug.h>
#include <vmmap/vmmap.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/tool/cli.h"
#include "bench/commands.h"
#include "bench/gang.h"
#include "bench/noise.h"
#include "bench/options.h"
#include "bench/report.h"

#define BASE   (UINT64_C(1) << 40)
#define PAGE   ((uint64_t)VMMAP_PAGE_SIZE)
#define BLOCK  UINT64_C(512)                     /* frames                                                         */
#define EXTRA  (8 * BLOCK)                       /* beside the two segments: caches are as large as ever ...       */
#define HELD   (7 * BLOCK)                       /* ... and of these somebody has so many                          */
#define LEAST  (4 * BLOCK)
#define BATCH  64u                               /* pages that are faulted, and dropped                            */
#define TURNS  4u                                /* unplugs of a block of `beside`                                 */
#define TURNS_MOST 400u                          /* ... where the other thread never ran within one              */
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

static const short keys[] = { OPT_POLICY, OPT_COUNT, OPT_PAIRS, OPT_SEED, OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Unplugs a segment of --count frames, all of them used, beside a memcpy of as many; and faults of another "
	"thread beside each of the two.\v"
	"Examples:\n"
	"  vmmap-bench unplug\n"
	"  vmmap-bench unplug --count 65536 --pairs 31 --json -\n"
	"Exit code: 0; 1 if what was moved, or copied, does not bear it out; 2 if it could not run.",
};

struct world {
	uint64_t frames, pages;                  /* of a segment; of the map                                       */
	unsigned full;                           /* which segment is: 0, 1                                         */
	struct physmem *pm;
	struct vmmap *map, *beside;
	uint64_t held[HELD], nheld;
	void **from;                             /* [pages] bytes of the frames                                    */
	unsigned char *to;                       /* [frames] pages                                                 */
	struct gang *gang;
	/* of a block of `beside` */
	bool copies;
	int err;
	uint64_t faults, blocked, moved, switches[2];
	atomic_u64 within;                       /* faults within an unplug, or a copy                             */
	uint64_t ns;                             /* ... what they took                                             */
	atomic_u32 going, over;                  /* the first fault has been; the last page                       */
	atomic_u32 steps;                        /* odd: within one                                                */
};

/* ---- the machine ---- */

static uint64_t segment_at(const struct world *w, unsigned i) { return EXTRA + i * w->frames; }

static int world_look(struct world *w)
{
	struct vmmap_fault_info info;
	int err = 0;

	for (uint64_t i = 0; i < w->pages && !err; i++) {
		err = vmmap_fault(w->map, BASE + i * PAGE, PROT_READ, &info);
		if (!err)
			w->from[i] = physmem_frame_bytes(w->pm, info.pfn);
	}
	return err;
}

static int world_fill(struct world *w)
{
	int64_t at = vmmap_mmap(w->map, BASE, w->pages * PAGE, PROT_READ | PROT_WRITE, ANON, NULL, 0);
	int err = at < 0 ? (int)at : 0;

	for (uint64_t i = 0; i < w->pages && !err; i++)
		err = vmmap_write(w->map, BASE + i * PAGE, &i, sizeof(i)) == sizeof(i) ? 0 : -EIO;
	if (err)
		return err;
	at = vmmap_mmap(w->beside, BASE, BATCH * PAGE, PROT_READ | PROT_WRITE, ANON, NULL, 0);
	return at < 0 ? (int)at : 0;
}

static int world_plug(struct world *w, unsigned i)
{
	int err = physmem_plug(w->pm, segment_at(w, i), w->frames, 1);

	if (!err)
		memset(physmem_frame_bytes(w->pm, segment_at(w, i)), 1, w->frames * PAGE);
	return err;
}

static int world_open(struct world *w, const char *policy, uint64_t frames)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	w->frames = frames < LEAST ? LEAST : (frames + BLOCK - 1) / BLOCK * BLOCK;
	w->pages = w->frames - BLOCK / 2;
	memory.bytes = 1;
	memory.pages = EXTRA;
	memory.limit = EXTRA + 2 * w->frames;
	w->from = calloc(w->pages, sizeof(*w->from));
	w->to = malloc(w->frames * PAGE);
	w->gang = gang_create(2);
	if (!w->from || !w->to || !w->gang)
		return -ENOMEM;
	memset(w->to, 1, w->frames * PAGE);
	err = physmem_create(&w->pm, &memory);
	if (err)
		return err;
	while (w->nheld < HELD && (w->held[w->nheld] = physmem_frame_alloc(w->pm)) != PHYSMEM_NONE)
		w->nheld++;
	config.policy = policy;
	config.physmem = w->pm;
	err = vmmap_create(&w->map, &config);
	if (!err)
		err = vmmap_create(&w->beside, &config);
	if (!err)
		err = world_plug(w, 0);
	if (!err)
		err = world_fill(w);
	return err ? err : world_plug(w, 1);
}

static void world_close(struct world *w)
{
	vmmap_destroy(w->beside);
	vmmap_destroy(w->map);
	while (w->nheld)
		(void)physmem_frame_free(w->pm, w->held[--w->nheld]);
	physmem_destroy(w->pm);
	if (w->gang)
		gang_destroy(w->gang);
	free(w->to);
	free(w->from);
}

/* ---- the two ways ---- */

static void step(struct world *w) { atomic_store_release(&w->steps, atomic_load_relaxed(&w->steps) + 1); }

/* The full one goes, and comes back; *ns: of its going. */
static int move_all(struct world *w, uint64_t *moved, uint64_t *ns)
{
	struct physmem_unplug_result result;
	uint64_t began = clock_ns();
	int err;

	step(w);
	err = physmem_unplug(w->pm, segment_at(w, w->full), w->frames, NULL, &result);
	step(w);
	*ns = clock_ns() - began;
	*moved = result.moved;
	if (err)
		return err;
	w->full = !w->full;
	return world_plug(w, !w->full);
}

static void copy_all(struct world *w)
{
	step(w);
	for (uint64_t i = 0; i < w->pages; i++)
		memcpy(w->to + i * PAGE, w->from[i], PAGE);
	step(w);
}

static int unplug_block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	struct world *w = ctx;
	uint64_t moved, ns, switches = noise_switches();
	int err = move_all(w, &moved, &ns);

	(void)seed;
	*out = (struct pairs_block){ .rate = (double)moved * 1e9 / (double)ns, .ops = moved };
	out->switches = noise_switches() - switches;
	out->proven = moved >= w->pages / 2;
	return err;
}

static int copy_block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	struct world *w = ctx;
	uint64_t last = w->pages - 1, word, ns, switches;
	int err = world_look(w);

	(void)seed;
	switches = noise_switches();
	memset(w->to + last * PAGE, 0xff, sizeof(word));
	ns = clock_ns();
	copy_all(w);
	ns = clock_ns() - ns;
	memcpy(&word, w->to + last * PAGE, sizeof(word));
	*out = (struct pairs_block){ .rate = (double)w->pages * 1e9 / (double)ns, .ops = w->pages };
	out->switches = noise_switches() - switches;
	out->proven = word == last;
	return err;
}

/* ---- beside each of them ---- */

/* A thread that faults and gets no CPU for so long has something else beside it: more turns, up to a bound. */
static bool more_turns(const struct world *w, unsigned turns)
{
	return turns < TURNS || (turns < TURNS_MOST && atomic_load_relaxed(&w->within) == 0);
}

static void work(struct world *w)
{
	while (!atomic_load_acquire(&w->going))
		sched_yield();
	for (unsigned i = 0; more_turns(w, i) && !w->err; i++) {
		uint64_t moved = w->pages, ns;

		if (w->copies) {
			copy_all(w);
			memset(w->to, 1, w->frames * PAGE);
		} else {
			w->err = move_all(w, &moved, &ns);
		}
		w->moved += moved;
	}
	atomic_store_release(&w->over, 1);
}

static int fault_batch(struct world *w)
{
	int err = 0;

	for (uint64_t i = 0; i < BATCH && !err; i++)
		err = vmmap_fault(w->beside, BASE + i * PAGE, PROT_WRITE, NULL);
	return err ? err : vmmap_madvise(w->beside, BASE, BATCH * PAGE, MADV_DONTNEED);
}

static void faults(struct world *w)
{
	uint64_t blocked = vmmap_blocked_self();
	int err;

	do {
		uint32_t step = atomic_load_acquire(&w->steps);
		uint64_t began = clock_ns(), ns;

		err = fault_batch(w);
		ns = clock_ns() - began;
		w->faults += BATCH;
		if (step % 2 == 1) {
			atomic_bump(&w->within, BATCH);
			w->ns += ns;
		}
		atomic_store_release(&w->going, 1);
	} while (!atomic_load_acquire(&w->over) && !err);
	w->blocked += vmmap_blocked_self() - blocked;
	if (err)
		w->err = err;
}

static void both(void *arg, unsigned i)
{
	struct world *w = arg;
	uint64_t switches = noise_switches();

	(i ? faults : work)(w);
	w->switches[i] = noise_switches() - switches;
}

static int beside_block(struct world *w, bool copies, struct pairs_block *out)
{
	struct vmmap_counters before, after;
	int err = world_look(w);
	uint64_t within;

	w->copies = copies;
	w->err = err;
	w->faults = w->moved = w->ns = 0;
	atomic_store_relaxed(&w->within, 0);
	atomic_store_relaxed(&w->going, 0);
	atomic_store_relaxed(&w->over, 0);
	vmmap_get_counters(w->beside, &before);
	gang_run(w->gang, 2, both, w);
	vmmap_get_counters(w->beside, &after);
	within = atomic_load_relaxed(&w->within);
	*out = (struct pairs_block){ .rate = (double)within * 1e9 / (double)(w->ns + !w->ns),
				     .ops = after.faults - before.faults };
	out->switches = w->switches[0] + w->switches[1];
	out->proven = within > 0 && out->ops >= w->faults && w->moved >= TURNS * w->pages / 2;
	return w->err;
}

static int beside_unplug(void *ctx, uint64_t seed, struct pairs_block *out)
{
	(void)seed;
	return beside_block(ctx, false, out);
}

static int beside_copy(void *ctx, uint64_t seed, struct pairs_block *out)
{
	uint64_t blocked = ((struct world *)ctx)->blocked;
	int err = beside_block(ctx, true, out);

	(void)seed;
	((struct world *)ctx)->blocked = blocked;        /* no unplug was there                                    */
	return err;
}

/* ---- what comes of it ---- */

struct comparison {
	const char *measure;
	struct stats_interval ratio;             /* of times: unplug / copy                                        */
	double arm_ns[2];
	unsigned pairs, dropped;
	bool noisy;
};

static int compare(struct world *w, const struct options *o, const struct pairs_arm *arm, struct comparison *c)
{
	struct pairs_plan plan = { .arm = { arm[0], arm[1] }, .arms = 2, .pairs = o->pairs, .seed = o->seed,
				   .steal_limit = 1, .switch_limit = 8, .progress = report_pairs,
				   .progress_ctx = (char *)(uintptr_t)c->measure };
	struct pairs_result got;
	int err;

	plan.arm[0].ctx = plan.arm[1].ctx = w;
	err = pairs_run(&plan, &got);
	if (err)
		return err;
	report_progress_end();
	c->ratio = pairs_ratio(&got, 1, 0);
	for (unsigned i = 0; i < 2; i++)
		c->arm_ns[i] = 1e9 / pairs_rate(&got, i).median;
	c->pairs = got.pairs;
	c->dropped = got.dropped;
	c->noisy = got.noisy;
	pairs_free(&got);
	return 0;
}

static void tell(const struct comparison *c, const char *says, FILE *out, struct json *rows)
{
	struct json *row = json_row(rows);

	fprintf(out, "%s: %.2f [%.2f, %.2f] (%.1f and %.1f ns; %u pairs, %u dropped%s)\n", says, c->ratio.median,
		c->ratio.lo, c->ratio.hi, c->arm_ns[0], c->arm_ns[1], c->pairs, c->dropped, c->noisy ? ", noisy" : "");
	json_text(row, "measure", c->measure);
	report_interval(row, "ratio", c->ratio);
	json_real(row, "unplug_ns", c->arm_ns[0]);
	json_real(row, "copy_ns", c->arm_ns[1]);
	json_uint(row, "pairs", c->pairs);
	json_uint(row, "dropped", c->dropped);
}

static int measure(struct world *w, const struct options *o, FILE *out, struct json *j)
{
	static const struct pairs_arm frame[] = { { "unplug", unplug_block, NULL }, { "copy", copy_block, NULL } };
	static const struct pairs_arm fault[] = { { "unplug", beside_unplug, NULL }, { "copy", beside_copy, NULL } };
	struct comparison cost = { .measure = "cost of a frame" }, beside = { .measure = "faults beside it" };
	int err = compare(w, o, frame, &cost);
	struct json *rows;

	if (!err)
		err = compare(w, o, fault, &beside);
	if (err)
		return err;
	json_text(j, "policy", o->policy);
	json_uint(j, "frames", w->frames);
	json_uint(j, "blocked", w->blocked);
	rows = json_array(j, "rows");
	tell(&cost, "unplug of a used frame / copy of it", out, rows);
	tell(&beside, "a fault beside an unplug / beside a copy", out, rows);
	fprintf(out, "%llu frames, policy %s; faults blocked beside unplugs: %llu\n%s\n", (unsigned long long)w->frames,
		o->policy, (unsigned long long)w->blocked, report_machine());
	return 0;
}

int unplug_main(int argc, char **argv)
{
	struct options o = { .policy = "vma", .count = 8192, .pairs = 15, .seed = 1 };
	static struct world w;
	struct json *j;
	int err;

	options_parse(&command, argc, argv, &o);
	j = report_begin("unplug");
	err = world_open(&w, o.policy, o.count);
	if (!err)
		err = measure(&w, &o, report_text(o.json), j);
	world_close(&w);
	if (err) {
		cli_complain(NULL, "unplug of %llu frames under %s: %s", (unsigned long long)o.count, o.policy,
			     strerror(-err));
		json_free(j);
		return err == -EPROTO ? CLI_VIOLATION : CLI_USAGE;
	}
	return report_end(j, o.json);
}
