/* SPDX-License-Identifier: MIT */
/* conflicts.c - vmmap-conflicts: options, the run over all tests, what is told and what counts as a failure. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmmap/vmmap.h>

#include "base/tool/cli.h"
#include "bench/conflicts/budget.h"
#include "bench/conflicts/heat.h"
#include "bench/conflicts/result.h"
#include "bench/conflicts/waive.h"

#define POLICIES_MAX 16u
#define BAR_ALL      0.99                        /* of policy vma, spread: free or waived                          */
#define BAR_CELL     0.95                        /* ... of each pair of mutators                                   */

struct options {
	const char *policy[POLICIES_MAX];
	unsigned policies;
	bool place[PLACEMENTS], list, only_one, why_one, write_budget;
	struct suite_cell only;
	uint64_t seed, distance;
	const char *json, *svg, *png, *budget, *waivers;
};

enum { KEY_PLACEMENT = 256, KEY_JSON, KEY_SVG, KEY_PNG, KEY_ONLY, KEY_LIST, KEY_BUDGET, KEY_WRITE, KEY_WAIVERS,
       KEY_DISTANCE, KEY_SEED };

static const struct argp_option option_list[] = {
	{ "policy", 'p', "NAME", 0, "locking policy; several times for several (default vma, rwsem, pervma; help: all)",
	  0 },
	{ "placement", KEY_PLACEMENT, "HOW", 0, "packed or spread (default both)", 0 },
	{ "why", 'w', "A|B", 0, "this cell only: objects, fields, places in the code, examples", 0 },
	{ "only", KEY_ONLY, "A|B", 0, "this cell only", 0 },
	{ "list", KEY_LIST, NULL, 0, "print the tests, with their layouts, and run none", 0 },
	{ "json", KEY_JSON, "FILE", 0, "write the result as JSON (-: to stdout)", 0 },
	{ "svg", KEY_SVG, "DIR", 0, "write a heat map per policy", 0 },
	{ "png", KEY_PNG, "DIR", 0, "the same as PNG", 0 },
	{ "budget", KEY_BUDGET, "FILE", 0, "fail where a cell of policy vma has more conflicts than the file says", 0 },
	{ "write-budget", KEY_WRITE, NULL, 0, "write that file anew instead", 0 },
	{ "waivers", KEY_WAIVERS, "FILE", 0, "fail where policy vma, spread, has a conflict that it does not name, "
					     "where it names one that is none, and below the bars", 0 },
	{ "distance", KEY_DISTANCE, "SIZE", 0, "how far apart spread is (default 16G)", 0 },
	{ "seed", KEY_SEED, "S", 0, "other tests than those of the budget (default 4)", 0 },
	{ 0 },
};

static const char doc[] =
	"Runs pairs of calls that commute, on two cores, over the engine with every access logged: which lines does "
	"one call write and the other touch?\v"
	"A pair is A|B of mmap_fixed, mmap_any, mmap_within, munmap, mprotect, mremap, madvise, brk, fault_read, "
	"fault_write, access, listing, query.\n\n"
	"Examples:\n"
	"  vmmap-conflicts                                      three policies, both placements, a summary\n"
	"  vmmap-conflicts --policy=vma --json=c.json --svg=.   the default policy for machines, and a picture\n"
	"  vmmap-conflicts --policy=vma --why='mmap_within|mremap'\n"
	"  vmmap-conflicts --policy=vma --budget=bench/conflicts/budget.list\n"
	"  vmmap-conflicts --list --only='munmap|munmap'\n\n"
	"Bars: of the tests of policy vma, spread, 99 % are free of conflicts or waived, and 95 % in each pair of "
	"mutators.\n\n"
	"Exit status: 0 good; 1 a test that did not do what it should, a cell above its budget, a conflict without "
	"reason, a reason without conflict, below the bars, a baseline without conflicts; 2 usage or could not run.";

/* ---- options ---- */

static void list_policies(void)
{
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		printf("%-10s %s\n", vmmap_policy_name(i), vmmap_policy_idea(i));
	exit(CLI_OK);
}

static void add_policy(struct options *o, const char *name)
{
	unsigned i = 0;

	if (!strcmp(name, "help"))
		list_policies();
	while (vmmap_policy_name(i) && strcmp(vmmap_policy_name(i), name) != 0)
		i++;
	if (!vmmap_policy_name(i))
		cli_die("--policy=help lists them", "--policy: no policy '%s'", name);
	if (o->policies == POLICIES_MAX)
		cli_die("run it again for the others", "--policy: more than %u", POLICIES_MAX);
	for (unsigned k = 0; k < o->policies; k++)
		if (!strcmp(o->policy[k], name))
			cli_die("name it once", "--policy: '%s' is there twice", name);
	o->policy[o->policies++] = vmmap_policy_name(i);
}

static void set_cell(struct options *o, const char *option, const char *text)
{
	if (!suite_cell_parse(text, &o->only))
		cli_die("give two kinds, for example 'munmap|fault_read'; --help names them", "%s: no pair '%s'",
			option, text);
	o->only_one = true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'p': add_policy(o, arg); return 0;
	case 'w': set_cell(o, "--why", arg); o->why_one = true; return 0;
	case KEY_PLACEMENT: o->place[cli_choice("--placement", arg, placement_name, PLACEMENTS)] = true; return 0;
	case KEY_ONLY: set_cell(o, "--only", arg); return 0;
	case KEY_LIST: o->list = true; return 0;
	case KEY_JSON: o->json = arg; return 0;
	case KEY_SVG: o->svg = arg; return 0;
	case KEY_PNG: o->png = arg; return 0;
	case KEY_BUDGET: o->budget = arg; return 0;
	case KEY_WRITE: o->write_budget = true; return 0;
	case KEY_WAIVERS: o->waivers = arg; return 0;
	case KEY_DISTANCE: o->distance = cli_size("--distance", arg); return 0;
	case KEY_SEED: o->seed = cli_seed("--seed", arg); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* Now, not when all tests have run. */
static void check_budget(const char *path)
{
	FILE *f = fopen(path, "r");
	int err = f != NULL && (fgetc(f) != EOF || !ferror(f)) ? 0 : errno;

	if (f != NULL)
		fclose(f);
	if (err != 0)
		cli_die(err == ENOENT ? "--write-budget makes it" :
			"give a file that can be read; bench/conflicts/budget.list is the one of the repository",
			"--budget: cannot read '%s': %s", path, strerror(err));
}

static void defaults(struct options *o)
{
	bool usual = !o->only_one && o->seed == SUITE_SEED && o->distance == PLACED_DISTANCE;

	if (!o->policies) {
		add_policy(o, "vma");
		add_policy(o, "rwsem");
		add_policy(o, "pervma");
	}
	if (!o->place[PLACED_PACKED] && !o->place[PLACED_SPREAD])
		o->place[PLACED_PACKED] = o->place[PLACED_SPREAD] = true;
	if (o->write_budget && !o->budget)
		cli_die("say where: --budget=FILE", "--write-budget without a file");
	if (o->budget && !o->write_budget)
		check_budget(o->budget);
	if ((o->budget || o->waivers) && !usual)
		cli_die("leave out --only, --why, --seed, --distance",
			"budget and waivers are for all tests as they are");
	if (o->distance > PLACED_MOST || o->distance % 4096 || o->distance < UINT64_C(16) << 20)
		cli_die("whole pages, from 16M to 8T", "--distance: %" PRIu64 " bytes", o->distance);
}

/* ---- the run ---- */

struct books { struct tally tally[POLICIES_MAX][PLACEMENTS]; bool open[POLICIES_MAX][PLACEMENTS]; unsigned unproven; };

static void progress(const struct tally *t, size_t i)
{
	size_t n = t->suite->n, step = n / 20 + 1;

	if ((i % step == 0 || i == n) && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%s %s %3zu %%%s", t->policy, placement_name[t->placement], n ? 100 * i / n : 100,
			i == n ? "\n" : "");
}

static void tell_unproven(struct books *b, const struct test *t, const struct placed *p, const char *why)
{
	if (b->unproven++ >= 5)
		return;
	fprintf(stderr, "\nthis test did not do what the model says: %s\n", why);
	suite_print(stderr, t);
	placed_print(stderr, p);
}

static int run_test(struct books *b, struct tally *t, const struct runner *r, const struct test *test,
		    uint64_t distance)
{
	struct run_verdict v = { .proven = false };
	struct placed p;
	int err = placed_make(&p, test, t->placement, distance);

	if (!err)
		err = r->run(r->self, test, &p, &v);
	if (err)
		return err;
	if (!v.proven)
		tell_unproven(b, test, &p, v.why);
	return tally_add(t, test, &v);
}

static void run_tests(struct books *b, struct tally *t, const struct runner *r, uint64_t distance)
{
	const struct suite *s = t->suite;
	int err = r->begin(r->self, t->policy, t->placement);

	for (size_t i = 0; i < s->n && !err; i++) {
		progress(t, i);
		if (t->placement == PLACED_PACKED || s->test[i].spread)
			err = run_test(b, t, r, &s->test[i], distance);
	}
	if (err)
		cli_die(err == -ENOTSUP ? "its lock is in libc, where no access is seen: leave it out" :
			"free some memory, or run one policy at a time", "%s %s: %s", t->policy,
			placement_name[t->placement], strerror(-err));
	progress(t, s->n);
}

static void run_all(struct books *b, const struct options *o, const struct suite *s, const struct runner *r)
{
	for (unsigned i = 0; i < o->policies; i++) {
		for (unsigned k = 0; k < PLACEMENTS; k++) {
			if (!o->place[k])
				continue;
			if (tally_open(&b->tally[i][k], s, o->policy[i], (enum placement)k))
				cli_die(NULL, "out of memory");
			b->open[i][k] = true;
			run_tests(b, &b->tally[i][k], r, o->distance);
		}
	}
}

/* ---- what counts as a failure ---- */

static bool within_budget(const struct options *o, const struct tally *t)
{
	struct budget allowed;
	int err = budget_read(&allowed, o->budget, t);
	unsigned worse;

	if (err == -ESTALE)
		cli_complain("write it anew with --write-budget", "%s: made for another list of tests", o->budget);
	else if (err)
		cli_complain(err == -EINVAL ? "mend that line, or write it anew with --write-budget" :
			     "give a file that can be read, or write it anew with --write-budget",
			     "--budget: cannot read '%s': %s", o->budget, strerror(-err));
	if (err)
		return false;
	worse = budget_worse(&allowed, t, stderr);
	if (!worse && budget_better(&allowed, t))
		fprintf(stderr, "%s %s: better than the budget in %u cells (--write-budget keeps that)\n", t->policy,
			placement_name[t->placement], budget_better(&allowed, t));
	return !worse;
}

/* Two writers under one lock have its word in common: an instrument that does not see it is blind. */
static bool shows_conflicts(const struct tally *t)
{
	char name[64];
	bool good = true;

	if (strcmp(t->policy, "rwsem") != 0 && strcmp(t->policy, "pervma") != 0)
		return true;
	for (unsigned i = 0; i < SUITE_CELLS; i++) {
		struct suite_cell cell = suite_cell_at(i);
		struct tally_count c = tally_cell(t, cell, true);

		if (!suite_mutator(cell.a) || !suite_mutator(cell.b) || 2 * c.byte >= c.tests)
			continue;
		cli_complain("the instrument does not see its lock", "%s %s %s: %u of %u tests conflict", t->policy,
			     placement_name[t->placement], tally_cell_name(name, cell), c.byte, c.tests);
		good = false;
	}
	return good;
}

static bool above_bars(const struct tally *t)
{
	struct tally_count all = tally_all(t, true);
	struct suite_cell cell = { 0, 0 };
	double share = tally_share(&all, true), worst = tally_worst(t, true, &cell);
	char name[64], remedy[192];

	if (share >= BAR_ALL && worst >= BAR_CELL)
		return true;
	tally_cell_name(name, cell);
	snprintf(remedy, sizeof(remedy), "--policy=%s --why='%s' says where; what has a reason may stand in the "
		 "waivers", t->policy, name);
	cli_complain(remedy, "%s %s: %.2f %% of all tests, %.2f %% of %s are free or waived: below the bars of %.0f %% "
		     "and %.0f %%", t->policy, placement_name[t->placement], 100 * share, 100 * worst, name,
		     100 * BAR_ALL, 100 * BAR_CELL);
	return false;
}

static bool judge_waivers(const struct options *o, struct waivers *w, struct books *b)
{
	bool good = true;

	for (unsigned i = 0; i < o->policies; i++)
		for (unsigned k = 0; k < PLACEMENTS; k++) {
			const struct tally *t = &b->tally[i][k];

			if (!b->open[i][k])
				continue;
			good &= waive_unused(w, t, stderr) == 0;
			if (!strcmp(t->policy, "vma") && k == PLACED_SPREAD)
				good &= (waive_missing(t, stderr) == 0) & above_bars(t);
		}
	return good;
}

static bool judge(const struct options *o, struct waivers *w, struct books *b)
{
	const struct tally *budgeted[PLACEMENTS];
	size_t n = 0;
	bool good = !b->unproven;
	int err;

	for (unsigned i = 0; i < o->policies; i++)
		for (unsigned k = 0; k < PLACEMENTS; k++) {
			if (!b->open[i][k])
				continue;
			good &= shows_conflicts(&b->tally[i][k]);
			if (!strcmp(o->policy[i], "vma"))
				budgeted[n++] = &b->tally[i][k];
		}
	if (o->waivers)
		good &= judge_waivers(o, w, b);
	if (o->write_budget) {
		err = budget_write(o->budget, budgeted, n);
		if (err)
			cli_die("give a path that can be written", "--budget: cannot write '%s': %s", o->budget,
				strerror(-err));
	} else if (o->budget) {
		for (size_t i = 0; i < n; i++)
			good &= within_budget(o, budgeted[i]);
	}
	return good;
}

/* ---- what is told ---- */

static struct result_policy result_of(const struct options *o, const struct books *b, unsigned i)
{
	struct result_policy r = { .policy = o->policy[i], .seed = o->seed, .distance = o->distance };

	for (unsigned k = 0; k < PLACEMENTS; k++) {
		r.tally[k] = b->open[i][k] ? &b->tally[i][k] : NULL;
		r.digest = b->open[i][k] ? b->tally[i][k].suite->digest : r.digest;
	}
	return r;
}

static void write_json(const struct options *o, const struct books *b)
{
	struct json *root = json_object(), *list = o->policies > 1 ? json_array(root, "policies") : NULL;
	int err;

	for (unsigned i = 0; i < o->policies; i++) {
		struct result_policy r = result_of(o, b, i);

		result_json(list ? json_row(list) : root, &r);
	}
	err = json_write(root, o->json);
	json_free(root);
	if (err)
		cli_die("give a path that can be written, or '-' for standard output", "--json: cannot write '%s': %s",
			o->json, strerror(-err));
}

static void draw_one(const struct options *o, const struct books *b, const char *dir, enum heat_format format)
{
	for (unsigned i = 0; i < o->policies; i++) {
		const struct tally *t[PLACEMENTS];
		size_t n = 0;
		int err;

		for (unsigned k = 0; k < PLACEMENTS; k++)
			if (b->open[i][k])
				t[n++] = &b->tally[i][k];
		err = heat_write(dir, format, t, n, o->distance);
		if (err)
			cli_die(err == -ENOENT ? "is gnuplot installed, and the directory there?" :
					"give a directory that can be written", "%s: %s", dir, strerror(-err));
	}
}

static void tell(const struct options *o, const struct books *b)
{
	FILE *out = o->json && !strcmp(o->json, "-") ? stderr : stdout;

	for (unsigned i = 0; i < o->policies; i++) {
		struct result_policy r = result_of(o, b, i);

		result_print(out, &r);
		if (o->why_one)
			result_why(out, &r, o->only);
	}
	if (o->json)
		write_json(o, b);
	if (o->svg)
		draw_one(o, b, o->svg, HEAT_SVG);
	if (o->png)
		draw_one(o, b, o->png, HEAT_PNG);
}

static void close_all(struct books *b, struct waivers *w, struct suite *s)
{
	for (unsigned i = 0; i < POLICIES_MAX; i++)
		for (unsigned k = 0; k < PLACEMENTS; k++)
			if (b->open[i][k])
				tally_close(&b->tally[i][k]);
	waive_free(w);
	suite_free(s);
	free(b);
}

static void read_waivers(struct waivers *w, const char *path)
{
	int err = waive_read(w, path);

	if (err)
		cli_die(err == -EINVAL ? "mend that line" : "bench/conflicts/waivers.list is the one of the repository",
			"--waivers: cannot read '%s': %s", path, strerror(-err));
}

int conflicts_main(int argc, char **argv, const struct runner *runner)
{
	static const struct argp argp = { option_list, parse, NULL, doc, NULL, NULL, NULL };
	struct options o = { .seed = SUITE_SEED, .distance = PLACED_DISTANCE };
	struct books *books = calloc(1, sizeof(*books));
	struct waivers waivers = { .n = 0 };
	struct suite suite;
	bool good = true;

	cli_parse(&argp, argc, argv, &o);
	defaults(&o);
	if (o.waivers)
		read_waivers(&waivers, o.waivers);
	if (!books || suite_make(&suite, o.seed, o.only_one ? &o.only : NULL))
		cli_die(NULL, "out of memory");
	for (size_t i = 0; o.list && i < suite.n; i++)
		suite_print(stdout, &suite.test[i]);
	if (!o.list) {
		run_all(books, &o, &suite, runner);
		for (unsigned i = 0; i < o.policies; i++)
			for (unsigned k = 0; k < PLACEMENTS; k++)
				if (books->open[i][k])
					waive_apply(&waivers, &books->tally[i][k]);
		tell(&o, books);
		good = judge(&o, &waivers, books);
	}
	close_all(books, &waivers, &suite);
	return good ? CLI_OK : CLI_VIOLATION;
}
