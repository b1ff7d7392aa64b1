/* SPDX-License-Identifier: MIT */
/* ratio.c - `vmmap-bench ratio`: one workload under two policies. */
#include <errno.h>
#include <string.h>

#include "base/tool/cli.h"
#include "bench/commands.h"
#include "bench/compare.h"
#include "bench/options.h"
#include "bench/report.h"

static const short keys[] = { OPT_WORKLOAD, OPT_A,     OPT_B,	 OPT_THREADS, OPT_PAIRS, OPT_BLOCK,
			      OPT_BLOCK_MS, OPT_BYTES, OPT_SHRINK, OPT_SEED, OPT_JSON,    0 };
static const struct options_command command = {
	keys,
	"Runs one workload under two policies in one process, in blocks in random order, and gives the median "
	"of the paired ratios with a 95 % interval.\v"
	"Examples:\n"
	"  vmmap-bench ratio --workload fault --a vma --b global --threads 2\n"
	"  vmmap-bench ratio --workload local --a vma --b pervma --threads 2 --pairs 31 --json -\n"
	"  vmmap-bench ratio --workload fault --a vma --b rwsem --bytes --shrink 6\n"
	"Exit code: 0; 1 if the engine's counters do not bear out an arm's rate; 2 if it could not run.",
};

static int write_json(const struct options *o, const struct compare_result *r)
{
	struct json *j = report_begin("ratio"), *rounds;

	json_text(j, "workload", o->workload->name);
	json_text(j, "a", o->a);
	json_text(j, "b", o->b);
	json_text(j, "b_used", r->b_used);
	json_uint(j, "threads", o->threads);
	json_bool(j, "bytes", o->bytes);
	json_uint(j, "shrink", o->shrink);
	json_real(j, "block_ms", o->block_ms);
	json_uint(j, "seed", o->seed);
	json_uint(j, "pairs", r->pairs);
	json_uint(j, "dropped", r->dropped);
	json_bool(j, "noisy", r->noisy);
	report_interval(j, "median", r->ratio);
	json_uint(j, "a_ops", r->ops[0]);
	json_uint(j, "b_ops", r->ops[1]);
	json_real(j, "a_rate", r->rate[0].median);
	json_real(j, "b_rate", r->rate[1].median);
	rounds = json_array(j, "rounds");
	for (unsigned i = 0; i < r->pairs; i++) {
		struct json *row = json_row(rounds);

		json_real(row, "ratio", r->ratios[i]);
		json_uint(row, "switches", r->round[i].switches);
		json_uint(row, "steal_ticks", r->round[i].steal);
	}
	return report_end(j, o->json);
}

int ratio_main(int argc, char **argv)
{
	struct options o = { .a = "vma", .b = "global", .threads = 2, .pairs = 15, .block_ms = 20, .seed = 1 };
	struct compare_result r;
	struct compare c;
	int err, code;

	options_parse(&command, argc, argv, &o);
	if (!o.workload)
		cli_die("for example --workload=fault; --workload=help lists them", "which workload?");
	c = (struct compare){ .workload = o.workload,
			      .a = o.a,
			      .b = o.b,
			      .threads = o.threads,
			      .pairs = o.pairs,
			      .block_ms = o.block_ms,
			      .bytes = o.bytes,
			      .shrink = o.shrink,
			      .seed = o.seed,
			      .gang = gang_create(o.threads) };
	err = compare_ratio(&c, &r);
	gang_destroy(c.gang);
	if (err)
		return err == -EPROTO || err == -EIO ? CLI_VIOLATION : CLI_USAGE;
	fprintf(report_text(o.json),
		"%s, %u thread%s: %s / %s%s%s%s = %.3f [%.3f, %.3f]   (%u pairs, %u dropped%s; %.3g and %.3g "
		"ops/s)\n%s\n",
		o.workload->name, o.threads, o.threads == 1 ? "" : "s", o.a, o.b, strcmp(o.b, r.b_used) ? " (" : "",
		strcmp(o.b, r.b_used) ? r.b_used : "", strcmp(o.b, r.b_used) ? ")" : "", r.ratio.median, r.ratio.lo,
		r.ratio.hi, r.pairs, r.dropped, r.noisy ? ", NOISY" : "", r.rate[0].median, r.rate[1].median,
		report_machine());
	code = write_json(&o, &r);
	compare_free(&r);
	return code;
}
