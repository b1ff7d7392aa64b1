/* SPDX-License-Identifier: MIT */
/*
 * explore_main.c - vmmap-explore: the command line. What it prints: explore_out.h.
 *
 * It does one of five things (enum doing), and an option that would do nothing there is refused: who gives one believes
 * that it was heard.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/explore/explore_out.h"
#include "bench/explore/order.h"
#include "bench/explore/orders.h"
#include "bench/explore/print.h"
#include "bench/explore/seeds.h"
#include "bench/explore/shrink.h"
#include "bench/explore/weak.h"
#include "bench/explore/weaken.h"
#include "bench/sim/debug.h"
#include "bench/sim/kernel.h"
#include "vmmap/vmmap.h"

#define HUNT_RUNS     100000             /* in each scenario                                                       */
#define SEED_RUNS     20000              /* most take some hundred                                                 */
#define REPLAYS       20                 /* until a run teaches nothing new                                       */

enum { OPT_LIST = 256, OPT_SCENARIO, OPT_STRATEGY, OPT_SEED, OPT_SCHEDULES, OPT_DURATION, OPT_JOBS, OPT_POLICY,
       OPT_EVERYWHERE, OPT_REPLAY, OPT_MUTANT, OPT_MUTANTS, OPT_SEEDS, OPT_WRITE_SEEDS, OPT_COVERAGE, OPT_PROGRESS,
       OPT_JSON, OPT_NAMED, OPT_WEAK, OPT_WEAKEN, OPT_ORDERS, OPT_EXPLORE, OPT_LAST = OPT_EXPLORE };

static const struct argp_option options[] = {
	{ "list", OPT_LIST, NULL, 0, "Scenarios, mutants and policies, then exit", 0 },
	{ "scenario", OPT_SCENARIO, "NAME,...", 0, "Only these (all)", 0 },
	{ "strategy", OPT_STRATEGY, "NAME", 0, "mixed, bounded, pct, random or old (mixed)", 0 },
	{ "seed", OPT_SEED, "N", 0, "Seed of the strategies (1)", 0 },
	{ "schedules", OPT_SCHEDULES, "N", 0, "Distinct schedules over all scenarios (10,000 a scenario); with "
	  "--mutants: runs in each scenario (100,000)", 0 },
	{ "duration", OPT_DURATION, "DURATION", 0, "Stop after that time", 0 },
	{ "jobs", 'j', "N", 0, "Processes at a time (2)", 0 },
	{ "policy", OPT_POLICY, "POLICY", 0, "For scenarios that do not name one (vma)", 0 },
	{ "everywhere", OPT_EVERYWHERE, NULL, 0, "Switch at every access, not only where cores can conflict; with "
	  "--replay: print loads that see nothing new, too", 0 },
	{ "replay", OPT_REPLAY, "SCHEDULE", 0, "Print one schedule of one scenario as an interleaving", 0 },
	{ "mutant", OPT_MUTANT, "NAME", 0, "Break this rule of the engine first", 0 },
	{ "mutants", OPT_MUTANTS, "NAME,...", 0, "Look for these mutants ('all'); exit code 1 if one is not found", 0 },
	{ "named", OPT_NAMED, NULL, 0, "With --mutants: only in the scenarios that are made for them", 0 },
	{ "explore", OPT_EXPLORE, NULL, 0, "With --mutants: explore first, with --schedules and --duration", 0 },
	{ "seeds", OPT_SEEDS, "FILE", 0, "Each mutant of the file must be found again by its seed", 0 },
	{ "write-seeds", OPT_WRITE_SEEDS, "FILE", 0, "With --mutants: write what was found there", 0 },
	{ "weak", OPT_WEAK, NULL, 0, "Loads may see old values, as their memory orders allow; data races fail", 0 },
	{ "weaken", OPT_WEAKEN, "PLACE", 0, "With --weak: \"FILE FUNCTION OPERATION N ORDER\", one use of an atomic "
	  "demands less", 0 },
	{ "orders", OPT_ORDERS, "FILE", 0, "Look for each use of an atomic of the list, weakened (implies --weak)", 0 },
	{ "coverage", OPT_COVERAGE, NULL, 0, "Print who came to lock words, in which states they were, and "
	  "which were never met", 0 },
	{ "progress", OPT_PROGRESS, NULL, 0, "Say on standard error how far it is", 0 },
	{ "json", OPT_JSON, "FILE", 0, "Also write one JSON object ('-': standard output, and nothing else there). "
	  "Its mutants: what --mutants finds; else the kept seed of each, tried again in the scenarios "
	  "explored (all: 2 s); none with --weak or a --mutant", 0 },
	{ 0 },
};

/* What each takes; beside what makes it do that. */
#define TAKES(option) (UINT32_C(1) << (OPT_##option - OPT_LIST))
#define TAKES_RUNS    (TAKES(SCENARIO) | TAKES(POLICY) | TAKES(EVERYWHERE) | TAKES(WEAK))
#define TAKES_MANY    (TAKES(SCHEDULES) | TAKES(DURATION) | TAKES(JOBS) | TAKES(JSON))
#define TAKES_SEARCH  (TAKES_RUNS | TAKES_MANY | TAKES(STRATEGY) | TAKES(SEED))
static const struct { int option; const char *with; uint32_t takes; } doings[] = {
	[EXPLORING] = { 0, "without --mutants",
			TAKES_SEARCH | TAKES(MUTANT) | TAKES(WEAKEN) | TAKES(COVERAGE) | TAKES(PROGRESS) },
	[LISTING] = { OPT_LIST, "with --list", 0 },
	[REPLAYING] = { OPT_REPLAY, "with --replay", TAKES_RUNS | TAKES(MUTANT) | TAKES(WEAKEN) },
	[HUNTING] = { OPT_MUTANTS, "with --mutants", TAKES_SEARCH | TAKES(NAMED) | TAKES(EXPLORE) |
			TAKES(WRITE_SEEDS) },
	[WEAKENING] = { OPT_ORDERS, "with --orders", TAKES_SEARCH | TAKES(WRITE_SEEDS) | TAKES(PROGRESS) },
	[FINDING_AGAIN] = { OPT_SEEDS, "with --seeds, whose lines say all", TAKES_MANY | TAKES(WRITE_SEEDS) },
};

static struct arguments arguments = { .settings = { .seed = 1, .jobs = 2, .until_ns = UINT64_MAX } };

static void choose_scenarios(struct arguments *a, char *text)
{
	char *names[SCENARIOS_MAX];
	size_t n;

	if (strcmp(text, "all") == 0)
		return;
	n = cli_list("--scenario", text, names, SCENARIOS_MAX - a->n);
	for (size_t i = 0; i < n; i++) {
		a->scenarios[a->n] = scenario_find(names[i]);
		if (a->scenarios[a->n++] == NULL)
			cli_die("--list names them", "--scenario: '%s' is no scenario", names[i]);
	}
}

/* pthread's lock is not simulated, and some policies are for one thread. */
static bool can_run(unsigned policy)
{
	return strcmp(vmmap_policy_name(policy), "rwlock") != 0 && vmmap_policy_threads(policy);
}

static const char *choose_policy(const char *text)
{
	unsigned i = 0;

	while (vmmap_policy_name(i) != NULL && strcmp(vmmap_policy_name(i), text) != 0)
		i++;
	if (vmmap_policy_name(i) == NULL)
		cli_die("--list names them", "--policy: '%s' is no policy", text);
	if (!can_run(i))
		cli_die("--list names those that can", "--policy: '%s' cannot run here", text);
	return text;
}

/* "FILE FUNCTION OPERATION N ORDER" */
static void choose_place(struct arguments *a, char *text)
{
	char *order = strrchr(text, ' ');
	int place;

	a->weaken = strdup(text);
	weak_use();
	if (order != NULL)
		*order = 0;
	place = order != NULL ? weaken_add(text) : -1;
	if (place < 0 || !weaken_set(place, order + 1))
		cli_die("as in tests/models/orders.list: \"base/spin.h spin_unlock store_release 1 relaxed\"",
			"--weaken: there is no such place, or no such order");
}

static void note_given(struct arguments *a, int key)
{
	if (key == 'j' || (key >= OPT_LIST && key <= OPT_LAST))
		a->given |= UINT32_C(1) << ((key == 'j' ? OPT_JOBS : key) - OPT_LIST);
	a->settings.everywhere |= key == OPT_EVERYWHERE;
	a->settings.coverage |= key == OPT_COVERAGE;
	a->settings.named |= key == OPT_NAMED;
	a->settings.progress |= key == OPT_PROGRESS;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *a = state->input;
	struct settings *s = &a->settings;

	note_given(a, key);
	switch (key) {
	case OPT_SCENARIO:
		choose_scenarios(a, text);
		break;
	case OPT_STRATEGY:
		s->strategy = (enum strategy_kind)cli_choice("--strategy", text, strategy_name, STRATEGIES);
		break;
	case OPT_SEED:
		s->seed = cli_seed("--seed", text);
		break;
	case OPT_SCHEDULES:
		s->schedules = cli_count("--schedules", text, 1, UINT64_C(1) << 40);
		break;
	case OPT_DURATION:
		s->until_ns = kernel_real_ns() + cli_duration("--duration", text);
		break;
	case 'j':
		s->jobs = (unsigned)cli_count("--jobs", text, 1, 64);
		break;
	case OPT_POLICY:
		s->policy = choose_policy(text);
		break;
	case OPT_REPLAY:
		a->replay = text;
		break;
	case OPT_MUTANT:
		s->mutant = text;
		break;
	case OPT_MUTANTS:
		a->mutants = text;
		break;
	case OPT_SEEDS:
		a->seeds = text;
		break;
	case OPT_WRITE_SEEDS:
		a->write_seeds = text;
		break;
	case OPT_WEAK:
		weak_use();
		break;
	case OPT_WEAKEN:
		choose_place(a, text);
		break;
	case OPT_ORDERS:
		a->orders = text;
		break;
	case OPT_LIST:
	case OPT_EVERYWHERE:
	case OPT_COVERAGE:
	case OPT_EXPLORE:
	case OPT_NAMED:
	case OPT_PROGRESS:
		break;
	case OPT_JSON:
		a->json = text;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const char *option_name(int key)
{
	for (const struct argp_option *o = options; o->name != NULL; o++)
		if (o->key == key || (o->key == 'j' && key == OPT_JOBS))
			return o->name;
	return "?";
}

/* What it is asked to do; and nothing that is idle there. */
static void choose_doing(struct arguments *a)
{
	uint32_t takes;

	for (enum doing d = LISTING; d <= FINDING_AGAIN; d++)
		if (a->given & UINT32_C(1) << (doings[d].option - OPT_LIST))
			a->doing = d;
	takes = doings[a->doing].takes;
	if (a->doing == HUNTING && (a->given & TAKES(EXPLORE)))
		takes |= TAKES(COVERAGE) | TAKES(PROGRESS);
	for (int key = OPT_LIST; key <= OPT_LAST; key++)
		if (key != doings[a->doing].option &&
		    (a->given & ~takes & UINT32_C(1) << (key - OPT_LIST)))
			cli_die("leave one of them out; --help says what goes together", "--%s does nothing %s",
				option_name(key), doings[a->doing].with);
}

static int list(void)
{
	for (unsigned i = 0; scenario_at(i) != NULL; i++)
		printf("scenario %-28s %s\n", scenario_at(i)->name, scenario_at(i)->what);
	for (unsigned i = 0; campaign_mutant(i) != NULL; i++)
		printf("mutant   %s\n", campaign_mutant(i));
	for (unsigned i = 0; vmmap_policy_name(i) != NULL; i++)
		if (can_run(i))
			printf("policy   %s\n", vmmap_policy_name(i));
	return CLI_OK;
}

static int replay(const struct arguments *a)
{
	static struct schedule schedule;
	static struct outcome out;

	if (a->n != 1)
		cli_die("--scenario=NAME --replay=0:12,1,0", "--replay wants one --scenario");
	if (!schedule_parse(&schedule, a->replay))
		cli_die("cores with how many accesses each makes: 0:153,1,0", "--replay: '%s' is no schedule",
			a->replay);
	run_prepare(a->scenarios[0], a->settings.policy, a->settings.mutant);
	for (unsigned tries = 0; tries < REPLAYS; tries++) {
		strategy_replay(&schedule, &out);
		if (!order_has_learned())                /* --weak: words that are fought over have a history       */
			break;
	}
	print_interleaving(a->scenarios[0], &schedule, a->settings.everywhere, out_page(a));
	return out.failure == FAIL_NONE ? CLI_OK : CLI_VIOLATION;
}

/* ---- exploring ---- */

static void explore(struct arguments *a)
{
	uint64_t began = kernel_real_ns();

	if (a->settings.schedules == 0)
		a->settings.schedules = a->n * UINT64_C(10000);
	a->bad = campaign_explore(&a->settings, a->scenarios, a->n, &a->reports);
	out_table(a);
	fprintf(out_page(a), "%.1f s, %u violations\n", (double)(kernel_real_ns() - began) / 1e9, a->bad);
	out_failures(a);
	for (unsigned i = 0; i < a->n && a->settings.coverage; i++)
		coverage_add(&a->coverage, &a->reports[i].coverage);
	if (a->settings.coverage)
		coverage_print(&a->coverage, out_page(a));
}

/* ---- mutants ---- */

static void choose_mutants(struct arguments *a)
{
	char *names[MUTANTS_MAX];
	size_t n;

	if (strcmp(a->mutants, "all") == 0) {
		for (unsigned i = 0; campaign_mutant(i) != NULL && i < MUTANTS_MAX; i++)
			a->finds[a->nfinds++].mutant = campaign_mutant(i);
		return;
	}
	n = cli_list("--mutants", a->mutants, names, MUTANTS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (campaign_mutant_find(names[i]) == NULL)
			cli_die("--list names them", "--mutants: '%s' is no mutant", names[i]);
		a->finds[a->nfinds++].mutant = names[i];
	}
}

static void tell(const struct find *f)
{
	out_find(&arguments, f);
}

/* Returns how many were not found. */
static unsigned hunt(struct arguments *a)
{
	struct settings s = a->settings;
	unsigned lost;
	int err;

	if (a->nfinds == 0)
		cli_die("see bench/explore/seeds.list, tests/models/orders.list", "--%s: the file names none",
			option_name(doings[a->doing].option));
	s.again = a->seeds != NULL;
	if (s.schedules == 0 || a->reports != NULL)
		s.schedules = HUNT_RUNS;
	if (a->reports != NULL)
		s.until_ns = UINT64_MAX;
	for (unsigned i = 0; i < a->nfinds && a->seeds == NULL; i++) {
		a->finds[i].strategy = s.strategy;
		a->finds[i].seed = s.seed;
		a->finds[i].weak = a->finds[i].mutant != NULL && weak_on();
	}
	if (a->finds[0].place != NULL) {
		weak_use();
		(void)debug_location(NULL);              /* read once, for all children                             */
	}
	lost = campaign_hunt(&s, a->finds, a->nfinds, tell);
	fprintf(out_page(a), "%u of %u found\n", a->nfinds - lost, a->nfinds);
	err = a->write_seeds != NULL ? seeds_write(a->write_seeds, a->finds, a->nfinds) : 0;
	if (err)
		cli_die("give a file that can be written", "--write-seeds: %s: %s", a->write_seeds, strerror(-err));
	return lost;
}

static bool is_explored(const struct arguments *a, const struct scenario *scenario)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->scenarios[i] == scenario)
			return true;
	return false;
}

/* The mutants that these scenarios are kept as tests of. The seeds are of the engine as it is, and tell how many
 * schedules it takes: of another engine they would say nothing. */
static unsigned find_again(struct arguments *a)
{
	struct settings s = { .schedules = SEED_RUNS, .until_ns = UINT64_MAX, .jobs = a->settings.jobs, .again = true };
	const char *kept = seeds_kept();
	unsigned n, lost;

	if (kept == NULL || weak_on() || a->settings.mutant != NULL)
		return 0;
	n = seeds_read(kept, a->finds, MUTANTS_MAX);
	for (unsigned i = 0; i < n; i++)
		if (is_explored(a, a->finds[i].scenario))
			a->finds[a->nfinds++] = a->finds[i];
	if (a->nfinds == 0)
		return 0;
	lost = campaign_hunt(&s, a->finds, a->nfinds, NULL);
	fprintf(out_page(a), "%u of %u mutants found again by their seeds\n", a->nfinds - lost, a->nfinds);
	return lost;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "Runs the engine's unchanged code on logical cores, and decides who goes on at each access that "
		       "can conflict.\v"
		       "Examples:\n"
		       "  vmmap-explore --schedules=1M --progress       over all scenarios\n"
		       "  vmmap-explore --scenario=fault_unmap_brief --strategy=bounded\n"
		       "  vmmap-explore --scenario=fault_unmap_brief --mutant=fault_no_recheck\n"
		       "  vmmap-explore --scenario=fault_unmap_brief --mutant=fault_no_recheck --replay=0:132,1\n"
		       "  vmmap-explore --mutants=all --write-seeds=seeds.list\n"
		       "  vmmap-explore --schedules=100k --mutants=all --explore --json=FILE\n"
		       "  vmmap-explore --seeds=seeds.list              each is found again\n"
		       "  vmmap-explore --weak --scenario=place_mlock   old values, data races\n"
		       "  vmmap-explore --weak --scenario=beside_cut \\\n"
		       "      --weaken=\"base/spin.h spin_unlock store_release 1 relaxed\"\n"
		       "  vmmap-explore --orders=tests/models/orders.list --schedules=2k\n"
		       "Exit code: 0 nothing is wrong; 1 a violation, a mutant that is not found; 2 usage. "
		       "docs/exploring.md says more.",
	};
	struct arguments *a = &arguments;
	unsigned lost = 0;

	kernel_same_addresses(argv);
	cli_parse(&argp, argc, argv, a);
	choose_doing(a);
	if (a->doing == LISTING)
		return list();
	if (a->n > 0)
		a->settings.only = a->scenarios;
	if (a->n == 0)
		while ((a->scenarios[a->n] = scenario_at(a->n)) != NULL)
			a->n++;
	if (a->settings.mutant != NULL && campaign_mutant_find(a->settings.mutant) == NULL)
		cli_die("--list names them", "--mutant: '%s' is no mutant", a->settings.mutant);
	run_begin();
	switch (a->doing) {
	case REPLAYING:
		return replay(a);
	case HUNTING:
		choose_mutants(a);
		break;
	case WEAKENING:
		a->nfinds = orders_read(a->orders, a->finds, MUTANTS_MAX);
		break;
	case FINDING_AGAIN:
		a->nfinds = seeds_read(a->seeds, a->finds, MUTANTS_MAX);
		break;
	default:
		break;
	}
	if (a->doing == EXPLORING || (a->given & TAKES(EXPLORE)))
		explore(a);
	if (a->doing != EXPLORING)
		lost = hunt(a);
	else if (a->json != NULL)
		lost = find_again(a);
	if (a->json != NULL)
		out_json(a);
	return a->bad + lost == 0 ? CLI_OK : CLI_VIOLATION;
}
