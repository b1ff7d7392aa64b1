/* SPDX-License-Identifier: MIT */
/* seeds.c - see seeds.h. */
#include "bench/explore/seeds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/tool/cli.h"
#include "bench/explore/text.h"

#define WEAK "weak-"                     /* a mutant that needs --weak: before the strategy                         */

/* What is wrong with the engine: the mutant's name, or a place and an order. Returns the rest of the line; NULL. */
static const char *what(const char *line, struct find *f)
{
	char name[128], function[64], operation[32], order[16], place[256];
	unsigned n;
	int end = 0;

	if (sscanf(line, "%127s%n", name, &end) != 1)
		return NULL;
	if (strchr(name, '/') == NULL) {
		f->mutant = campaign_mutant_find(name);
		return f->mutant != NULL ? line + end : NULL;
	}
	if (sscanf(line, "%127s %63s %31s %u %15s%n", name, function, operation, &n, order, &end) != 5)
		return NULL;
	snprintf(place, sizeof(place), "%s %s %s %u", name, function, operation, n);
	f->place = text_copy(place);
	f->order = text_copy(order);
	return line + end;
}

static bool understood(const char *line, struct find *f)
{
	char scenario[128], name[24];
	const char *strategy = name;
	unsigned long long runs, seed;

	*f = (struct find){ .mutant = NULL };
	line = what(line, f);
	if (line == NULL || sscanf(line, "%127s %23s %llu %llu", scenario, name, &seed, &runs) != 4)
		return false;
	f->weak = strncmp(name, WEAK, strlen(WEAK)) == 0;
	strategy += f->weak ? strlen(WEAK) : 0;
	f->scenario = scenario_find(scenario);
	f->seed = seed;
	while (f->strategy < STRATEGIES && strcmp(strategy_name[f->strategy], strategy) != 0)
		f->strategy++;
	return f->scenario != NULL && f->strategy < STRATEGIES;
}

unsigned seeds_read(const char *path, struct find *finds, unsigned room)
{
	FILE *file = fopen(path, "r");
	unsigned n = 0;
	char line[512];

	if (file == NULL)
		cli_die("bench/explore/seeds.list is what the tests read", "--seeds: %s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (n == room || !understood(line, &finds[n]))
			cli_die("MUTANT (or FILE FUNCTION OPERATION N ORDER) SCENARIO STRATEGY SEED RUNS",
				"--seeds: not understood: %s", line);
		n++;
	}
	fclose(file);
	return n;
}

const char *seeds_kept(void)
{
	static char path[512];
	const char *here = __FILE__;

	snprintf(path, sizeof(path), "%.*sbench/explore/seeds.list", (int)(strstr(here, "bench/explore/") - here),
		 here);
	return access(path, R_OK) == 0 ? path : NULL;
}

static void write_find(const struct find *f, FILE *to)
{
	if (f->mutant != NULL)
		fprintf(to, "%s", f->mutant);
	else
		fprintf(to, "%s %s", f->place, f->order);
	fprintf(to, " %s %s%s %llu %llu\n", f->scenario->name, f->weak ? WEAK : "", strategy_name[f->strategy],
		(unsigned long long)f->seed, (unsigned long long)f->runs);
}

int seeds_write(const char *path, const struct find *finds, unsigned n)
{
	FILE *file = fopen(path, "w");

	if (file == NULL)
		return -errno;
	fputs("# SPDX-License-Identifier: MIT\n"
	      "# Mutants of the engine, with the scenario, the strategy and the seed that find it, the runs taken.\n",
	      file);
	fputs(n > 0 && finds[0].place != NULL ?
	      "# Written by vmmap-explore --weak --orders --write-seeds; read by ctest explore.orders.\n" :
	      "# Written by vmmap-explore --mutants=all --write-seeds; read by ctest explore.seeds.\n", file);
	for (unsigned i = 0; i < n; i++)
		if (finds[i].scenario != NULL)
			write_find(&finds[i], file);
	return fclose(file) == 0 ? 0 : -errno;
}
