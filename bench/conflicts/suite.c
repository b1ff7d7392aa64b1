/* SPDX-License-Identifier: MIT */
/* suite.c - cells are filled one by one: candidates, then an even choice. See suite.h. */
#include "bench/conflicts/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bench/conflicts/draw.h"
#include "bench/conflicts/geometry.h"

#define CANDIDATES 1200u                         /* of a cell, at most                                             */
#define DRAWS      20000u

const char *const suite_relation_name[SUITE_RELATIONS] = {
	"same page", "same VMA", "same object", "adjacent", "apart", "anywhere",
};

bool suite_mutator(unsigned kind) { return kind <= CALL_BRK; }

bool suite_cell_parse(const char *text, struct suite_cell *out)
{
	for (unsigned a = 0; a < CALL_KINDS; a++) {
		size_t n = strlen(call_kind_name[a]);

		if (strncmp(text, call_kind_name[a], n) != 0 || text[n] != '|')
			continue;
		for (unsigned b = 0; b < CALL_KINDS; b++) {
			if (strcmp(text + n + 1, call_kind_name[b]) == 0) {
				*out = (struct suite_cell){ (uint8_t)a, (uint8_t)b };
				return true;
			}
		}
	}
	return false;
}

/* ---- candidates of a cell ---- */

struct candidate {
	struct test test;
	uint64_t class;
	uint32_t group, place;                   /* what is chosen first; position in its group                    */
	uint8_t weight;
};

struct cell {
	struct suite_cell kinds;
	struct draw draw;
	struct ref layout, spare[2], alone;
	struct candidate *candidate;
	unsigned n;
};

static bool told(const struct cell *c, uint64_t key)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->candidate[i].test.key == key)
			return true;
	return false;
}

/* Does the call, first of the two, change anything? */
static bool changes(struct cell *c, const struct call *call)
{
	struct rename objects = { { 0 } };
	struct answer answer;

	ref_copy(&c->alone, &c->layout);
	ref_run(&c->alone, call, 1, &answer);
	return !ref_same(&c->alone, &c->layout, &objects);
}

static bool stretched_commutes(struct cell *c, const struct test *t, const struct answer packed[2])
{
	struct answer answer[2];

	if (!scene_run(&c->alone, &t->scene, &t->stretch))
		return false;
	ref_fill(&c->alone);
	return ref_commute(&c->alone, t->call, c->spare, answer) == 1 &&
	       (answer[0].result < 0) == (packed[0].result < 0) && (answer[1].result < 0) == (packed[1].result < 0);
}

/* A test in which both calls do something tells most. */
static void weigh(struct cell *c, struct candidate *k, const struct answer answer[2])
{
	unsigned does = 0;

	for (unsigned i = 0; i < 2; i++) {
		bool good = answer[i].result >= 0 &&
			    (!suite_mutator(k->test.call[i].kind) || changes(c, &k->test.call[i]));

		does |= (unsigned)good << i;
	}
	k->weight = does == 3 ? 6 : does ? 2 : 1;
	k->group = (uint32_t)k->test.call[0].form << 16 | (uint32_t)k->test.call[1].form << 8 | does;
}

static int consider(struct cell *c, const struct scene *scene)
{
	struct candidate k = { .test = { .scene = *scene } };
	struct answer answer[2];
	struct geometry geometry;
	int commutes;

	if (!draw_call(&c->draw, c->kinds.a, 1, &k.test.call[0]) ||
	    !draw_call(&c->draw, c->kinds.b, 2, &k.test.call[1]))
		return 0;
	geometry_open(&geometry, &c->layout, scene, k.test.call);
	k.test.key = geometry_key(&geometry);
	if (told(c, k.test.key))
		return 0;
	commutes = ref_commute(&c->layout, k.test.call, c->spare, answer);
	if (commutes <= 0)
		return commutes;
	k.test.relation = (uint8_t)geometry_relation(&geometry);
	k.class = geometry_class(&geometry);
	if (k.test.relation == SUITE_SAME_PAGE)
		k.test.spread = geometry_looks(&geometry);
	else if (k.test.relation != SUITE_SAME_VMA)
		k.test.spread = geometry_stretch(&geometry, &k.test.stretch) && stretched_commutes(c, &k.test, answer);
	weigh(c, &k, answer);
	c->candidate[c->n++] = k;
	return 0;
}

/* Scenes with a heap serve the cells of brk; every eighth serves the others, too. */
static const struct scene *pick_scene(struct cell *c, const struct scenes *s)
{
	bool brk = c->kinds.a == CALL_BRK || c->kinds.b == CALL_BRK;
	size_t heaps = s->n - s->heaps, at;

	if (brk ? prng_below(&c->draw.rng, 4) : !prng_below(&c->draw.rng, 16))
		at = heaps + prng_below(&c->draw.rng, s->heaps);
	else
		at = prng_below(&c->draw.rng, heaps);
	c->draw.heap = brk || at >= heaps;
	return &s->scene[at];
}

static int find(struct cell *c, const struct scenes *scenes, uint64_t seed)
{
	int err = 0;

	c->n = 0;
	c->draw.rng = prng_seed(seed, suite_cell_index(c->kinds));
	c->draw.layout = &c->layout;
	for (unsigned i = 0; i < DRAWS && c->n < CANDIDATES && !err; i++) {
		const struct scene *scene = pick_scene(c, scenes);

		if (scene_run(&c->layout, scene, NULL))
			err = consider(c, scene);
	}
	return err;
}

/* ---- an even choice ---- */

static int compare(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

/* By group, in it by class. */
static int by_class(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	int order = compare(!a->test.spread, !b->test.spread);

	order = order ? order : compare(a->group, b->group);
	order = order ? order : compare(a->class, b->class);
	return order ? order : compare(a->test.key, b->test.key);
}

/* By group, in it the first of each class, then the second of each. */
static int by_round(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	int order = compare(!a->test.spread, !b->test.spread);

	order = order ? order : compare(a->group, b->group);
	order = order ? order : compare(a->place, b->place);
	return order ? order : compare(a->class, b->class);
}

static int by_choice(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	int order = compare(!a->test.spread, !b->test.spread);

	order = order ? order : compare(a->place, b->place);
	order = order ? order : compare(a->group, b->group);
	return order ? order : compare(a->test.key, b->test.key);
}

static bool same_group(const struct candidate *a, const struct candidate *b)
{
	return a->group == b->group && a->test.spread == b->test.spread;
}

static void choose(struct cell *c)
{
	qsort(c->candidate, c->n, sizeof(*c->candidate), by_class);
	for (unsigned i = 0; i < c->n; i++) {
		struct candidate *now = &c->candidate[i];
		bool again = i && same_group(now, now - 1) && now->class == now[-1].class;

		now->place = again ? now[-1].place + 1 : 0;
	}
	qsort(c->candidate, c->n, sizeof(*c->candidate), by_round);
	for (unsigned i = 0, at = 0; i < c->n; i++) {
		at = i && same_group(&c->candidate[i], &c->candidate[i - 1]) ? at + 1 : 0;
		c->candidate[i].place = at * 60 / c->candidate[i].weight;
	}
	qsort(c->candidate, c->n, sizeof(*c->candidate), by_choice);
}

/* Both are bytes only: no padding, the same with every compiler. */
static void digest_test(struct suite *s, const struct test *t)
{
	const uint8_t *part[] = { (const uint8_t *)&t->scene, (const uint8_t *)t->call };
	size_t size[] = { sizeof(t->scene), sizeof(t->call) };

	for (unsigned i = 0; i < 2; i++)
		for (size_t k = 0; k < size[i]; k++)
			s->digest = s->digest * UINT64_C(0x100000001b3) + part[i][k];
	s->digest = prng_mix(s->digest ^ t->key ^ t->spread);
}

static void take(struct suite *out, struct cell *c)
{
	unsigned most[2] = { SUITE_PACKED, SUITE_SPREAD }, taken = 0;

	choose(c);
	for (unsigned i = 0; i < c->n; i++) {
		struct test *t = &c->candidate[i].test;

		if (!most[t->spread])
			continue;
		most[t->spread]--;
		t->id = (uint32_t)out->n;
		t->number = suite_cell_index(c->kinds) * SUITE_CELL + taken++;
		out->spread += t->spread;
		out->test[out->n++] = *t;
		digest_test(out, t);
	}
}

static int open_cell(struct cell *c)
{
	struct ref *ref[] = { &c->layout, &c->spare[0], &c->spare[1], &c->alone };
	int err = 0;

	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < 4; i++)
		err |= ref_open(ref[i]);
	c->candidate = calloc(CANDIDATES, sizeof(*c->candidate));
	return err || !c->candidate ? -ENOMEM : 0;
}

static void close_cell(struct cell *c)
{
	ref_close(&c->layout);
	ref_close(&c->spare[0]);
	ref_close(&c->spare[1]);
	ref_close(&c->alone);
	free(c->candidate);
}

int suite_make(struct suite *out, uint64_t seed, const struct suite_cell *only)
{
	struct scenes scenes;
	struct cell cell;
	int err = scenes_make(&scenes);

	*out = (struct suite){ .n = 0 };
	if (err)
		return err;
	err = open_cell(&cell);
	out->test = calloc((size_t)SUITE_CELLS * SUITE_CELL, sizeof(*out->test));
	if (!out->test)
		err = -ENOMEM;
	for (unsigned i = 0; i < SUITE_CELLS && !err; i++) {
		cell.kinds = suite_cell_at(i);
		if (only && (only->a != cell.kinds.a || only->b != cell.kinds.b))
			continue;
		err = find(&cell, &scenes, seed);
		if (!err)
			take(out, &cell);
	}
	close_cell(&cell);
	scenes_free(&scenes);
	if (err)
		suite_free(out);
	return err;
}

void suite_free(struct suite *s)
{
	free(s->test);
	*s = (struct suite){ .n = 0 };
}
