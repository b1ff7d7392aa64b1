/* SPDX-License-Identifier: MIT */
/*
 * weaken.c - see weaken.h. A place is looked up in the source that the program was built from (its debug information
 * says where that is): the line of the N-th use of the operation in the function. An access is made there if it was
 * compiled from that line of that file, inlined or not, and demands the order of the operation's name. Of two uses in
 * one line the column tells, unless they stand inside a macro's parentheses: then both are the place. What stands in a
 * likely() of several lines has been compiled from the line where that begins.
 */
#include "bench/explore/weaken.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "bench/sim/debug.h"

#define CODE   8192                      /* addresses of accesses                                                  */
#define PLACES 256

static const char *const order_names[] = { "relaxed", "consume", "acquire", "release", "acqrel", "seqcst" };

/* begins: the line of the likely() that it stands in, or its own. other: the column of another use of the operation in
 * that line; 0. instead: -1: as it stands. */
struct place { char file[128]; int line, begins, other, order, instead; bool reached; };
static struct place places[PLACES];
static unsigned places_n;
static struct { const void *pc; int place; } code[CODE];         /* place: of this access; -1                       */

static int order_of(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(order_names); i++)
		if (strcmp(order_names[i], name) == 0)
			return (int)i;
	return -1;
}

/* How many parentheses of a likely() are open behind this line, if so many were before it. */
static int open_behind(const char *line, int open)
{
	const char *c = open > 0 ? line : strstr(line, "likely(");

	for (; c != NULL && *c != 0; c++) {
		open += (*c == '(') - (*c == ')');
		if (open == 0 && *c == ')')
			break;
	}
	return open;
}

/* In kernel style a body begins with '{' and ends with '}' in the first column; short ones stand in one line. */
static int line_of_use(FILE *source, const char *function, const char *operation, unsigned n, struct place *p)
{
	char line[512], use[96], head[96];
	bool named = false, inside = false;
	int number = 0, open = 0, begins = 0;

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
			if (--n == 0) {
				const char *first = strstr(line, use);
				const char *beside = first < at ? first : strstr(at + 1, use);

				p->begins = open > 0 ? begins : number;
				p->other = beside != NULL ? (int)(beside - line) + 1 : 0;
				return number;
			}
		begins = open > 0 ? begins : number;
		open = open_behind(line, open);
		if (line[0] == '}')
			inside = named = false;
	}
	return 0;
}

int weaken_add(const char *name)
{
	char function[64], operation[32], path[512];
	const char *here = __FILE__, *order;
	struct place *p = &places[places_n];
	unsigned n;
	FILE *source;

	if (places_n == PLACES || sscanf(name, "%127s %63s %31s %u", p->file, function, operation, &n) != 4 || n == 0)
		return -1;
	order = strrchr(operation, '_');
	p->order = order != NULL ? order_of(order + 1) : -1;
	p->instead = -1;
	snprintf(path, sizeof(path), "%.*s%s", (int)(strstr(here, "bench/explore/") - here), here, p->file);
	source = fopen(path, "r");
	if (p->order < 0 || source == NULL)
		return -1;
	p->line = line_of_use(source, function, operation, n, p);
	fclose(source);
	return p->line != 0 ? (int)places_n++ : -1;
}

bool weaken_set(int place, const char *order)
{
	places[place].instead = order_of(order);
	return places[place].instead >= 0;
}

void weaken_unset(int place)
{
	places[place].instead = -1;
}

bool weaken_reached(int place)
{
	return places[place].reached;
}

static int place_of(const struct access *a)
{
	int line = 0, column = 1;
	const char *file = debug_line(a->pc, &line, &column);

	for (unsigned i = 0; i < places_n && file != NULL; i++)
		if ((places[i].line == line || places[i].begins == line) && places[i].order == a->order &&
		    strcmp(file, places[i].file) == 0 && places[i].other != column)
			return (int)i;
	return -1;
}

/* An access has one order: so its address is enough. */
static int place_at(const struct access *a)
{
	uint32_t i = (uint32_t)(((uintptr_t)a->pc * UINT64_C(0x9e3779b97f4a7c15)) >> 51);

	while (code[i].pc != NULL && code[i].pc != a->pc)
		i = (i + 1) & (CODE - 1);
	if (code[i].pc == NULL) {
		code[i].place = place_of(a);
		code[i].pc = a->pc;
	}
	return code[i].place;
}

int weaken_order(const struct access *a)
{
	int i;

	if (places_n == 0 || a->order == __ATOMIC_RELAXED)
		return a->order;
	i = place_at(a);
	if (i < 0)
		return a->order;
	places[i].reached = true;
	return places[i].instead >= 0 ? places[i].instead : a->order;
}
