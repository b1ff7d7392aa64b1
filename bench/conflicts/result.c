/* SPDX-License-Identifier: MIT */
/* result.c - see result.h. */
#include "bench/conflicts/result.h"

#include <stdlib.h>
#include <string.h>

#define EXAMPLES 3u

/* ---- JSON ---- */

static void put_count(struct json *out, const char *key, const struct tally *t, unsigned value)
{
	if (t)
		json_uint(out, key, value);
	else
		json_null(out, key);
}

static struct tally_count of_cell(const struct tally *t, struct suite_cell cell, bool spread)
{
	return t ? tally_cell(t, cell, spread) : (struct tally_count){ 0 };
}

static void put_pairs(struct json *out, const struct result_policy *r)
{
	const struct tally *packed = r->tally[PLACED_PACKED], *spread = r->tally[PLACED_SPREAD];
	struct json *pairs = json_array(out, "pairs");

	for (unsigned i = 0; i < SUITE_CELLS; i++) {
		struct suite_cell cell = suite_cell_at(i);
		struct tally_count p = of_cell(packed, cell, true), s = of_cell(spread, cell, true);
		struct tally_count only = of_cell(packed, cell, false);
		struct json *row;

		if (!p.tests && !s.tests && !only.tests)
			continue;
		row = json_row(pairs);
		json_text(row, "first", call_kind_name[cell.a]);
		json_text(row, "second", call_kind_name[cell.b]);
		json_bool(row, "mutators", suite_mutator(cell.a) && suite_mutator(cell.b));
		json_uint(row, "tests", p.tests > s.tests ? p.tests : s.tests);
		put_count(row, "packed", packed, p.none);
		put_count(row, "spread", spread, s.none);
		put_count(row, "lines", spread, s.line);
		put_count(row, "packed_lines", packed, p.line);
		put_count(row, "waived", spread, s.waived);
		put_count(row, "packed_only_tests", packed, only.tests);
		put_count(row, "packed_only", packed, only.none);
	}
}

static void put_relations(struct json *out, const struct result_policy *r)
{
	const struct tally *packed = r->tally[PLACED_PACKED], *spread = r->tally[PLACED_SPREAD];
	struct json *relations = json_array(out, "relations");

	for (unsigned i = 0; i < SUITE_RELATIONS; i++) {
		struct tally_count p = { 0 }, s = { 0 };
		struct json *row = json_row(relations);

		if (packed)
			p = tally_relation(packed, (enum suite_relation)i, true);
		if (spread)
			s = tally_relation(spread, (enum suite_relation)i, true);
		json_text(row, "relation", suite_relation_name[i]);
		json_uint(row, "tests", p.tests > s.tests ? p.tests : s.tests);
		put_count(row, "packed", packed, p.none);
		put_count(row, "spread", spread, s.none);
		put_count(row, "lines", spread, s.line);
	}
}

struct named { const char *label, *field; unsigned byte, line; };

/* A test counts once for an object, whatever cells and places in the code name it. */
static size_t name_objects(const struct tally *t, struct named *list)
{
	size_t n = 0;

	for (size_t i = 0; i < t->findings; i++) {
		const struct tally_finding *f = &t->finding[i];
		size_t at = 0;

		while (at < n && (strcmp(list[at].label, f->label) != 0 || strcmp(list[at].field, f->field) != 0))
			at++;
		if (at == n)
			list[n++] = (struct named){ .label = f->label, .field = f->field };
	}
	return n;
}

static bool is_of(const struct named *n, const struct tally_finding *f)
{
	return !strcmp(n->label, f->label) && !strcmp(n->field, f->field);
}

static void count_object(const struct tally *t, struct named *n)
{
	for (size_t i = 0; i < t->seens;) {
		uint32_t test = t->seen[i].test;
		bool byte = false, line = false;

		for (; i < t->seens && t->seen[i].test == test; i++) {
			const struct tally_finding *f = &t->finding[t->seen[i].finding];

			byte |= f->byte && is_of(n, f);
			line |= !f->byte && is_of(n, f);
		}
		n->byte += byte;
		n->line += line && !byte;
	}
}

static int by_tests(const void *x, const void *y)
{
	const struct named *a = x, *b = y;
	unsigned many = a->byte + a->line, other = b->byte + b->line;
	int by = (many < other) - (many > other);

	by = by ? by : strcmp(a->label, b->label);
	return by ? by : strcmp(a->field, b->field);
}

static void put_objects(struct json *out, const struct tally *t)
{
	struct named *list = calloc(t->findings + 1, sizeof(*list));
	size_t n = list ? name_objects(t, list) : 0;

	for (size_t i = 0; i < n; i++)
		count_object(t, &list[i]);
	if (n)
		qsort(list, n, sizeof(*list), by_tests);
	for (size_t i = 0; i < n; i++) {
		struct json *row = json_row(out);

		json_text(row, "placement", placement_name[t->placement]);
		json_text(row, "label", list[i].label);
		json_text(row, "field", list[i].field);
		json_uint(row, "tests", list[i].byte);
		json_uint(row, "lines", list[i].line);
	}
	free(list);
}

void result_json(struct json *out, const struct result_policy *r)
{
	const struct tally *packed = r->tally[PLACED_PACKED], *spread = r->tally[PLACED_SPREAD];
	struct tally_count p = { 0 }, s = { 0 }, only = { 0 };
	struct json *sub;

	if (packed) {
		p = tally_all(packed, true);
		only = tally_all(packed, false);
	}
	if (spread)
		s = tally_all(spread, true);
	json_text(out, "policy", r->policy);
	json_uint(out, "seed", r->seed);
	json_uint(out, "distance", r->distance);
	json_uint(out, "digest", r->digest);
	json_uint(out, "tests", p.tests > s.tests ? p.tests : s.tests);
	put_count(out, "packed_conflict_free", packed, p.none);
	put_count(out, "spread_conflict_free", spread, s.none);
	put_count(out, "waived", spread, s.waived);
	put_pairs(out, r);
	put_relations(out, r);
	sub = json_sub(out, "packed_only");
	put_count(sub, "tests", packed, only.tests);
	put_count(sub, "conflict_free", packed, only.none);
	sub = json_array(out, "objects");
	for (unsigned i = 0; i < PLACEMENTS; i++)
		if (r->tally[i])
			put_objects(sub, r->tally[i]);
}

/* ---- text ---- */

static void print_line(FILE *out, const struct result_policy *r, const char *what, const struct tally_count *c)
{
	fprintf(out, "%-10s %-12s %6u tests  %6u free (%6.2f %%)  %5u line only  %5u byte", r->policy, what, c->tests,
		c->none, 100 * tally_share(c, false), c->line, c->byte);
	fprintf(out, "  %5u waived (then %6.2f %%)\n", c->waived, 100 * tally_share(c, true));
}

static void print_worst(FILE *out, const struct tally *t)
{
	struct suite_cell free = { 0, 0 }, waived = { 0, 0 };
	double share = tally_worst(t, false, &free), then = tally_worst(t, true, &waived);
	char name[2][64];

	fprintf(out, "%-10s %-12s worst of two mutators: %s, %.2f %%; with waivers %s, %.2f %%\n", t->policy,
		placement_name[t->placement], tally_cell_name(name[0], free), 100 * share,
		tally_cell_name(name[1], waived), 100 * then);
}

void result_print(FILE *out, const struct result_policy *r)
{
	for (unsigned i = 0; i < PLACEMENTS; i++) {
		struct tally_count c;

		if (!r->tally[i])
			continue;
		c = tally_all(r->tally[i], true);
		print_line(out, r, placement_name[i], &c);
		print_worst(out, r->tally[i]);
	}
	if (r->tally[PLACED_PACKED]) {
		struct tally_count c = tally_all(r->tally[PLACED_PACKED], false);

		print_line(out, r, "packed only", &c);
	}
}

/* ---- one cell ---- */

static void print_example(FILE *out, const struct result_policy *r, const struct tally *t, uint32_t id)
{
	struct placed p;

	suite_print(out, &t->suite->test[id]);
	if (!placed_make(&p, &t->suite->test[id], t->placement, r->distance))
		placed_print(out, &p);
	fputc('\n', out);
}

static void why_placement(FILE *out, const struct result_policy *r, const struct tally *t, struct suite_cell cell)
{
	struct tally_count both = tally_cell(t, cell, true), only = tally_cell(t, cell, false);
	uint32_t *sorted = tally_sorted(t), example[EXAMPLES];
	unsigned examples = 0;
	char name[64];

	fprintf(out, "%s %s %s: %u tests, %u in a byte, %u in a line only", t->policy, placement_name[t->placement],
		tally_cell_name(name, cell), both.tests + only.tests, both.byte + only.byte, both.line + only.line);
	fprintf(out, "%s\n", both.byte + only.byte + both.line + only.line ? "" : ": nothing to show");
	for (size_t i = 0; sorted && i < t->findings; i++) {
		const struct tally_finding *f = &t->finding[sorted[i]];
		bool shown = false;

		if (f->cell.a != cell.a || f->cell.b != cell.b)
			continue;
		fprintf(out, "%6u tests  %s  %s.%s  %s%s\n"
			"              A %s\n              B %s\n              first: test %u\n",
			f->tests, f->byte ? "byte" : "line", f->label, f->field, suite_relation_name[f->relation],
			f->waived ? ", waived" : "", f->at_a, f->at_b, t->suite->test[f->example].number);
		for (unsigned k = 0; k < examples; k++)
			shown |= example[k] == f->example;
		if (!shown && examples < EXAMPLES)
			example[examples++] = f->example;
	}
	fputc('\n', out);
	for (unsigned k = 0; k < examples; k++)
		print_example(out, r, t, example[k]);
	free(sorted);
}

void result_why(FILE *out, const struct result_policy *r, struct suite_cell cell)
{
	for (unsigned i = 0; i < PLACEMENTS; i++)
		if (r->tally[i])
			why_placement(out, r, r->tally[i], cell);
}
