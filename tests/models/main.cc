/* SPDX-License-Identifier: MIT */
/*
 * main.cc - runs the suites.
 *
 * Usage: models [--suite NAME] [--weaken "FILE FUNCTION OPERATION N" ORDER] [--mutant NAME] [--iterations N]
 *               [--verbose]
 *        models --sites | --suites
 * Exit code 0: every interleaving held. 1: one did not; with --verbose it is printed. 2: no such suite or site.
 * A mutant may also be named by VMMAP_MUTANT, for tests/kill_mutant.py: 99 instead of 2 then.
 */
#include <fstream>

#include "model.h"
#include "weaken.h"

model_listed *model_list;

struct options {
	const char *suite;
	unsigned iterations;
	bool verbose;
};

static bool run(const model_listed *listed, const options &o)
{
	std::ofstream nowhere("/dev/null");
	rl::test_params params;

	params.iteration_count = o.iterations ? o.iterations : listed->iterations;
	params.execution_depth_limit = 20000;
	params.output_stream = params.progress_stream = &nowhere;
	if (o.verbose)
		params.output_stream = &std::cout;
	else
		params.collect_history = false;
	if (listed->simulate(params)) {
		printf("%s: %u interleavings\n", listed->name, (unsigned)params.stop_iteration);
		return true;
	}
	printf("%s: interleaving %u: %s\n", listed->name, (unsigned)params.stop_iteration,
	       rl::test_result_str(params.test_result));
	return false;
}

static void print_site(const char *name, const struct model_site *site)
{
	printf("%s :%d\n", name, site->line);
}

int main(int argc, char **argv)
{
	options o = { nullptr, 0, false };
	bool held = true, any = false;
	const char *mutant = getenv("VMMAP_MUTANT");

	if (mutant)
		weaken_break(mutant);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--sites")) {
			weaken_names(print_site);
			return 0;
		} else if (!strcmp(argv[i], "--suites")) {
			for (const model_listed *l = model_list; l; l = l->next)
				puts(l->name);
			return 0;
		} else if (!strcmp(argv[i], "--verbose")) {
			o.verbose = true;
		} else if (!strcmp(argv[i], "--weaken") && i + 2 < argc) {
			if (!weaken_select(argv[i + 1], argv[i + 2]))
				return 2;
			i += 2;
		} else if (!strcmp(argv[i], "--mutant") && i + 1 < argc) {
			weaken_break(argv[++i]);
		} else if (!strcmp(argv[i], "--suite") && i + 1 < argc) {
			o.suite = argv[++i];
		} else if (!strcmp(argv[i], "--iterations") && i + 1 < argc) {
			o.iterations = (unsigned)atoi(argv[++i]);
		} else {
			return 2;
		}
	}
	for (const model_listed *l = model_list; l && held; l = l->next) {
		if (o.suite && strcmp(o.suite, l->name))
			continue;
		any = true;
		held = run(l, o);
		fflush(stdout);
	}
	return !any ? (mutant ? 99 : 2) : held ? 0 : 1;
}
