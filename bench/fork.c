/* SPDX-License-Identifier: MIT */
/*
 * fork.c - `vmmap-bench fork`: a fork of a map with many present pages, against copying these pages.
 *
 * fork   vmmap_fork of the map, all of whose pages are its own and may be stored to. The child's end, and the stores
 *        that make the pages the map's own again, are outside of the clock.
 * copy   memcpy of each page into memory that has been used before: what a fork that copies cannot do without. No
 *        frames, no tables, no locks: less than that fork would need.
 * Proof: the engine's counter of forks; for the copy, that the last page has arrived.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vmmap/vmmap.h>

#include "base/clock.h"
#include "base/tool/cli.h"
#include "bench/commands.h"
#include "bench/options.h"
#include "bench/report.h"

#define BASE (UINT64_C(1) << 40)
#define PAGE ((uint64_t)VMMAP_PAGE_SIZE)

static const short keys[] = { OPT_POLICY, OPT_COUNT, OPT_PAIRS, OPT_SEED, OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Forks a map of --count pages, all present and writable, beside a memcpy of these pages into warm memory. The "
	"ratio is time of copying / time of the fork.\v"
	"Examples:\n"
	"  vmmap-bench fork\n"
	"  vmmap-bench fork --count 1000 --pairs 31 --policy rwsem --json -\n"
	"Exit code: 0; 1 if the counter of forks, or the copy, does not bear it out; 2 if it could not run.",
};

struct world {
	uint64_t pages;
	struct physmem *pm;
	struct vmmap *map;
	void **from;                             /* [pages] bytes of the frames                                    */
	unsigned char *to;                       /* [pages] pages                                                  */
};

/* Each page the map's own again: a store takes it over, in place. */
static int world_own(struct world *w)
{
	struct vmmap_fault_info info;
	int err = 0;

	for (uint64_t i = 0; i < w->pages && !err; i++) {
		err = vmmap_fault(w->map, BASE + i * PAGE, PROT_WRITE, &info);
		if (!err)
			w->from[i] = physmem_frame_bytes(w->pm, info.pfn);
	}
	return err;
}

static int world_open(struct world *w, const char *policy, uint64_t pages)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	int64_t at;
	int err;

	memory.bytes = 1;
	memory.pages = pages + pages / 4 + 8192;
	config.policy = policy;
	w->pages = pages;
	w->from = calloc(pages, sizeof(*w->from));
	w->to = malloc(pages * PAGE);
	if (!w->from || !w->to)
		return -ENOMEM;
	memset(w->to, 1, pages * PAGE);
	err = physmem_create(&w->pm, &memory);
	if (err)
		return err;
	config.physmem = w->pm;
	err = vmmap_create(&w->map, &config);
	if (err)
		return err;
	at = vmmap_mmap(w->map, BASE, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			NULL, 0);
	err = at < 0 ? (int)at : world_own(w);
	for (uint64_t i = 0; i < pages && !err; i++)
		err = vmmap_write(w->map, BASE + i * PAGE, &i, sizeof(i)) == sizeof(i) ? 0 : -EIO;
	return err;
}

static void world_close(struct world *w)
{
	vmmap_destroy(w->map);
	physmem_destroy(w->pm);
	free(w->to);
	free(w->from);
}

static int fork_block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	struct world *w = ctx;
	struct vmmap_counters before, after;
	struct vmmap *child;
	uint64_t ns;
	int err;

	(void)seed;
	vmmap_get_counters(w->map, &before);
	ns = clock_ns();
	err = vmmap_fork(&child, w->map);
	ns = clock_ns() - ns;
	if (err)
		return err;
	vmmap_get_counters(w->map, &after);
	vmmap_destroy(child);
	*out = (struct pairs_block){ .rate = (double)w->pages * 1e9 / (double)ns, .ops = after.forks - before.forks };
	out->proven = out->ops == 1;
	return world_own(w);
}

static int copy_block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	struct world *w = ctx;
	uint64_t last = w->pages - 1, word, ns;

	(void)seed;
	memset(w->to + last * PAGE, 0xff, sizeof(word));
	ns = clock_ns();
	for (uint64_t i = 0; i < w->pages; i++)
		memcpy(w->to + i * PAGE, w->from[i], PAGE);
	ns = clock_ns() - ns;
	memcpy(&word, w->to + last * PAGE, sizeof(word));
	*out = (struct pairs_block){ .rate = (double)w->pages * 1e9 / (double)ns, .ops = w->pages };
	out->proven = word == last;
	return 0;
}

static int measure(struct world *w, const struct options *o, FILE *out, struct json *j)
{
	struct pairs_plan plan = { .arm = { { "fork", fork_block, w }, { "copy", copy_block, w } }, .arms = 2,
				   .pairs = o->pairs, .seed = o->seed, .steal_limit = 1, .switch_limit = 4,
				   .progress = report_pairs, .progress_ctx = (char *)"forks and copies" };
	struct pairs_result got;
	struct stats_interval ratio;
	int err = pairs_run(&plan, &got);

	if (err)
		return err;
	report_progress_end();
	ratio = pairs_ratio(&got, 0, 1);
	fprintf(out, "%llu pages, policy %s: copying takes %.1f [%.1f, %.1f] times as long as the fork\n",
		(unsigned long long)w->pages, o->policy, ratio.median, ratio.lo, ratio.hi);
	fprintf(out, "(%.1f ns and %.1f ns a page; %u pairs, %u dropped%s)\n%s\n", 1e9 / pairs_rate(&got, 1).median,
		1e9 / pairs_rate(&got, 0).median, got.pairs, got.dropped, got.noisy ? ", noisy" : "", report_machine());
	json_text(j, "policy", o->policy);
	json_uint(j, "pages", w->pages);
	json_uint(j, "pairs", got.pairs);
	json_uint(j, "dropped", got.dropped);
	report_interval(j, "ratio", ratio);
	json_real(j, "fork_ns", 1e9 / pairs_rate(&got, 0).median);
	json_real(j, "copy_ns", 1e9 / pairs_rate(&got, 1).median);
	pairs_free(&got);
	return 0;
}

int fork_main(int argc, char **argv)
{
	struct options o = { .policy = "vma", .count = 100000, .pairs = 15, .seed = 1 };
	struct world w = { 0 };
	struct json *j;
	int err;

	options_parse(&command, argc, argv, &o);
	j = report_begin("fork");
	err = world_open(&w, o.policy, o.count);
	if (!err)
		err = measure(&w, &o, report_text(o.json), j);
	world_close(&w);
	if (err) {
		cli_complain(NULL, "fork of %llu pages under %s: %s", (unsigned long long)o.count, o.policy,
			     strerror(-err));
		json_free(j);
		return err == -EPROTO ? CLI_VIOLATION : CLI_USAGE;
	}
	return report_end(j, o.json);
}
