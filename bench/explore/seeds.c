/* SPDX-License-Identifier: MIT */
/* seeds.c - see seeds.h. */
#include "bench/explore/seeds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/tool/cli.h"

static const char *known_mutant(const char *name)
{
	for (unsigned i = 0; campaign_mutant(i) != NULL; i++)
		if (strcmp(campaign_mutant(i), name) == 0)
			return campaign_mutant(i);
	return NULL;
}

static bool understood(const char *line, struct find *f)
{
	char mutant[128], scenario[128], strategy[16];
	unsigned long long seed, runs;

	if (sscanf(line, "%127s %127s %15s %llu %llu", mutant, scenario, strategy, &seed, &runs) != 5)
		return false;
	*f = (struct find){ .mutant = known_mutant(mutant), .scenario = scenario_find(scenario), .seed = seed };
	while (f->strategy < STRATEGIES && strcmp(strategy_name[f->strategy], strategy) != 0)
		f->strategy++;
	return f->mutant != NULL && f->scenario != NULL && f->strategy < STRATEGIES;
}

unsigned seeds_read(const char *path, struct find *finds, unsigned room)
{
	FILE *file = fopen(path, "r");
	unsigned n = 0;
	char line[512];

	if (file == NULL)
		cli_die(NULL, "--seeds: cannot read '%s'", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (n == room || !understood(line, &finds[n]))
			cli_die("MUTANT SCENARIO STRATEGY SEED RUNS, names of --list", "--seeds: not understood: %s",
				line);
		n++;
	}
	fclose(file);
	return n;
}

int seeds_write(const char *path, const struct find *finds, unsigned n)
{
	FILE *file = fopen(path, "w");

	if (file == NULL)
		return -errno;
	fputs("# SPDX-License-Identifier: MIT\n"
	      "# Mutants of the engine, with the scenario, the strategy and the seed that find it, the runs taken.\n"
	      "# Written by vmmap-explore --mutants=all --write-seeds; read by ctest explore.seeds.\n", file);
	for (unsigned i = 0; i < n; i++)
		if (finds[i].scenario != NULL)
			fprintf(file, "%s %s %s %llu %llu\n", finds[i].mutant, finds[i].scenario->name,
				strategy_name[finds[i].strategy], (unsigned long long)finds[i].seed,
				(unsigned long long)finds[i].runs);
	return fclose(file) == 0 ? 0 : -errno;
}
