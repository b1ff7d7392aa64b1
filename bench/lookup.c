/* SPDX-License-Identifier: MIT */
/* lookup.c - `vmmap-bench lookup`: the VMA tree against bsearch(3). See world.h. */
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/tool/cli.h"
#include "bench/commands.h"
#include "bench/lookup.h"
#include "bench/noise.h"
#include "bench/options.h"
#include "bench/report.h"

static const short keys[] = { OPT_VMAS, OPT_PAIRS, OPT_BLOCK, OPT_BLOCK_MS, OPT_SEED, OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Address to VMA pointer in the tree, under RCU, bounds checked, the VMA itself not read; beside it "
	"libc's bsearch() over a sorted array of the same starts. Ratios of times, so below 1 is faster than "
	"bsearch. dependent: the next address waits for this result; independent: lookups overlap. scaling2: "
	"two threads over one. insert_erase: one insert or one erase over one dependent bsearch.\v"
	"Examples:\n"
	"  vmmap-bench lookup\n"
	"  vmmap-bench lookup --vmas 65536 --pairs 31 --json -\n"
	"Exit code: 0; 1 if a look-up finds another VMA than it should; 2 if it could not run.",
};

enum { TREE_DEP, ARRAY_DEP, TREE_IND, ARRAY_IND };

static int run(struct pairs_arm *arms, unsigned n, const struct lookup_plan *p, const char *label,
	       struct pairs_result *got)
{
	struct pairs_plan plan = { .arms = n,
				   .pairs = p->pairs,
				   .seed = p->seed,
				   .steal_limit = 1,
				   .switch_limit = 2 * n,
				   .progress = report_pairs,
				   .progress_ctx = (char *)label,
				   .deadline_ns = p->deadline_ns };

	for (unsigned i = 0; i < n; i++)
		plan.arm[i] = arms[i];
	return pairs_run(&plan, got);
}

/* Times, not rates: what a takes over what b takes. */
static struct stats_interval time_ratio(const struct pairs_result *got, unsigned a, unsigned b)
{
	return pairs_ratio(got, b, a);
}

static void set_arms(struct world_arm *w, struct pairs_arm *arms, struct world *world, const struct lookup_plan *p)
{
	static const struct { const char *name; enum world_kind kind; int dependent; } four[] = {
		{ "tree, dependent", WORLD_TREE, 1 }, { "bsearch, dependent", WORLD_ARRAY, 1 },
		{ "tree, independent", WORLD_TREE, 0 }, { "bsearch, independent", WORLD_ARRAY, 0 },
	};

	for (unsigned i = 0; i < 4; i++) {
		w[i] = (struct world_arm){ .world = world,
					   .kind = four[i].kind,
					   .dependent = four[i].dependent,
					   .threads = 1,
					   .ms = p->block_ms,
					   .gang = p->gang };
		arms[i] = (struct pairs_arm){ four[i].name, world_block, &w[i] };
	}
}

static int measure(struct world *world, const struct lookup_plan *p, struct lookup_row *row)
{
	struct world_arm w[4];
	struct pairs_arm arms[4];
	struct pairs_result got;
	int err;

	set_arms(w, arms, world, p);
	err = run(arms, 4, p, "lookups in one thread", &got);
	if (err)
		return err;
	row->dependent = time_ratio(&got, TREE_DEP, ARRAY_DEP);
	row->independent = time_ratio(&got, TREE_IND, ARRAY_IND);
	row->tree_ns = 1e9 / pairs_rate(&got, TREE_DEP).median;
	row->array_ns = 1e9 / pairs_rate(&got, ARRAY_DEP).median;
	row->dropped = got.dropped;
	pairs_free(&got);

	/* arms 2 and 3 become the first two in two threads */
	w[2].dependent = w[3].dependent = 1;
	w[2].threads = w[3].threads = 2;
	err = run(arms, 4, p, "lookups in two threads", &got);
	if (err)
		return err;
	row->scaling2 = pairs_ratio(&got, 2, 0);
	row->array_scaling2 = pairs_ratio(&got, 3, 1);
	row->dropped += got.dropped;
	pairs_free(&got);

	w[0].kind = WORLD_EDIT;
	arms[0].name = "insert and erase";
	err = run(arms, 2, p, "inserts and erases", &got);
	if (err)
		return err;
	row->insert_erase = time_ratio(&got, 0, 1);
	row->dropped += got.dropped;
	pairs_free(&got);
	return 0;
}

int lookup_measure(const struct lookup_plan *plan, uint64_t vmas, struct lookup_row *row)
{
	struct world *world;
	int err;

	memset(row, 0, sizeof(*row));
	row->vmas = vmas;
	report_progress("lookup: building a tree of %llu", (unsigned long long)vmas);
	err = world_create(&world, vmas, plan->seed);
	if (!err) {
		err = measure(world, plan, row);
		world_destroy(world);
	}
	report_progress_end();
	if (err)
		cli_complain(NULL, "lookup among %llu VMAs: %s", (unsigned long long)vmas, strerror(-err));
	return err;
}

static void put_row(struct json *rows, const struct lookup_row *r)
{
	struct json *j = json_row(rows);

	json_uint(j, "vmas", r->vmas);
	json_real(j, "dependent_ratio", r->dependent.median);
	json_real(j, "dependent_lo", r->dependent.lo);
	json_real(j, "dependent_hi", r->dependent.hi);
	json_real(j, "independent_ratio", r->independent.median);
	json_real(j, "independent_lo", r->independent.lo);
	json_real(j, "independent_hi", r->independent.hi);
	json_real(j, "scaling2", r->scaling2.median);
	json_real(j, "array_scaling2", r->array_scaling2.median);
	json_real(j, "insert_erase_ratio", r->insert_erase.median);
	json_real(j, "insert_erase_lo", r->insert_erase.lo);
	json_real(j, "insert_erase_hi", r->insert_erase.hi);
	json_real(j, "tree_ns", r->tree_ns);
	json_real(j, "bsearch_ns", r->array_ns);
	json_uint(j, "dropped", r->dropped);
}

int lookup_main(int argc, char **argv)
{
	struct options o = { .pairs = 15, .block_ms = 10, .seed = 1, .vmas = { 1000, 65536, 1000000 }, .nvmas = 3 };
	struct lookup_plan plan;
	struct json *j, *rows;
	FILE *out;
	int err = 0;

	options_parse(&command, argc, argv, &o);
	out = report_text(o.json);
	plan = (struct lookup_plan){ .pairs = o.pairs, .block_ms = o.block_ms, .seed = o.seed, .gang = gang_create(2) };
	j = report_begin("lookup");
	json_uint(j, "pairs", o.pairs);
	rows = json_array(j, "rows");
	fprintf(out, "time of the tree / time of bsearch() (median [95 %% interval]); scaling = two threads / one\n"
		"%9s  %-22s %-22s %8s %8s  %-22s\n", "VMAs", "dependent", "independent", "tree x2", "array x2",
		"insert or erase");
	for (size_t i = 0; i < o.nvmas && !err; i++) {
		struct lookup_row r;

		err = lookup_measure(&plan, o.vmas[i], &r);
		if (err)
			break;
		put_row(rows, &r);
		fprintf(out,
			"%9llu  %.3f [%.3f, %.3f]   %.3f [%.3f, %.3f]   %8.2f %8.2f  %.3f [%.3f, %.3f]"
			"   (%.0f ns / %.0f ns)\n",
			(unsigned long long)r.vmas, r.dependent.median, r.dependent.lo, r.dependent.hi,
			r.independent.median, r.independent.lo, r.independent.hi, r.scaling2.median,
			r.array_scaling2.median, r.insert_erase.median, r.insert_erase.lo, r.insert_erase.hi, r.tree_ns,
			r.array_ns);
		fflush(out);
	}
	gang_destroy(plan.gang);
	if (err) {
		json_free(j);
		return err == -EPROTO ? CLI_VIOLATION : CLI_USAGE;
	}
	fprintf(out, "%s\n", report_machine());
	return report_end(j, o.json);
}
