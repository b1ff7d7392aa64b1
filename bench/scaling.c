/* SPDX-License-Identifier: MIT */
/* scaling.c - `vmmap-bench scaling`: one workload from few threads to more, beside the same without sharing. */
#include <errno.h>

#include "base/tool/cli.h"
#include "bench/commands.h"
#include "bench/compare.h"
#include "bench/options.h"
#include "bench/report.h"

static const short keys[] = { OPT_WORKLOAD, OPT_POLICY, OPT_FROM, OPT_TO,   OPT_PAIRS, OPT_BLOCK,
			      OPT_BLOCK_MS, OPT_BYTES, OPT_SHRINK,	OPT_SEED, OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Rate at --to threads over rate at --from, in paired blocks; and the same for `none`, where each "
	"thread has a map of its own: what this machine gives to threads that share nothing.\v"
	"Examples:\n"
	"  vmmap-bench scaling --workload fault --policy vma\n"
	"  vmmap-bench scaling --workload mprotect --policy rwsem --from 1 --to 2 --json -\n"
	"Exit code: 0; 1 if the engine's counters do not bear out an arm's rate; 2 if it could not run.",
};

static int write_json(const struct options *o, const struct compare_result *r)
{
	struct json *j = report_begin("scaling");

	json_text(j, "workload", o->workload->name);
	json_text(j, "policy", o->policy);
	json_uint(j, "from", o->from);
	json_uint(j, "to", o->to);
	json_uint(j, "pairs", r->pairs);
	json_uint(j, "dropped", r->dropped);
	json_bool(j, "noisy", r->noisy);
	report_interval(j, "median", r->ratio);
	json_real(j, "none_median", r->other.median);
	json_real(j, "none_lo", r->other.lo);
	json_real(j, "none_hi", r->other.hi);
	json_real(j, "against_none", r->against.median);
	json_real(j, "against_none_lo", r->against.lo);
	json_real(j, "against_none_hi", r->against.hi);
	json_uint(j, "from_ops", r->ops[0]);
	json_uint(j, "to_ops", r->ops[1]);
	return report_end(j, o->json);
}

int scaling_main(int argc, char **argv)
{
	struct options o = { .policy = "vma", .from = 1, .to = 2, .pairs = 15, .block_ms = 20, .seed = 1 };
	struct compare_result r;
	struct compare c;
	int err, code;

	options_parse(&command, argc, argv, &o);
	if (!o.workload)
		cli_die("for example --workload=fault; --workload=help lists them", "which workload?");
	c = (struct compare){ .workload = o.workload, .a = o.policy, .b = "none", .threads = o.to, .pairs = o.pairs,
			      .block_ms = o.block_ms, .bytes = o.bytes, .shrink = o.shrink, .seed = o.seed,
			      .gang = gang_create(o.to > o.from ? o.to : o.from) };
	err = compare_scaling(&c, o.from, o.to, &r);
	gang_destroy(c.gang);
	if (err)
		return err == -EPROTO || err == -EIO ? CLI_VIOLATION : CLI_USAGE;
	fprintf(report_text(o.json),
		"%s from %u to %u threads: %s %.3f [%.3f, %.3f], none on private maps %.3f [%.3f, %.3f]; "
		"one over the other %.3f [%.3f, %.3f]   (%u pairs, %u dropped%s)\n%s\n",
		o.workload->name, o.from, o.to, o.policy, r.ratio.median, r.ratio.lo, r.ratio.hi, r.other.median,
		r.other.lo, r.other.hi, r.against.median, r.against.lo, r.against.hi, r.pairs, r.dropped,
		r.noisy ? ", NOISY" : "", report_machine());
	code = write_json(&o, &r);
	compare_free(&r);
	return code;
}
