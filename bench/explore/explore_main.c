/* SPDX-License-Identifier: MIT */
/* explore_main.c - vmmap-explore: the command line, and what it prints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/tool/cli.h"
#include "base/tool/json.h"
#include "bench/explore/campaign.h"
#include "bench/explore/order.h"
#include "bench/explore/orders.h"
#include "bench/explore/print.h"
#include "bench/explore/seeds.h"
#include "bench/explore/shrink.h"
#include "bench/explore/weak.h"
#include "bench/explore/weaken.h"
#include "bench/sim/debug.h"
#include "bench/sim/kernel.h"

#define REPLAYS       20                 /* until a run teaches nothing new                                       */

enum { OPT_LIST = 256, OPT_SCENARIO, OPT_STRATEGY, OPT_SEED, OPT_SCHEDULES, OPT_DURATION, OPT_JOBS, OPT_POLICY,
       OPT_EVERYWHERE, OPT_REPLAY, OPT_MUTANT, OPT_MUTANTS, OPT_SEEDS, OPT_WRITE_SEEDS, OPT_COVERAGE, OPT_PROGRESS,
       OPT_JSON, OPT_NAMED, OPT_WEAK, OPT_WEAKEN, OPT_ORDERS };

static const struct argp_option options[] = {
	{ "list", OPT_LIST, NULL, 0, "Scenarios and mutants, then exit", 0 },
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
	{ "seeds", OPT_SEEDS, "FILE", 0, "Each mutant of the file must be found again by its seed", 0 },
	{ "write-seeds", OPT_WRITE_SEEDS, "FILE", 0, "With --mutants: write what was found there", 0 },
	{ "weak", OPT_WEAK, NULL, 0, "Loads may see old values, as their memory orders allow; data races fail", 0 },
	{ "weaken", OPT_WEAKEN, "PLACE", 0, "With --weak: \"FILE FUNCTION OPERATION N ORDER\", one use of an atomic "
	  "demands less", 0 },
	{ "orders", OPT_ORDERS, "FILE", 0, "Look for each use of an atomic of the list, weakened (implies --weak)", 0 },
	{ "coverage", OPT_COVERAGE, NULL, 0, "Print which place met which state of a lock word", 0 },
	{ "progress", OPT_PROGRESS, NULL, 0, "Say on standard error how far it is", 0 },
	{ "json", OPT_JSON, "FILE", 0, "Also write one JSON object ('-': standard output, and nothing else there)", 0 },
	{ 0 },
};

static struct arguments {
	struct settings settings;
	const struct scenario *scenarios[SCENARIOS_MAX];
	unsigned n;
	bool list;
	char *mutants;
	const char *weaken, *orders, *replay, *seeds, *write_seeds, *json;
	struct find finds[MUTANTS_MAX];
	unsigned nfinds;
} arguments = { .settings = { .seed = 1, .jobs = 2, .until_ns = UINT64_MAX } };

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

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *a = state->input;
	struct settings *s = &a->settings;

	if (key == OPT_LIST)
		return a->list = true, 0;
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
		s->policy = text;
		break;
	case OPT_EVERYWHERE:
		s->everywhere = true;
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
	case OPT_COVERAGE:
		s->coverage = true;
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
	case OPT_NAMED:
		s->named = true;
		break;
	case OPT_PROGRESS:
		s->progress = true;
		break;
	case OPT_JSON:
		a->json = text;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Human-readable lines; none where standard output is the JSON's. */
static FILE *page(const struct arguments *a)
{
	return a->json != NULL && strcmp(a->json, "-") == 0 ? stderr : stdout;
}

static int list(void)
{
	for (unsigned i = 0; scenario_at(i) != NULL; i++)
		printf("scenario %-28s %s\n", scenario_at(i)->name, scenario_at(i)->what);
	for (unsigned i = 0; campaign_mutant(i) != NULL; i++)
		printf("mutant   %s\n", campaign_mutant(i));
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
	print_interleaving(a->scenarios[0], &schedule, a->settings.everywhere, page(a));
	return out.failure == FAIL_NONE ? CLI_OK : CLI_VIOLATION;
}

static void write_json(const struct arguments *a, struct json *root)
{
	int err = json_write(root, a->json);

	if (err)
		cli_die("give a file that can be written", "--json: %s: %s", a->json, strerror(-err));
	json_free(root);
}

/* ---- exploring ---- */

static void print_failure(const struct arguments *a, const struct report *r)
{
	FILE *to = page(a);

	fprintf(to, "\n%s FAILS: %s: %s\n  %u preemptions; to see it:\n  vmmap-explore%s%s%s%s --scenario=%s%s%s%s%s "
		"--replay='%s'\n%s", r->scenario->name, failure_name(r->failure), r->text, r->preemptions,
		weak_on() ? " --weak" : "", a->weaken ? " --weaken=\"" : "", a->weaken ? a->weaken : "",
		a->weaken ? "\"" : "", r->scenario->name, a->settings.policy ? " --policy=" : "",
		a->settings.policy ? a->settings.policy : "", a->settings.mutant ? " --mutant=" : "",
		a->settings.mutant ? a->settings.mutant : "", r->schedule,
		r->again ? "" : "  (which has not failed when it was tried)\n");
}

static void write_reports(const struct arguments *a, const struct report *r, unsigned n, unsigned bad)
{
	struct json *root = json_object(), *array = json_array(root, "scenarios");
	uint64_t distinct = 0, runs = 0;

	for (unsigned i = 0; i < n; i++) {
		struct json *row = json_row(array);

		json_text(row, "name", r[i].scenario->name);
		json_uint(row, "schedules", r[i].distinct);
		json_uint(row, "runs", r[i].runs);
		json_uint(row, "accesses", r[i].accesses);
		json_real(row, "cpu_seconds", (double)r[i].cpu_ns / 1e9);
		json_text(row, "failure", r[i].failure == FAIL_NONE ? NULL : failure_name(r[i].failure));
		json_text(row, "text", r[i].failure == FAIL_NONE ? NULL : r[i].text);
		json_text(row, "replay", r[i].failure == FAIL_NONE ? NULL : r[i].schedule);
		distinct += r[i].distinct;
		runs += r[i].runs;
	}
	json_uint(root, "schedules", distinct);
	json_uint(root, "runs", runs);
	json_uint(root, "violations", bad);
	json_uint(root, "seed", a->settings.seed);
	json_sub(root, "mutants");
	write_json(a, root);
}

static void print_row(const char *name, const struct report *r, FILE *to)
{
	double s = (double)r->cpu_ns / 1e9;

	fprintf(to, "%-28s %10llu %10llu %12.0f %8.2f %14.0f\n", name, (unsigned long long)r->distinct,
		(unsigned long long)r->runs, r->runs ? (double)r->accesses / (double)r->runs : 0.0, s,
		s > 0 ? (double)r->distinct / s : 0.0);
}

static int explore(struct arguments *a)
{
	static struct report sum;
	uint64_t began = kernel_real_ns();
	struct coverage coverage = { 0 };
	FILE *to = page(a);
	struct report *r;
	unsigned bad;

	if (a->settings.schedules == 0)
		a->settings.schedules = a->n * UINT64_C(10000);
	bad = campaign_explore(&a->settings, a->scenarios, a->n, &r);
	fprintf(to, "%-28s %10s %10s %12s %8s %14s\n", "scenario", "distinct", "runs", "accesses/run", "CPU s",
		"distinct/CPU s");
	for (unsigned i = 0; i < a->n; i++) {
		print_row(r[i].scenario->name, &r[i], to);
		sum.distinct += r[i].distinct;
		sum.runs += r[i].runs;
		sum.accesses += r[i].accesses;
		sum.cpu_ns += r[i].cpu_ns;
		coverage_add(&coverage, &r[i].coverage);
	}
	print_row("all", &sum, to);
	fprintf(to, "%.1f s, %u violations\n", (double)(kernel_real_ns() - began) / 1e9, bad);
	for (unsigned i = 0; i < a->n; i++)
		if (r[i].failure != FAIL_NONE)
			print_failure(a, &r[i]);
	if (a->settings.coverage)
		coverage_print(&coverage, to);
	if (a->json != NULL)
		write_reports(a, r, a->n, bad);
	return bad == 0 ? CLI_OK : CLI_VIOLATION;
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

static void write_orders(const struct arguments *a, struct json *root)
{
	struct json *array = json_array(root, "orders");

	for (unsigned i = 0; i < a->nfinds; i++) {
		const struct find *f = &a->finds[i];
		struct json *row = f->place != NULL ? json_row(array) : NULL;

		if (row == NULL)
			continue;
		json_text(row, "place", f->place);
		json_text(row, "order", f->order);
		json_text(row, "scenario", f->scenario != NULL ? f->scenario->name : NULL);
		if (f->scenario != NULL)
			json_uint(row, "runs", f->runs);
		else
			json_null(row, "runs");
		json_uint(row, "reached", f->reached);
	}
}

static void write_finds(const struct arguments *a)
{
	struct json *root = json_object(), *object;

	json_array(root, "scenarios");
	json_uint(root, "schedules", 0);
	json_uint(root, "violations", 0);
	object = json_sub(root, "mutants");
	for (unsigned i = 0; i < a->nfinds; i++)
		if (a->finds[i].mutant != NULL && a->finds[i].scenario != NULL)
			json_uint(object, a->finds[i].mutant, a->finds[i].runs);
		else if (a->finds[i].mutant != NULL)
			json_null(object, a->finds[i].mutant);
	if (a->nfinds > 0 && a->finds[0].place != NULL)
		write_orders(a, root);
	write_json(a, root);
}

static void print_find(const struct find *f)
{
	FILE *to = page(&arguments);
	char name[320];

	if (f->mutant != NULL)
		snprintf(name, sizeof(name), "%-28s", f->mutant);
	else
		snprintf(name, sizeof(name), "%s -> %-8s", f->place, f->order);
	if (f->scenario != NULL)
		fprintf(to, "%s %-28s %8llu runs  %s: %s\n", name, f->scenario->name, (unsigned long long)f->runs,
			failure_name(f->failure), f->text);
	else
		fprintf(to, "%s NOT FOUND in %llu runs%s\n", name, (unsigned long long)f->all_runs,
			f->place != NULL && f->reached == 0 ? ", no scenario comes by it" : "");
	fflush(to);
}

static int hunt(struct arguments *a)
{
	FILE *to = page(a);
	unsigned lost;
	int err;

	a->settings.again = a->seeds != NULL;
	if (a->settings.schedules == 0)
		a->settings.schedules = 100000;
	for (unsigned i = 0; i < a->nfinds && a->seeds == NULL; i++) {
		a->finds[i].strategy = a->settings.strategy;
		a->finds[i].seed = a->settings.seed;
		a->finds[i].weak = a->finds[i].mutant != NULL && weak_on();
	}
	if (a->finds[0].place != NULL) {
		weak_use();
		(void)debug_location(NULL);              /* read once, for all children                             */
	}
	lost = campaign_hunt(&a->settings, a->finds, a->nfinds, print_find);
	fprintf(to, "%u of %u found\n", a->nfinds - lost, a->nfinds);
	err = a->write_seeds != NULL ? seeds_write(a->write_seeds, a->finds, a->nfinds) : 0;
	if (err)
		cli_die("give a file that can be written", "--write-seeds: %s: %s", a->write_seeds, strerror(-err));
	if (a->json != NULL)
		write_finds(a);
	return lost == 0 ? CLI_OK : CLI_VIOLATION;
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
		       "  vmmap-explore --seeds=seeds.list              each is found again\n"
		       "  vmmap-explore --weak --scenario=place_mlock   old values, data races\n"
		       "  vmmap-explore --weak --scenario=beside_cut \\\n"
		       "      --weaken=\"base/spin.h spin_unlock store_release 1 relaxed\"\n"
		       "  vmmap-explore --orders=tests/models/orders.list --schedules=2k\n"
		       "Exit code: 0 nothing is wrong; 1 a violation, a mutant that is not found; 2 usage. "
		       "docs/exploring.md says more.",
	};
	struct arguments *a = &arguments;

	kernel_same_addresses(argv);
	cli_parse(&argp, argc, argv, a);
	if (a->list)
		return list();
	if (a->n == 0)
		while ((a->scenarios[a->n] = scenario_at(a->n)) != NULL)
			a->n++;
	if (a->settings.mutant != NULL && campaign_mutant_find(a->settings.mutant) == NULL)
		cli_die("--list names them", "--mutant: '%s' is no mutant", a->settings.mutant);
	run_begin();
	if (a->replay != NULL)
		return replay(a);
	if (a->mutants != NULL)
		choose_mutants(a);
	else if (a->orders != NULL)
		a->nfinds = orders_read(a->orders, a->finds, MUTANTS_MAX);
	else if (a->seeds != NULL)
		a->nfinds = seeds_read(a->seeds, a->finds, MUTANTS_MAX);
	return a->nfinds > 0 ? hunt(a) : explore(a);
}
