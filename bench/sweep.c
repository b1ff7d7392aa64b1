/* SPDX-License-Identifier: MIT */
/* sweep.c - `vmmap-bench sweep`: policies x workloads x threads, as numbers and as plots. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/arm.h"
#include "bench/commands.h"
#include "bench/noise.h"
#include "bench/options.h"
#include "bench/plot.h"
#include "bench/report.h"
#include "vmmap/vmmap.h"

static const short keys[] = { OPT_POLICIES, OPT_WORKLOADS, OPT_COUNTS, OPT_REPS, OPT_BLOCK, OPT_BLOCK_MS,
			      OPT_BYTES,    OPT_OUT,	   OPT_SEED,   OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Throughput of every policy on every workload, on 1, 2, 4 ... all CPUs, a thread each; the policies take "
	"turns in random order, so that one figure can be laid beside the other. Writes sweep.json and, through "
	"gnuplot, one SVG and one PNG per workload and throughput.svg, throughput.png with all of them into --out.\v"
	"Examples:\n"
	"  vmmap-bench sweep --out results\n"
	"  vmmap-bench sweep --policies rwlock,rwsem,vma --workloads fault,local --threads 1,2 --reps 15 --out "
	"results\n"
	"Exit code: 0; 1 if the engine's counters do not bear out an arm's rate; 2 if it could not run.",
};

struct sweep {
	const struct options *o;
	struct gang *gang;
	struct plot_point *points;
	size_t n;
	struct json *rows;
	FILE *out;
	unsigned dropped;
};

static void put_point(struct sweep *s, const struct profile *w, unsigned threads, const char *policy,
		      struct stats_interval rate)
{
	struct json *row = json_row(s->rows);

	s->points[s->n++] = (struct plot_point){ policy, w->name, threads, rate };
	json_text(row, "workload", w->name);
	json_text(row, "policy", policy);
	json_uint(row, "threads", threads);
	report_interval(row, "rate", rate);
	fprintf(s->out, " %9.3f", rate.median / 1e6);
}

static int sweep_one(struct sweep *s, const struct profile *w, unsigned threads)
{
	const struct options *o = s->o;
	struct pairs_plan plan = { .pairs = o->reps, .seed = o->seed, .steal_limit = 1, .progress = report_pairs };
	struct arm arm[PAIRS_ARMS];
	struct pairs_result got;
	char label[96];
	int err;

	for (size_t i = 0; i < o->npolicies; i++) {
		struct arm *one = &arm[plan.arms];

		if (strcmp(o->policies[i], "none") == 0 && w->min_threads > 1)
			continue;                        /* what threads do to each other, on one map              */
		arm_init(one, w, o->policies[i], threads, s->gang);
		one->params.bytes = o->bytes;
		one->params.private_maps = strcmp(o->policies[i], "none") == 0 && threads > 1;
		one->block_ms = o->block_ms;
		plan.switch_limit += threads <= noise_cpus() ? threads : UINT64_MAX / PAIRS_ARMS;
		plan.arm[plan.arms++] = (struct pairs_arm){ o->policies[i], arm_block, one };
	}
	snprintf(label, sizeof(label), "%s, %u threads", w->name, threads);
	plan.progress_ctx = label;
	err = pairs_run(&plan, &got);
	report_progress_end();
	for (unsigned i = 0; i < plan.arms; i++)
		arm_close(&arm[i]);
	if (err)
		return err;
	fprintf(s->out, "%-16s %2u", w->name, threads);
	for (unsigned i = 0, a = 0; i < o->npolicies; i++) {
		if (a < plan.arms && strcmp(plan.arm[a].name, o->policies[i]) == 0) {
			put_point(s, w, threads, plan.arm[a].name, pairs_rate(&got, a));
			a++;
		} else {
			fprintf(s->out, " %9s", "-");
		}
	}
	fputc('\n', s->out);
	fflush(s->out);
	s->dropped += got.dropped;
	pairs_free(&got);
	return 0;
}

/* 1, 2, 4 ... and all CPUs there are: beyond these a rate says nothing (docs/benchmarking.md). */
static void default_counts(struct options *o)
{
	uint64_t cpus = noise_cpus();

	for (uint64_t n = 1; n < cpus && o->ncounts < OPTIONS_LIST - 1; n *= 2)
		o->counts[o->ncounts++] = n;
	o->counts[o->ncounts++] = cpus;
}

/* All that edit and fault on one map; `none`, on a map for each thread, shows what no lock would reach. */
static void default_policies(struct options *o)
{
	while (o->npolicies < OPTIONS_LIST && vmmap_policy_name((unsigned)o->npolicies)) {
		o->policies[o->npolicies] = vmmap_policy_name((unsigned)o->npolicies);
		o->npolicies++;
	}
}

static void set_defaults(struct options *o)
{
	static const char *const workloads[] = { "fault", "local", "mmap", "munmap", "mprotect-gc", "churn-beside" };

	if (o->npolicies == 0)
		default_policies(o);
	for (size_t i = 0; o->nworkloads == 0 && i < ARRAY_SIZE(workloads); i++)
		o->workloads[i] = profile_find(workloads[i]);
	o->nworkloads = o->nworkloads ? o->nworkloads : ARRAY_SIZE(workloads);
	if (o->ncounts == 0)
		default_counts(o);
	if (o->npolicies > PAIRS_ARMS)
		cli_die("run it twice", "--policies: at most %d at a time", PAIRS_ARMS);
	if (mkdir(o->out, 0777) != 0 && errno != EEXIST)
		cli_die("give a directory that can be made", "--out: %s: %s", o->out, strerror(errno));
}

static int sweep_all(struct sweep *s)
{
	const struct options *o = s->o;
	uint64_t most = 1;
	int err = 0;

	for (size_t i = 0; i < o->ncounts; i++)
		most = o->counts[i] > most ? o->counts[i] : most;
	s->gang = gang_create((unsigned)most);
	fprintf(s->out, "million operations per second\n%-16s %2s", "workload", "t");
	for (size_t i = 0; i < o->npolicies; i++)
		fprintf(s->out, " %9s", o->policies[i]);
	fputc('\n', s->out);
	for (size_t w = 0; w < o->nworkloads && !err; w++)
		for (size_t t = 0; t < o->ncounts && !err; t++)
			if (o->counts[t] >= o->workloads[w]->min_threads)
				err = sweep_one(s, o->workloads[w], (unsigned)o->counts[t]);
	gang_destroy(s->gang);
	return err;
}

static int draw(const struct sweep *s, const char *dir)
{
	int err = plot_sweep(dir, report_machine(), s->points, s->n);

	if (err)
		cli_complain(err == -ENOENT ? "install gnuplot-nox, then run gnuplot throughput.gp there" : NULL,
			     "no plots in %s: %s", dir, strerror(-err));
	else
		fprintf(s->out, "plots: %s/throughput.png, .svg, and one per workload\n", dir);
	return err;
}

int sweep_main(int argc, char **argv)
{
	struct options o = { .reps = 7, .block_ms = 20, .seed = 1, .out = "bench-sweep" };
	struct sweep s = { .o = &o };
	char path[4096];
	struct json *j;
	int err, code;

	options_parse(&command, argc, argv, &o);
	set_defaults(&o);
	s.out = report_text(o.json);
	s.points = calloc(o.npolicies * o.nworkloads * o.ncounts, sizeof(*s.points));
	CHECK(s.points != NULL);
	j = report_begin("sweep");
	json_uint(j, "reps", o.reps);
	json_real(j, "block_ms", o.block_ms);
	json_bool(j, "bytes", o.bytes);
	json_uint(j, "seed", o.seed);
	s.rows = json_array(j, "rows");
	err = sweep_all(&s);
	json_uint(j, "dropped", s.dropped);
	if (err || s.n == 0) {
		json_free(j);
		free(s.points);
		return err == -EPROTO || err == -EIO ? CLI_VIOLATION : CLI_USAGE;
	}
	snprintf(path, sizeof(path), "%s/sweep.json", o.out);
	if (json_write(j, path) != 0)
		cli_complain(NULL, "cannot write %s", path);
	err = draw(&s, o.out);
	fprintf(s.out, "%s\n", report_machine());
	code = report_end(j, o.json);
	free(s.points);
	return err ? CLI_USAGE : code;
}
