/* SPDX-License-Identifier: MIT */
/* orders.c - see orders.h. What "weaker" means is what tests/models/orders.py tries. */
#include "bench/explore/orders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/explore/text.h"

static const struct { const char *operation, *weaker; } weaker[] = {
	{ "load_seqcst", "acquire relaxed" }, { "load_acquire", "relaxed" },
	{ "store_seqcst", "release relaxed" }, { "store_release", "relaxed" },
	{ "seqcst", "acqrel acquire release" }, { "acqrel", "acquire release" },
	{ "acquire", "relaxed" }, { "release", "relaxed" },
};

static const char *weaker_than(const char *operation)
{
	const char *order = strrchr(operation, '_');

	for (unsigned i = 0; i < ARRAY_SIZE(weaker); i++)
		if (strcmp(weaker[i].operation, operation) == 0 ||
		    (order != NULL && strcmp(weaker[i].operation, order + 1) == 0))
			return weaker[i].weaker;
	return "";
}

/* "FUNCTION OPERATION N : SUITES [: SURVIVORS : WHY]", all of WHY left out. False: not understood. */
static bool entry(const char *file, char *line, struct find *finds, unsigned room, unsigned *n)
{
	char *suites = strstr(line, " : "), *survivors = suites != NULL ? strstr(suites + 3, " : ") : NULL;
	char function[64], operation[32], number[8], place[256], orders[64];

	if (suites == NULL)
		return false;
	*suites = 0;
	suites += 3;
	if (survivors != NULL) {
		*survivors = 0;
		survivors += 3;
		survivors[strcspn(survivors, ":")] = 0;
	}
	if (suites[0] == '-' || strstr(line, " *") != NULL)
		return true;
	if (sscanf(line, "%63s %31s %7s", function, operation, number) != 3)
		return false;
	snprintf(place, sizeof(place), "%s %s %s %s", file, function, operation, number);
	snprintf(orders, sizeof(orders), "%s", weaker_than(operation));
	for (char *order = strtok(orders, " "); order != NULL; order = strtok(NULL, " ")) {
		if (survivors != NULL && text_has_word(survivors, order))
			continue;
		if (*n == room)
			return false;
		finds[(*n)++] = (struct find){ .place = text_copy(place), .order = text_copy(order) };
	}
	return true;
}

unsigned orders_read(const char *path, struct find *finds, unsigned room)
{
	FILE *list = fopen(path, "r");
	char line[512], file[128] = "";
	unsigned n = 0;

	if (list == NULL)
		cli_die("tests/models/orders.list is one", "--orders: %s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), list) != NULL) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#' || line[0] == 0 || line[0] == '\t')
			continue;
		if (line[0] == '@' ? sscanf(line, "@ %127s", file) != 1 : !entry(file, line, finds, room, &n))
			cli_die("as tests/models/orders.list", "--orders: not understood: %s", line);
	}
	fclose(list);
	return n;
}
