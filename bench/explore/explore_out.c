/* SPDX-License-Identifier: MIT */
/* explore_out.c - see explore_out.h: tables, and one JSON object for all that a run of the program has done. */
#include "bench/explore/explore_out.h"

#include <string.h>

#include "base/tool/cli.h"
#include "base/tool/json.h"
#include "bench/explore/weak.h"

FILE *out_page(const struct arguments *a)
{
	return a->json != NULL && strcmp(a->json, "-") == 0 ? stderr : stdout;
}

/* ---- exploring ---- */

static void print_row(const char *name, const struct report *r, FILE *to)
{
	double s = (double)r->cpu_ns / 1e9;

	fprintf(to, "%-28s %10llu %10llu %12.0f %9llu %8.2f %14.0f\n", name, (unsigned long long)r->distinct,
		(unsigned long long)r->runs, r->runs ? (double)r->accesses / (double)r->runs : 0.0,
		(unsigned long long)r->max_overtakes, s,
		s > 0 ? (double)r->distinct / s : 0.0);
}

void out_table(const struct arguments *a)
{
	const struct report *r = a->reports;
	FILE *to = out_page(a);
	struct report sum = { .runs = 0 };

	fprintf(to, "%-28s %10s %10s %12s %9s %8s %14s\n", "scenario", "distinct", "runs", "accesses/run",
		"overtakes", "CPU s", "distinct/CPU s");
	for (unsigned i = 0; i < a->n; i++) {
		print_row(r[i].scenario->name, &r[i], to);
		sum.distinct += r[i].distinct;
		sum.runs += r[i].runs;
		sum.accesses += r[i].accesses;
		sum.cpu_ns += r[i].cpu_ns;
		if (r[i].max_overtakes > sum.max_overtakes)
			sum.max_overtakes = r[i].max_overtakes;
	}
	print_row("all", &sum, to);
}

static void print_failure(const struct arguments *a, const struct report *r)
{
	FILE *to = out_page(a);

	fprintf(to, "\n%s FAILS: %s: %s\n  %u preemptions; to see it:\n  vmmap-explore%s%s%s%s --scenario=%s%s%s%s%s "
		"--replay='%s'\n%s", r->scenario->name, failure_name(r->failure), r->text, r->preemptions,
		weak_on() ? " --weak" : "", a->weaken ? " --weaken=\"" : "", a->weaken ? a->weaken : "",
		a->weaken ? "\"" : "", r->scenario->name, a->settings.policy ? " --policy=" : "",
		a->settings.policy ? a->settings.policy : "", a->settings.mutant ? " --mutant=" : "",
		a->settings.mutant ? a->settings.mutant : "", r->schedule,
		r->again ? "" : "  (which has not failed when it was tried)\n");
}

void out_failures(const struct arguments *a)
{
	const struct report *r = a->reports;

	for (unsigned i = 0; i < a->n; i++)
		if (r[i].failure != FAIL_NONE)
			print_failure(a, &r[i]);
}

/* ---- mutants ---- */

void out_find(const struct arguments *a, const struct find *f)
{
	FILE *to = out_page(a);
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

/* ---- JSON ---- */

static void write_scenario(struct json *row, const struct report *r)
{
	bool failed = r->failure != FAIL_NONE;

	json_text(row, "name", r->scenario->name);
	json_uint(row, "schedules", r->distinct);
	json_uint(row, "runs", r->runs);
	json_uint(row, "accesses", r->accesses);
	json_uint(row, "max_overtakes", r->max_overtakes);
	json_real(row, "cpu_seconds", (double)r->cpu_ns / 1e9);
	json_text(row, "failure", failed ? failure_name(r->failure) : NULL);
	json_text(row, "text", failed ? r->text : NULL);
	json_text(row, "replay", failed ? r->schedule : NULL);
}

static void write_mutants(const struct arguments *a, struct json *root)
{
	struct json *object = json_sub(root, "mutants");

	for (unsigned i = 0; i < a->nfinds; i++)
		if (a->finds[i].mutant != NULL && a->finds[i].scenario != NULL)
			json_uint(object, a->finds[i].mutant, a->finds[i].runs);
		else if (a->finds[i].mutant != NULL)
			json_null(object, a->finds[i].mutant);
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

void out_json(const struct arguments *a)
{
	const struct report *r = a->reports;
	struct json *root = json_object(), *array = json_array(root, "scenarios");
	uint64_t distinct = 0, runs = 0;
	int err;

	for (unsigned i = 0; i < a->n && r != NULL; i++) {
		write_scenario(json_row(array), &r[i]);
		distinct += r[i].distinct;
		runs += r[i].runs;
	}
	json_uint(root, "schedules", distinct);
	json_uint(root, "runs", runs);
	json_uint(root, "violations", a->bad);
	json_uint(root, "seed", a->settings.seed);
	write_mutants(a, root);
	if (a->settings.coverage)
		coverage_write(&a->coverage, json_array(root, "coverage"));
	if (a->nfinds > 0 && a->finds[0].place != NULL)
		write_orders(a, root);
	err = json_write(root, a->json);
	if (err)
		cli_die("give a file that can be written", "--json: %s: %s", a->json, strerror(-err));
	json_free(root);
}
