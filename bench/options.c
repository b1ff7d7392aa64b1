/* SPDX-License-Identifier: MIT */
/* options.c - see options.h. */
#include "bench/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmmap/vmmap.h>

#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/op.h"

static const struct argp_option all[] = {
	{ "workload", OPT_WORKLOAD, "NAME", 0, "Workload (a profile); 'help' lists them", 0 },
	{ "a", OPT_A, "POLICY", 0, "The arm above the line", 0 },
	{ "b", OPT_B, "POLICY", 0, "The arm below; 'global' = the better of rwlock and rwsem", 0 },
	{ "policy", OPT_POLICY, "POLICY", 0, "Locking policy; 'help' lists them", 0 },
	{ "threads", OPT_THREADS, "N", 0, "Measuring threads", 0 },
	{ "pairs", OPT_PAIRS, "N", 0, "Undisturbed pairs wanted", 0 },
	{ "block", OPT_BLOCK, "DURATION", 0, "Length of a measured block (20ms)", 0 },
	{ "block-ms", OPT_BLOCK_MS, "MS", 0, "The same, in milliseconds", 0 },
	{ "bytes", OPT_BYTES, NULL, 0, "Frames with contents, zeroed at each fault (else metadata only)", 0 },
	{ "shrink", OPT_SHRINK, "N", 0, "Sizes of the workload / 2^N (with --bytes, 6 keeps frames in the cache)", 0 },
	{ "from", OPT_FROM, "N", 0, "Threads below the line (1)", 0 },
	{ "to", OPT_TO, "N", 0, "Threads above the line (2)", 0 },
	{ "hold-ms", OPT_HOLD_MS, "MS", 0, "How long the writer holds its range each time", 0 },
	{ "duration", OPT_DURATION, "DURATION", 0, "Time to spend (10s, 2m)", 0 },
	{ "op", OPT_OP, "NAME", 0, "Operation; 'help' lists them", 0 },
	{ "count", OPT_COUNT, "N", 0, "How often", 0 },
	{ "vmas", OPT_VMAS, "N,...", 0, "Numbers of VMAs", 0 },
	{ "segments", OPT_SEGMENTS, "N,...", 0, "Numbers of physical segments", 0 },
	{ "lookups", OPT_LOOKUPS, "N,...", 0, "Numbers of lookups", 0 },
	{ "workloads", OPT_WORKLOADS, "NAME,...", 0, "Workloads", 0 },
	{ "policies", OPT_POLICIES, "NAME,...", 0, "Policies", 0 },
	{ "threads", OPT_COUNTS, "N,...", 0, "Numbers of threads", 0 },
	{ "filter", OPT_FILTER, "REGEX", 0, "Only cases whose name matches", 0 },
	{ "reps", OPT_REPS, "N", 0, "Repetitions", 0 },
	{ "only", OPT_ONLY, "TEXT", 0, "Only bars, or parts, whose name contains TEXT", 0 },
	{ "out", OPT_OUT, "DIR", 0, "Where pictures and data go", 0 },
	{ "seed", OPT_SEED, "N", 0, "Seed of the order and of the workload (1)", 0 },
	{ "json", OPT_JSON, "FILE", 0, "Also write one JSON object ('-': standard output, and nothing else there)", 0 },
	{ 0 },
};

static _Noreturn void list_policies(void)
{
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		printf("%-10s %s\n", vmmap_policy_name(i), vmmap_policy_idea(i));
	exit(CLI_OK);
}

static _Noreturn void list_workloads(void)
{
	for (unsigned i = 0; profile_at(i); i++)
		if (profile_at(i)->evidence)
			printf("%-17s %s\n", profile_at(i)->name, profile_at(i)->idea);
	exit(CLI_OK);
}

static _Noreturn void list_ops(void)
{
	for (unsigned i = 0; op_at(i); i++)
		printf("%-17s %s\n", op_at(i)->name, op_at(i)->what);
	exit(CLI_OK);
}

const char *options_policy(const char *option, const char *name)
{
	if (strcmp(name, "help") == 0)
		list_policies();
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		if (strcmp(vmmap_policy_name(i), name) == 0)
			return vmmap_policy_name(i);
	cli_die("'--policy=help' lists them", "%s: no policy '%s'", option, name);
}

static const struct profile *workload(const char *option, const char *name)
{
	const struct profile *p;

	if (strcmp(name, "help") == 0)
		list_workloads();
	p = profile_find(name);
	if (!p)
		cli_die("'--workload=help' lists them", "%s: no workload '%s'", option, name);
	if (!p->evidence)
		cli_die("'vmmap-bench physmem --only allocator' measures frames",
			"%s: no counter of a map bears out '%s'", option, name);
	return p;
}

static const char *operation(const char *name)
{
	if (strcmp(name, "help") == 0)
		list_ops();
	if (!op_find(name))
		cli_die("'--op=help' lists them", "--op: no operation '%s'", name);
	return name;
}

static size_t parse_numbers(const char *option, char *arg, uint64_t most, uint64_t *out)
{
	char *text[OPTIONS_LIST];
	size_t n = cli_list(option, arg, text, OPTIONS_LIST);

	for (size_t i = 0; i < n; i++)
		out[i] = cli_count(option, text[i], 1, most);
	return n;
}

static void parse_names(int key, char *arg, struct options *o)
{
	char *text[OPTIONS_LIST];

	if (key == OPT_POLICIES) {
		o->npolicies = cli_list("--policies", arg, text, OPTIONS_LIST);
		for (size_t i = 0; i < o->npolicies; i++)
			o->policies[i] = options_policy("--policies", text[i]);
	} else {
		o->nworkloads = cli_list("--workloads", arg, text, OPTIONS_LIST);
		for (size_t i = 0; i < o->nworkloads; i++)
			o->workloads[i] = workload("--workloads", text[i]);
	}
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_WORKLOAD:  o->workload = workload("--workload", arg); break;
	case OPT_A:         o->a = options_policy("--a", arg); break;
	case OPT_B:         o->b = strcmp(arg, "global") == 0 ? "global" : options_policy("--b", arg); break;
	case OPT_POLICY:    o->policy = options_policy("--policy", arg); break;
	case OPT_THREADS:   o->threads = (unsigned)cli_count("--threads", arg, 1, PROFILE_CREW_MAX); break;
	case OPT_PAIRS:     o->pairs = (unsigned)cli_count("--pairs", arg, 1, 500); break;
	case OPT_BLOCK:     o->block_ms = (double)cli_duration("--block", arg) / 1e6; break;
	case OPT_BLOCK_MS: o->block_ms = cli_real("--block-ms", arg, 0.1, 10000); break;
	case OPT_BYTES:     o->bytes = true; break;
	case OPT_SHRINK:    o->shrink = (unsigned)cli_count("--shrink", arg, 0, 12); break;
	case OPT_FROM:      o->from = (unsigned)cli_count("--from", arg, 1, PROFILE_CREW_MAX); break;
	case OPT_TO:        o->to = (unsigned)cli_count("--to", arg, 1, PROFILE_CREW_MAX); break;
	case OPT_HOLD_MS:      o->hold_ms = cli_real("--hold-ms", arg, 0.01, 10000); break;
	case OPT_DURATION:  o->duration_ns = cli_duration("--duration", arg); break;
	case OPT_OP:        o->op = operation(arg); break;
	case OPT_COUNT:     o->count = cli_count("--count", arg, 1, UINT64_C(1) << 40); break;
	case OPT_REPS:      o->reps = (unsigned)cli_count("--reps", arg, 1, 100); break;
	case OPT_VMAS:      o->nvmas = parse_numbers("--vmas", arg, 4000000, o->vmas); break;
	case OPT_SEGMENTS:  o->nsegments = parse_numbers("--segments", arg, 1000000, o->segments); break;
	case OPT_LOOKUPS:   o->nlookups = parse_numbers("--lookups", arg, 1000000000, o->lookups); break;
	case OPT_COUNTS:    o->ncounts = parse_numbers("--threads", arg, PROFILE_CREW_MAX, o->counts); break;
	case OPT_WORKLOADS: parse_names(key, arg, o); break;
	case OPT_POLICIES:  parse_names(key, arg, o); break;
	case OPT_FILTER:    o->filter = arg; break;
	case OPT_ONLY:      o->only = arg; break;
	case OPT_OUT:       o->out = arg; break;
	case OPT_SEED:      o->seed = cli_seed("--seed", arg); break;
	case OPT_JSON:      o->json = arg; break;
	default:            return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static bool takes(const struct options_command *command, int key)
{
	for (const short *k = command->keys; *k; k++)
		if (*k == key)
			return true;
	return false;
}

void options_parse(const struct options_command *command, int argc, char **argv, struct options *o)
{
	struct argp_option mine[ARRAY_SIZE(all)];
	struct argp argp = { .options = mine, .parser = parse_one, .doc = command->doc };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all) - 1; i++)
		if (takes(command, all[i].key))
			mine[n++] = all[i];
	mine[n] = all[ARRAY_SIZE(all) - 1];
	cli_parse(&argp, argc, argv, o);
}
