/* SPDX-License-Identifier: MIT */
/*
 * weaken.c - see weaken.h. The place is looked up in the source that the program was built from (its debug information
 * says where that is): the line of the N-th use of the operation in the function. An access is the chosen one if it was
 * compiled from that line of that function, inlined or not, and demands the order of the operation's name.
 */
#include "bench/explore/weaken.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "bench/sim/debug.h"

#define PLACES 4096

static const char *const order_names[] = { "relaxed", "consume", "acquire", "release", "acqrel", "seqcst" };

static struct { const void *pc; bool chosen; } places[PLACES];
static char file_wanted[128], function_wanted[64];
static bool reached;
static int line_wanted, order_wanted, order_instead = -1;

static int order_of(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(order_names); i++)
		if (strcmp(order_names[i], name) == 0)
			return (int)i;
	return -1;
}

/* In kernel style a body begins with '{' and ends with '}' in the first column; short ones stand in one line. */
static int line_of_use(FILE *source, const char *function, const char *operation, unsigned n)
{
	char line[512], use[96], head[96];
	bool named = false, inside = false;
	int number = 0;

	snprintf(use, sizeof(use), "atomic_%s(", operation);
	snprintf(head, sizeof(head), "%s(", function);
	while (fgets(line, sizeof(line), source) != NULL) {
		bool outside = line[0] != '\t' && line[0] != ' ' && line[0] != '{' && line[0] != '}' && line[0] != '\n';

		number++;
		if (outside)
			named = strstr(line, head) != NULL && line[0] != '#' && line[0] != '/';
		if (line[0] == '{')
			inside = named;
		for (const char *at = line; (inside || named) && (at = strstr(at, use)) != NULL; at++)
			if (--n == 0)
				return number;
		if (line[0] == '}')
			inside = named = false;
	}
	return 0;
}

bool weaken_select(const char *name, const char *order)
{
	char operation[32], path[512];
	const char *here = __FILE__;
	unsigned n;
	FILE *source;

	if (sscanf(name, "%127s %63s %31s %u", file_wanted, function_wanted, operation, &n) != 4 || n == 0)
		return false;
	order_instead = order_of(order);
	order_wanted = strrchr(operation, '_') != NULL ? order_of(strrchr(operation, '_') + 1) : -1;
	snprintf(path, sizeof(path), "%.*s%s", (int)(strstr(here, "bench/explore/") - here), here, file_wanted);
	source = fopen(path, "r");
	if (order_instead < 0 || order_wanted < 0 || source == NULL)
		return false;
	line_wanted = line_of_use(source, function_wanted, operation, n);
	fclose(source);
	return line_wanted != 0;
}

/* Of accesses that demand the order of the chosen place. */
static bool chosen(const void *pc)
{
	uint32_t i = (uint32_t)(((uintptr_t)pc * UINT64_C(0x9e3779b97f4a7c15)) >> 52);

	while (places[i].pc != NULL && places[i].pc != pc)
		i = (i + 1) & (PLACES - 1);
	if (places[i].pc == NULL) {
		int line = 0;
		const char *file = debug_line(pc, &line);

		places[i].pc = pc;
		places[i].chosen = line == line_wanted && file != NULL && strcmp(file, file_wanted) == 0;
	}
	return places[i].chosen;
}

int weaken_order(const struct access *a)
{
	if (order_instead < 0 || a->order != order_wanted || !chosen(a->pc))
		return a->order;
	reached = true;
	return order_instead;
}

bool weaken_reached(void)
{
	return reached;
}
