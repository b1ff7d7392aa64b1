/* SPDX-License-Identifier: MIT */
/* micro.c - `vmmap-bench micro`: single operations under Google Benchmark. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmmap/vmmap.h>

#include "base/assert.h"
#include "base/tool/cli.h"
#include "bench/commands.h"
#include "bench/gbench.h"
#include "bench/noise.h"
#include "bench/op.h"
#include "bench/options.h"

static const short keys[] = { OPT_POLICIES, OPT_COUNTS, OPT_VMAS, OPT_FILTER, OPT_REPS,
			      OPT_DURATION, OPT_OP,	OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Times single operations: OPERATION/POLICY/threads:N. Times are context, never a bar: compare policies "
	"in one run, or use `ratio`. --duration is the time per case (50ms); --vmas how many VMAs lookups and "
	"gap searches meet.\v"
	"Examples:\n"
	"  vmmap-bench micro --policies vma,rwsem --filter 'fault|mmap'\n"
	"  vmmap-bench micro --policies vma --threads 1,2 --reps 5 --json micro.json\n"
	"  vmmap-bench micro --op=help\n"
	"Exit code: 0; 2 if no case matches. A case that fails is told in its line.",
};

struct micro { const struct op *op; struct op_env env; };

static int micro_setup(void *ctx, int threads)
{
	struct micro *m = ctx;

	m->env.threads = (unsigned)threads;
	return op_open(m->op, &m->env);
}

static void micro_teardown(void *ctx)
{
	op_close(&((struct micro *)ctx)->env);
}

static void micro_run(struct gbench_state *state, void *ctx)
{
	struct micro *m = ctx;
	const struct op *op = m->op;
	struct op_thread *t = &m->env.thread[gbench_thread(state)];

	noise_pin((unsigned)gbench_thread(state));
	while (gbench_next(state, (int64_t)op->batch)) {
		int err = op->run(&m->env, t, op->batch);

		if (!err && op->again) {
			gbench_pause(state);
			err = op->again(&m->env, t, op->batch);
			gbench_resume(state);
		}
		if (err) {
			gbench_fail(state, strerror(-err));
			return;
		}
	}
}

static void add_case(const struct op *op, const char *policy, unsigned threads, const struct options *o)
{
	struct gbench_case c = { .run = micro_run,
				 .setup = micro_setup,
				 .teardown = micro_teardown,
				 .threads = (int)threads,
				 .repetitions = (int)o->reps };
	struct micro *m = aligned_alloc(128, sizeof(*m));
	char name[96];

	CHECK(m != NULL);
	memset(m, 0, sizeof(*m));
	m->op = op;
	m->env.policy = policy;
	m->env.vmas = o->vmas[0];
	snprintf(name, sizeof(name), "%s/%s", op->name, policy);
	c.name = name;
	c.ctx = m;                               /* lives as long as the program: so does the registered case      */
	if (gbench_add(&c) != 0)
		cli_die("fewer --policies or --threads", "more than %d cases", GBENCH_MOST);
}

static void add_cases(const char *policy, bool many, const struct options *o)
{
	for (unsigned i = 0; op_at(i); i++) {
		const struct op *op = op_at(i);

		if (o->op && strcmp(o->op, op->name) != 0)
			continue;
		for (size_t k = 0; k < o->ncounts; k++)
			if (o->counts[k] == 1 || (many && (!op->most_threads || o->counts[k] <= op->most_threads)))
				add_case(op, policy, (unsigned)o->counts[k], o);
	}
}

int micro_main(int argc, char **argv)
{
	struct options o = {
		.reps = 1, .duration_ns = 50000000, .vmas = { 65536 }, .counts = { 1 }, .nvmas = 1, .ncounts = 1
	};

	options_parse(&command, argc, argv, &o);
	for (unsigned i = 0; vmmap_policy_name(i); i++) {
		bool wanted = o.npolicies == 0;

		for (size_t k = 0; k < o.npolicies; k++)
			wanted = wanted || strcmp(o.policies[k], vmmap_policy_name(i)) == 0;
		if (wanted)
			add_cases(vmmap_policy_name(i), vmmap_policy_threads(i) != 0, &o);
	}
	if (gbench_run(o.filter ? o.filter : ".", (double)o.duration_ns / 1e9, o.json) == 0)
		cli_die("--op=help lists the operations", "no case matches '%s'", o.filter ? o.filter : ".");
	return CLI_OK;
}
