/* SPDX-License-Identifier: MIT */
/* bars.c - `vmmap-bench bars`: every bar that is a ratio or a count of this program, asked and measured. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/commands.h"
#include "bench/compare.h"
#include "bench/isolation.h"
#include "bench/lookup.h"
#include "bench/metadata.h"
#include "bench/options.h"
#include "bench/report.h"

static const short keys[] = { OPT_DURATION, OPT_PAIRS, OPT_BLOCK, OPT_BLOCK_MS, OPT_ONLY, OPT_SEED, OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Measures the bars: what is asked, the median and its 95 % interval, met or missed. A bar is met if "
	"the median is. --duration is what it may take in all (2m): less time, fewer pairs, wider intervals.\v"
	"Examples:\n"
	"  vmmap-bench bars\n"
	"  vmmap-bench bars --duration 50s --json bars.json\n"
	"  vmmap-bench bars --only 'two threads' --pairs 31\n"
	"Exit code: 0: all met; 1: some missed; 2: it could not run.",
};

enum kind { RATIO, GEOMEAN, BESIDE, SCALING, HELD, STOPPED, LOOKUP, METADATA };

struct bar {
	enum kind kind;
	const char *group, *workload, *b;
	unsigned threads;
	bool bytes, at_most;
	double asked;
	uint64_t vmas;                           /* LOOKUP, METADATA                                                */
	const char *figure;                      /* of a row: which                                                 */
};

/* With bytes, 1 MiB a thread instead of 64: what is zeroed stays in the cache ("hot zeroing"). */
#define HOT_SHRINK 6

#define ONE(w)          { RATIO, "one thread", w, "global", 1, false, false, 0.85, 0, NULL }
#define TWO(w, b, x)    { RATIO, "two threads", w, b, 2, false, false, x, 0, NULL }
#define SCALE(w)        { SCALING, "scaling 1 to 2, over none", w, "none", 2, false, false, 0.9, 0, NULL }
#define LOOK(n, f, m, x) { LOOKUP, "lookup / bsearch", NULL, NULL, 1, false, m, x, n, f }
#define META(n, f)      { METADATA, "bytes per VMA", NULL, NULL, 1, false, true, 200, n, f }

/* LOOK and META rows of one size stand together: the first measures, the others read. */
static const struct bar bars[] = {
	ONE("local"),
	ONE("mmap"),
	ONE("mmap_pf"),
	ONE("pf"),
	ONE("munmap"),
	ONE("mprotect"),
	{ GEOMEAN, "one thread", "geometric mean of these", "global", 1, false, false, 0.9, 0, NULL },
	TWO("fault", "global", 3),
	{ RATIO, "two threads", "fault", "global", 2, true, false, 1.8, 0, NULL },
	TWO("fault-64k", "global", 1.3),
	TWO("local", "global", 2),
	TWO("mprotect-gc", "global", 1.5),
	TWO("churn-beside", "global", 4),
	{ BESIDE, "two threads", "churn-beside", "fault", 2, false, false, 0.75, 0, NULL },
	TWO("pipeline", "global", 1.5),
	TWO("fault", "pervma", 3),
	TWO("local", "pervma", 2),
	SCALE("fault"),
	SCALE("local"),
	SCALE("mmap"),
	SCALE("munmap"),
	SCALE("pf"),
	SCALE("mprotect"),
	{ HELD, "isolation, blocked", "vma", NULL, 2, false, true, 0, 0, NULL },
	{ HELD, "isolation, blocked", "vma-count", NULL, 2, false, true, 0, 0, NULL },
	{ STOPPED, "isolation, blocked", "vma", NULL, 2, false, true, 0, 0, NULL },
	{ STOPPED, "isolation, blocked", "vma-count", NULL, 2, false, true, 0, 0, NULL },
	LOOK(65536, "dependent", true, 0.70),
	LOOK(65536, "insert or erase", true, 2),
	LOOK(65536, "scaling / array's", false, 0.85),
	LOOK(1000000, "dependent", true, 1.5),
	LOOK(1000000, "independent", true, 1.2),
	LOOK(1000000, "scaling / array's", false, 0.85),
	META(65536, "own count"),
	META(65536, "RSS"),
	META(1000000, "own count"),
	META(1000000, "RSS"),
};

/* Weight of a bar in the time that is left: blocks per round, about. */
static double weight(const struct bar *bar)
{
	static const double of[] = { [RATIO] = 3, [GEOMEAN] = 0, [BESIDE] = 2, [SCALING] = 4, [HELD] = 2, [STOPPED] = 2,
				     [LOOKUP] = 2, [METADATA] = 1 };

	return of[bar->kind];
}

#define ROWS 6

struct bars {
	struct options o;
	struct gang *gang;
	uint64_t end_ns;
	FILE *out;
	struct json *rows;
	unsigned measured, missed;
	double *ratios[ROWS];                    /* of the RATIO bars in one thread, for their mean                 */
	size_t nratios[ROWS], n;
	struct lookup_row lookup;                /* the latest                                                      */
	struct metadata_row metadata;
};

static const char *name_of(const struct bar *bar, char *buf, size_t bytes)
{
	switch (bar->kind) {
	case RATIO: snprintf(buf, bytes, "%s%s, vma / %s", bar->workload, bar->bytes ? " --bytes" : "", bar->b); break;
	case GEOMEAN:  snprintf(buf, bytes, "%s", bar->workload); break;
	case BESIDE:   snprintf(buf, bytes, "%s: its faults / alone", bar->workload); break;
	case SCALING:  snprintf(buf, bytes, "%s, vma", bar->workload); break;
	case HELD:     snprintf(buf, bytes, "%s, writer holds 10 ms", bar->workload); break;
	case STOPPED:  snprintf(buf, bytes, "%s, writer stopped in an edit", bar->workload); break;
	default:       snprintf(buf, bytes, "%llu VMAs, %s", (unsigned long long)bar->vmas, bar->figure); break;
	}
	return buf;
}

static void record(struct bars *all, const struct bar *bar, struct stats_interval got, const char *note)
{
	const bool met = bar->at_most ? got.median <= bar->asked : got.median >= bar->asked;
	struct json *row = json_row(all->rows);
	char name[96];

	name_of(bar, name, sizeof(name));
	json_text(row, "group", bar->group);
	json_text(row, "bar", name);
	json_text(row, "asked", bar->at_most ? "at most" : "at least");
	json_real(row, "limit", bar->asked);
	report_interval(row, "median", got);
	json_bool(row, "met", met);
	json_text(row, "note", note);
	report_progress_end();
	fprintf(all->out, "%-26s %-34s %s %-5g %9.3f [%.3f, %.3f]  %s%s%s\n", bar->group, name,
		bar->at_most ? "<=" : ">=", bar->asked, got.median, got.lo, got.hi, met ? "met" : "MISSED",
		note[0] ? "   " : "", note);
	fflush(all->out);
	all->measured++;
	all->missed += !met;
}

/* ---- kinds ---- */

static struct compare plan_of(const struct bars *all, const struct bar *bar, uint64_t deadline)
{
	return (struct compare){ .workload = profile_find(bar->workload),
				 .a = "vma",
				 .b = bar->b,
				 .threads = bar->threads,
				 .pairs = all->o.pairs,
				 .block_ms = all->o.block_ms,
				 .bytes = bar->bytes,
				 .shrink = bar->bytes ? HOT_SHRINK : 0,
				 .seed = all->o.seed,
				 .deadline_ns = deadline,
				 .gang = all->gang };
}

static void note_pairs(char *note, size_t bytes, const struct compare_result *r, const char *b)
{
	snprintf(note, bytes, "%s%s%u pairs, %u dropped%s", b, b[0] ? ", " : "", r->pairs, r->dropped,
		 r->noisy ? ", NOISY" : "");
}

static int compared(struct bars *all, const struct bar *bar, uint64_t deadline)
{
	struct compare c = plan_of(all, bar, deadline);
	struct compare_result r;
	char note[96];
	int err;

	if (bar->kind == BESIDE)
		err = compare_beside(&c, profile_find(bar->b), &r);
	else if (bar->kind == SCALING)
		err = compare_scaling(&c, 1, 2, &r);
	else
		err = compare_ratio(&c, &r);
	if (err)
		return err;
	note_pairs(note, sizeof(note), &r, bar->kind == RATIO && strcmp(bar->b, "global") == 0 ? r.b_used : "");
	record(all, bar, bar->kind == SCALING ? r.against : r.ratio, note);
	if (bar->kind == RATIO && bar->threads == 1 && all->n < ROWS) {
		all->ratios[all->n] = r.ratios;
		all->nratios[all->n++] = r.pairs;
		r.ratios = NULL;
	}
	compare_free(&r);
	return 0;
}

static int held(struct bars *all, const struct bar *bar, uint64_t deadline)
{
	uint64_t now = clock_ns(), left = deadline > now ? deadline - now : 0;
	double ms = left > 300000000 ? (double)left / 1e6 * 0.7 : 200;
	struct isolate_result r, global;
	char note[96];
	int err = isolation_held(bar->workload, bar->threads, 10, ms < 3000 ? ms : 3000, &r);

	if (!err)
		err = isolation_held("rwsem", bar->threads, 10, 200, &global);
	if (err)
		return err;
	snprintf(note, sizeof(note), "of %llu, p99.9 %.1f us; rwsem: %llu of %llu, p99.9 %.0f us",
		 (unsigned long long)r.ops, (double)r.p999_ns / 1e3, (unsigned long long)global.blocked,
		 (unsigned long long)global.ops, (double)global.p999_ns / 1e3);
	record(all, bar, (struct stats_interval){ (double)r.blocked, (double)r.blocked, (double)r.blocked }, note);
	return 0;
}

static int stopped(struct bars *all, const struct bar *bar)
{
	struct isolation_place places[ISOLATION_PLACES];
	double ops = 0, blocked = 0;
	char note[96];
	size_t n;
	int err = isolation_stopped(bar->workload, places, ISOLATION_PLACES, &n);

	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		ops += (double)places[i].ops;
		blocked += (double)places[i].blocked;
		if (places[i].ops == 0) {
			cli_complain(NULL, "under %s no writer came by %s", bar->workload, places[i].place);
			return -ETIMEDOUT;
		}
	}
	snprintf(note, sizeof(note), "of %.0f, at %zu places", ops, n);
	record(all, bar, (struct stats_interval){ blocked, blocked, blocked }, note);
	return 0;
}

static int looked_up(struct bars *all, const struct bar *bar, uint64_t deadline)
{
	struct lookup_plan plan = { .pairs = all->o.pairs, .block_ms = 10, .seed = all->o.seed, .deadline_ns = deadline,
				    .gang = all->gang };
	const struct lookup_row *r = &all->lookup;
	struct stats_interval got;
	char note[64];
	int err = r->vmas == bar->vmas ? 0 : lookup_measure(&plan, bar->vmas, &all->lookup);

	if (err)
		return err;
	if (strcmp(bar->figure, "dependent") == 0)
		got = r->dependent;
	else if (strcmp(bar->figure, "independent") == 0)
		got = r->independent;
	else if (strcmp(bar->figure, "insert or erase") == 0)
		got = r->insert_erase;
	else
		got = (struct stats_interval){ r->scaling2.median / r->array_scaling2.median,
					       r->scaling2.lo / r->array_scaling2.hi,
					       r->scaling2.hi / r->array_scaling2.lo };
	snprintf(note, sizeof(note), "tree %.0f ns, bsearch %.0f ns", r->tree_ns, r->array_ns);
	record(all, bar, got, note);
	return 0;
}

static int weighed(struct bars *all, const struct bar *bar)
{
	int err = all->metadata.vmas == bar->vmas ? 0 : metadata_measure("vma", bar->vmas, &all->metadata);
	double got;

	if (err)
		return err;
	got = strcmp(bar->figure, "RSS") == 0 ? all->metadata.rss_per_vma : all->metadata.bytes_per_vma;
	record(all, bar, (struct stats_interval){ got, got, got }, "mapped and unmapped without error");
	return 0;
}

static int mean(struct bars *all, const struct bar *bar)
{
	char note[32];

	if (all->n == 0)
		return 0;
	snprintf(note, sizeof(note), "of %zu", all->n);
	record(all, bar, stats_bootstrap_geometric((const double *const *)all->ratios, all->nratios, all->n, 1), note);
	return 0;
}

static int measure(struct bars *all, const struct bar *bar, uint64_t deadline)
{
	switch (bar->kind) {
	case GEOMEAN:  return mean(all, bar);
	case HELD:     return held(all, bar, deadline);
	case STOPPED:  return stopped(all, bar);
	case LOOKUP:   return looked_up(all, bar, deadline);
	case METADATA: return weighed(all, bar);
	default:       return compared(all, bar, deadline);
	}
}

static bool wanted(const struct bars *all, const struct bar *bar)
{
	char name[96], both[160];

	if (!all->o.only)
		return true;
	snprintf(both, sizeof(both), "%s: %s", bar->group, name_of(bar, name, sizeof(name)));
	return strstr(both, all->o.only) != NULL;
}

static unsigned run_all(struct bars *all)
{
	unsigned failed = 0;
	double left = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bars); i++)
		left += wanted(all, &bars[i]) ? weight(&bars[i]) : 0;
	for (size_t i = 0; i < ARRAY_SIZE(bars); i++) {
		uint64_t now = clock_ns(), time = all->end_ns > now ? all->end_ns - now : 0;
		double mine = weight(&bars[i]);
		char name[96];

		if (!wanted(all, &bars[i]))
			continue;
		if (measure(all, &bars[i], now + (uint64_t)(left > 0 ? (double)time * mine / left : 0) + 1) != 0) {
			fprintf(all->out, "%-26s %-34s not measured\n", bars[i].group,
				name_of(&bars[i], name, sizeof(name)));
			failed++;
		}
		left -= mine;
	}
	return failed;
}

int bars_main(int argc, char **argv)
{
	struct bars all = { .o = { .pairs = 15, .block_ms = 20, .seed = 1, .duration_ns = UINT64_C(120000000000) } };
	unsigned failed;
	struct json *j;
	int code;

	options_parse(&command, argc, argv, &all.o);
	all.end_ns = clock_ns() + all.o.duration_ns;
	all.out = report_text(all.o.json);
	all.gang = gang_create(2);
	j = report_begin("bars");
	json_uint(j, "pairs", all.o.pairs);
	json_real(j, "block_ms", all.o.block_ms);
	all.rows = json_array(j, "rows");
	fprintf(all.out, "%s\n%-26s %-34s %-8s %9s\n", report_machine(), "group", "bar", "asked", "measured");
	failed = run_all(&all);
	gang_destroy(all.gang);
	for (size_t i = 0; i < all.n; i++)
		free(all.ratios[i]);
	json_uint(j, "measured", all.measured);
	json_uint(j, "missed", all.missed);
	json_uint(j, "failed", failed);
	fprintf(all.out, "%u bars measured, %u missed, %u could not be measured\n", all.measured, all.missed, failed);
	code = report_end(j, all.o.json);
	return code != CLI_OK || failed ? CLI_USAGE : all.missed ? CLI_VIOLATION : CLI_OK;
}
