/* SPDX-License-Identifier: MIT */
/* options.c - see options.h. */
#include "bench/manycore/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/manycore/spin.h"
#include "stress/profile.h"
#include "vmmap/vmmap.h"

/* One access with the two or three instructions around it; a locked instruction on x86 is some 20 cycles. Fitted to
 * the times of one thread on this code (`vmmap-manycore validate` prints what is left over). */
#define COMPUTE .access = 800, .rmw = 5600, .pause = 14000, .syscall = 300000, .wake = 3000000, .poke = 500000, \
		.interrupt = 800000, .quantum = 200000

static const struct { const char *name; struct turn_costs costs; } scenario[] = {
	{ "50",  { .line = { 30000, 50000, 80000, 32 }, COMPUTE } },
	{ "100", { .line = { 50000, 100000, 90000, 32 }, COMPUTE } },
	{ "250", { .line = { 100000, 250000, 120000, 32 }, COMPUTE } },
};

static const struct argp_option all[] = {
	{ "policy", 'p', "POLICY", 0, "Locking policy (vma); 'help' lists them", 0 },
	{ "profile", 'f', "PROFILE", 0, "Workload (fault); 'help' lists them", 0 },
	{ "cores", 'n', "N", 0, "Logical cores, 1 to 1024 (8)", 0 },
	{ "policies", 'P', "NAME,...", 0, "Policies (all that can be simulated)", 0 },
	{ "profiles", 'F', "NAME,...", 0, "Profiles (all)", 0 },
	{ "most", 'm', "N", 0, "Cores: 1, 2, 4 ... up to N (1024)", 0 },
	{ "counts", 'N', "N,...", 0, "Cores: these", 0 },
	{ "ops", 'o', "N", 0, "Operations a core in the window (10000, beyond 128 cores 1000)", 0 },
	{ "seconds", 't', "S", 0, "CPU time of a point: fewer operations where it would take longer (no limit)", 0 },
	{ "costs", 'c', "NAME", 0, "Transfer across sockets in ns: 50, 100 (default) or 250", 0 },
	{ "socket", 'k', "N", 0, "Cores of a socket (32)", 0 },
	{ "quantum", 'q', "NS", 0, "How far a core may run ahead of the others in hits (200)", 0 },
	{ "rounds", 'R', NULL, 0, "Play each round of a spin, also where nothing is seen in it", 0 },
	{ "shrink", 'z', "N", 0, "Sizes of the profile / 2^N (by the number of cores)", 0 },
	{ "warm", 'w', "N", 0, "Warm-up blocks at most (24)", 0 },
	{ "seed", 's', "N", 0, "Seed of the workload (1)", 0 },
	{ "jobs", 'j', "N", 0, "Processes at a time (2)", 0 },
	{ "out", 'd', "DIR", 0, "Where data and pictures go", 0 },
	{ "fresh", 'x', NULL, 0, "Also run the points that another program measured", 0 },
	{ "better", 'b', NULL, 0, "Also run the points that have fewer operations than asked for, or are not steady, "
	  "if --seconds or --warm now allow more", 0 },
	{ "json", 'J', "FILE", 0, "Also write one JSON object ('-': standard output, and nothing else there)", 0 },
	{ 0 },
};

static const char *policy(const char *option, const char *name)
{
	if (strcmp(name, "help") == 0) {
		for (unsigned i = 0; vmmap_policy_name(i); i++)
			printf("%-10s %s\n", vmmap_policy_name(i), vmmap_policy_idea(i));
		exit(CLI_OK);
	}
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		if (strcmp(vmmap_policy_name(i), name) == 0)
			return vmmap_policy_name(i);
	cli_die("'--policy=help' lists them", "%s: no policy '%s'", option, name);
}

static const char *profile(const char *option, const char *name)
{
	const struct profile *found;

	if (strcmp(name, "help") == 0) {
		for (unsigned i = 0; profile_at(i); i++)
			printf("%-17s %s\n", profile_at(i)->name, profile_at(i)->idea);
		exit(CLI_OK);
	}
	found = profile_find(name);
	if (found == NULL)
		cli_die("'--profile=help' lists them", "%s: no profile '%s'", option, name);
	return found->name;
}

static void set_costs(struct options *o, const char *name)
{
	struct turn_costs before = o->m.costs;

	for (unsigned i = 0; i < ARRAY_SIZE(scenario); i++) {
		if (strcmp(name, scenario[i].name) != 0)
			continue;
		o->m.costs = scenario[i].costs;
		o->costs = scenario[i].name;
		if (before.access != 0) {                /* --quantum and --socket may stand before */
			o->m.costs.quantum = before.quantum;
			o->m.costs.line.cores_per_socket = before.line.cores_per_socket;
		}
		return;
	}
	cli_die("50, 100 or 250", "--costs: no scenario '%s'", name);
}

const char *options_costs_name(unsigned i)
{
	return i < ARRAY_SIZE(scenario) ? scenario[i].name : NULL;
}

const struct turn_costs *options_costs(unsigned i)
{
	return &scenario[i].costs;
}

bool options_simulated(const char *name, uint32_t cores)
{
	if (strcmp(name, "rwlock") == 0)
		return false;
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		if (strcmp(vmmap_policy_name(i), name) == 0)
			return cores == 1 || vmmap_policy_threads(i);
	return false;
}

/* The default one first, then its rivals, the global locks before those that cost most; others after these. */
static const char *const order[] = {
	"vma", "rwsem", "pervma", "vma-count", "spf", "pt-lock", "range-tree", "range-list", "fine-lock", "checked",
};

void options_all_policies(struct options *o, uint32_t cores)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		o->policies[o->npolicies++] = order[i];
	for (unsigned i = 0; vmmap_policy_name(i) && o->npolicies < OPTIONS_MOST; i++) {
		const char *name = vmmap_policy_name(i);
		bool there = !options_simulated(name, cores);

		for (size_t k = 0; k < o->npolicies; k++)
			there |= strcmp(o->policies[k], name) == 0;
		if (!there)
			o->policies[o->npolicies++] = name;
	}
}

uint64_t options_ops(const struct options *o, uint32_t cores)
{
	return o->ops != 0 ? o->ops : cores <= 128 ? 10000 : 1000;
}

static error_t one(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *text[OPTIONS_MOST];

	switch (key) {
	case 'p': o->m.policy = policy("--policy", arg); return 0;
	case 'f': o->m.profile = profile("--profile", arg); return 0;
	case 'n': o->m.cores = (uint32_t)cli_count("--cores", arg, 1, PROFILE_THREADS_MAX); return 0;
	case 'P':
		o->npolicies = cli_list("--policies", arg, text, OPTIONS_MOST);
		for (size_t i = 0; i < o->npolicies; i++)
			o->policies[i] = policy("--policies", text[i]);
		return 0;
	case 'F':
		o->nprofiles = cli_list("--profiles", arg, text, OPTIONS_MOST);
		for (size_t i = 0; i < o->nprofiles; i++)
			o->profiles[i] = profile("--profiles", text[i]);
		return 0;
	case 'm': o->most = cli_count("--most", arg, 1, PROFILE_THREADS_MAX); return 0;
	case 'N':
		o->ncounts = cli_list("--counts", arg, text, OPTIONS_MOST);
		for (size_t i = 0; i < o->ncounts; i++)
			o->counts[i] = (uint32_t)cli_count("--counts", text[i], 1, PROFILE_THREADS_MAX);
		return 0;
	case 'o': o->ops = cli_count("--ops", arg, 1, 100000000); return 0;
	case 't': o->seconds = (double)cli_count("--seconds", arg, 1, 1000000); return 0;
	case 'c': set_costs(o, arg); return 0;
	case 'k': o->m.costs.line.cores_per_socket = (uint32_t)cli_count("--socket", arg, 1, 2048); return 0;
	case 'q': o->m.costs.quantum = cli_count("--quantum", arg, 0, 1000000) * TURN_PS; return 0;
	case 'R': spin_played = true; return 0;
	case 'z': o->m.shrink = (unsigned)cli_count("--shrink", arg, 0, 12); return 0;
	case 'w': o->m.warm_most = (unsigned)cli_count("--warm", arg, 0, 1000); return 0;
	case 's': o->m.seed = cli_seed("--seed", arg); return 0;
	case 'j': o->jobs = (unsigned)cli_count("--jobs", arg, 1, 64); return 0;
	case 'd': o->out = arg; return 0;
	case 'x': o->fresh = true; return 0;
	case 'b': o->better = true; return 0;
	case 'J': o->json = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

void options_parse(const char *letters, const char *doc, int argc, char **argv, struct options *o)
{
	struct argp_option taken[ARRAY_SIZE(all)];
	struct argp argp = { .options = taken, .parser = one, .doc = doc };
	size_t n = 0;

	*o = (struct options){
		.m = { .policy = "vma", .profile = "fault", .cores = 8, .seed = 1, .shrink = MEASURE_SHRINK,
		       .warm_most = 24 },
		.most = 1024, .jobs = 2,
	};
	set_costs(o, "100");
	for (size_t i = 0; i < ARRAY_SIZE(all) - 1; i++)
		if (strchr(letters, all[i].key) != NULL)
			taken[n++] = all[i];
	taken[n] = (struct argp_option){ 0 };
	cli_parse(&argp, argc, argv, o);
}
