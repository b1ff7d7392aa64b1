/* SPDX-License-Identifier: MIT */
/* tally.c - see tally.h. */
#include "bench/conflicts/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tally_open(struct tally *t, const struct suite *suite, const char *policy, enum placement placement)
{
	*t = (struct tally){ .suite = suite, .policy = policy, .placement = placement };
	t->verdict = calloc(suite->n + 1, 1);
	t->slots = 1024;
	t->slot = calloc(t->slots, sizeof(*t->slot));
	if (t->verdict && t->slot)
		return 0;
	tally_close(t);
	return -ENOMEM;
}

void tally_close(struct tally *t)
{
	for (size_t i = 0; i < t->findings; i++) {
		free(t->finding[i].label);
		free(t->finding[i].field);
		free(t->finding[i].at_a);
		free(t->finding[i].at_b);
	}
	free(t->finding);
	free(t->seen);
	free(t->slot);
	free(t->verdict);
	memset(t, 0, sizeof(*t));
}

/* ---- findings ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return hash;
}

static uint64_t hash_of(const struct tally_finding *f)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)(f->cell.a * 64 + f->cell.b * 2 + f->byte) ^
			(uint64_t)f->relation << 32;

	return hash_text(hash_text(hash_text(hash_text(hash, f->label), f->field), f->at_a), f->at_b);
}

static bool same(const struct tally_finding *x, const struct tally_finding *y)
{
	return x->cell.a == y->cell.a && x->cell.b == y->cell.b && x->relation == y->relation && x->byte == y->byte &&
	       !strcmp(x->label, y->label) && !strcmp(x->field, y->field) && !strcmp(x->at_a, y->at_a) &&
	       !strcmp(x->at_b, y->at_b);
}

/* Where it stands, or where it would. */
static size_t slot_of(const struct tally *t, const struct tally_finding *f)
{
	size_t at = (size_t)hash_of(f) & (t->slots - 1);

	while (t->slot[at] && !same(&t->finding[t->slot[at] - 1], f))
		at = (at + 1) & (t->slots - 1);
	return at;
}

/* At most half full. */
static int widen(struct tally *t)
{
	uint32_t *old = t->slot;

	if (t->findings * 2 < t->slots)
		return 0;
	t->slot = calloc(t->slots * 2, sizeof(*t->slot));
	if (!t->slot) {
		t->slot = old;
		return -ENOMEM;
	}
	t->slots *= 2;
	for (size_t i = 0; i < t->findings; i++)
		t->slot[slot_of(t, &t->finding[i])] = (uint32_t)i + 1;
	free(old);
	return 0;
}

static int room(void **list, size_t used, size_t *have, size_t size)
{
	size_t want = *have ? *have * 2 : 256;
	void *more;

	if (used < *have)
		return 0;
	more = realloc(*list, want * size);
	if (!more)
		return -ENOMEM;
	*list = more;
	*have = want;
	return 0;
}

static int new_finding(struct tally *t, const struct tally_finding *f)
{
	struct tally_finding *own;
	int err = room((void **)&t->finding, t->findings, &t->finding_room, sizeof(*t->finding));

	if (err)
		return err;
	own = &t->finding[t->findings];
	*own = *f;
	own->label = strdup(f->label);
	own->field = strdup(f->field);
	own->at_a = strdup(f->at_a);
	own->at_b = strdup(f->at_b);
	t->findings++;                           /* from here on tally_close frees what it has                     */
	return own->label && own->field && own->at_a && own->at_b ? 0 : -ENOMEM;
}

static int find(struct tally *t, const struct test *test, const struct run_conflict *c, uint32_t *out)
{
	struct tally_finding f = {
		.cell = { test->call[0].kind, test->call[1].kind },
		.relation = test->relation,
		.byte = c->byte,
		.label = (char *)c->label,
		.field = (char *)c->field,
		.at_a = (char *)c->at_a,
		.at_b = (char *)c->at_b,
		.example = test->id,
	};
	size_t at;
	int err = widen(t);

	if (err)
		return err;
	at = slot_of(t, &f);
	if (!t->slot[at]) {
		err = new_finding(t, &f);
		if (err)
			return err;
		t->slot[at] = (uint32_t)t->findings;
	}
	*out = t->slot[at] - 1;
	return 0;
}

static bool noted(const struct tally *t, uint32_t test, uint32_t finding)
{
	for (size_t i = t->seens; i-- > 0 && t->seen[i].test == test;)
		if (t->seen[i].finding == finding)
			return true;
	return false;
}

int tally_add(struct tally *t, const struct test *test, const struct run_verdict *v)
{
	enum tally_verdict worst = TALLY_NONE;
	int err = 0;

	for (unsigned i = 0; i < v->n && !err; i++) {
		uint32_t finding = 0;

		err = find(t, test, &v->conflict[i], &finding);
		worst = v->conflict[i].byte ? TALLY_BYTE : worst == TALLY_BYTE ? TALLY_BYTE : TALLY_LINE;
		if (err || noted(t, test->id, finding))
			continue;
		err = room((void **)&t->seen, t->seens, &t->seen_room, sizeof(*t->seen));
		if (!err) {
			t->seen[t->seens++] = (struct tally_seen){ test->id, finding };
			t->finding[finding].tests++;
		}
	}
	t->verdict[test->id] = (uint8_t)worst;
	return err;
}

/* ---- counts ---- */

struct filter { int a, b, relation; bool spread; };

static bool passes(const struct filter *f, const struct test *t)
{
	return (f->a < 0 || t->call[0].kind == f->a) && (f->b < 0 || t->call[1].kind == f->b) &&
	       (f->relation < 0 || t->relation == f->relation) && t->spread == f->spread;
}

static uint32_t number_of(const struct tally *t, size_t i) { return t->suite->test[i].number; }
static uint32_t test_of(const struct tally *t, size_t i) { return t->seen[i].test; }

/* The first of n, ascending, that is not below `least`. */
static size_t first_from(const struct tally *t, size_t n, uint32_t (*key)(const struct tally *, size_t), uint32_t least)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t middle = (lo + hi) / 2;

		if (key(t, middle) < least)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

/* The first test of this cell, or behind where it would be. */
static size_t first_of(const struct tally *t, int a, int b)
{
	return first_from(t, t->suite->n, number_of, (uint32_t)(a * (int)CALL_KINDS + b) * SUITE_CELL);
}

static struct tally_count count(const struct tally *t, struct filter f)
{
	struct tally_count c = { 0 };
	size_t first = f.a < 0 ? 0 : first_of(t, f.a, f.b), end = f.a < 0 ? t->suite->n : first_of(t, f.a, f.b + 1);
	size_t at = first_from(t, t->seens, test_of, (uint32_t)first);

	for (size_t i = first; i < end; i++) {
		bool waived = true;

		while (at < t->seens && t->seen[at].test < i)
			at++;
		for (; at < t->seens && t->seen[at].test == i; at++)
			waived &= t->finding[t->seen[at].finding].waived;
		if (!passes(&f, &t->suite->test[i]) || t->verdict[i] == TALLY_NOT_RUN)
			continue;
		c.tests++;
		c.none += t->verdict[i] == TALLY_NONE;
		c.line += t->verdict[i] == TALLY_LINE;
		c.byte += t->verdict[i] == TALLY_BYTE;
		c.waived += t->verdict[i] != TALLY_NONE && waived;
	}
	return c;
}

struct tally_count tally_cell(const struct tally *t, struct suite_cell cell, bool spread)
{
	return count(t, (struct filter){ cell.a, cell.b, -1, spread });
}

struct tally_count tally_relation(const struct tally *t, enum suite_relation relation, bool spread)
{
	return count(t, (struct filter){ -1, -1, (int)relation, spread });
}

struct tally_count tally_all(const struct tally *t, bool spread)
{
	return count(t, (struct filter){ -1, -1, -1, spread });
}

double tally_share(const struct tally_count *c, bool waived)
{
	return c->tests ? 1.0 * (c->none + (waived ? c->waived : 0)) / c->tests : 1;
}

double tally_worst(const struct tally *t, bool waived, struct suite_cell *worst)
{
	double least = 2;

	for (unsigned i = 0; i < SUITE_CELLS; i++) {
		struct suite_cell cell = suite_cell_at(i);
		struct tally_count c = tally_cell(t, cell, true);

		if (!suite_mutator(cell.a) || !suite_mutator(cell.b) || tally_share(&c, waived) >= least)
			continue;
		least = tally_share(&c, waived);
		*worst = cell;
	}
	return least;
}

/* ---- order ---- */

static int order(const void *x, const void *y, void *arg)
{
	const struct tally *t = arg;
	const struct tally_finding *a = &t->finding[*(const uint32_t *)x], *b = &t->finding[*(const uint32_t *)y];
	int by = (a->tests < b->tests) - (a->tests > b->tests);

	by = by ? by : (int)b->byte - (int)a->byte;
	by = by ? by : strcmp(a->label, b->label);
	by = by ? by : strcmp(a->field, b->field);
	by = by ? by : strcmp(a->at_a, b->at_a);
	by = by ? by : strcmp(a->at_b, b->at_b);
	by = by ? by : a->cell.a - b->cell.a;
	by = by ? by : a->cell.b - b->cell.b;
	return by ? by : a->relation - b->relation;
}

uint32_t *tally_sorted(const struct tally *t)
{
	uint32_t *list = calloc(t->findings + 1, sizeof(*list));

	for (size_t i = 0; list && i < t->findings; i++)
		list[i] = (uint32_t)i;
	if (list)
		qsort_r(list, t->findings, sizeof(*list), order, (void *)t);
	return list;
}

const char *tally_cell_name(char *text, struct suite_cell cell)
{
	snprintf(text, 64, "%s|%s", call_kind_name[cell.a], call_kind_name[cell.b]);
	return text;
}
