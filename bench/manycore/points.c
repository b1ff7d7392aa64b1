/* SPDX-License-Identifier: MIT */
/* points.c - see points.h. */
#include "bench/manycore/points.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/tool/json.h"
#include "bench/manycore/report.h"

#define PATH_BYTES 4096

const char *points_build(void)
{
	static char text[20];
	uint64_t hash = UINT64_C(0xcbf29ce484222325);    /* FNV-1a                                                  */
	FILE *f;
	int c;

	if (text[0])
		return text;
	f = fopen("/proc/self/exe", "r");
	while (f != NULL && (c = getc_unlocked(f)) != EOF)
		hash = (hash ^ (unsigned)c) * UINT64_C(0x100000001b3);
	if (f != NULL)
		fclose(f);
	snprintf(text, sizeof(text), "%016" PRIx64, hash);
	return text;
}

struct point points_new(const struct options *o, const char *policy, const char *profile, uint32_t cores)
{
	struct point p = {
		.cores = cores, .seconds = o->seconds, .warm_most = o->m.warm_most,
		.terms = { .quantum_ns = o->m.costs.quantum / TURN_PS, .ops = options_ops(o, cores),
			   .socket = o->m.costs.line.cores_per_socket },
	};

	snprintf(p.policy, sizeof(p.policy), "%s", policy);
	snprintf(p.profile, sizeof(p.profile), "%s", profile);
	snprintf(p.terms.costs, sizeof(p.terms.costs), "%s", o->costs);
	snprintf(p.terms.seed, sizeof(p.terms.seed), "%" PRIu64, o->m.seed);
	snprintf(p.build, sizeof(p.build), "%s", points_build());
	return p;
}

bool points_default(const struct point *p)
{
	return strcmp(p->terms.seed, "1") == 0 && p->terms.quantum_ns == 200 && p->terms.socket == 32;
}

bool points_plain(const struct point *p)
{
	return points_default(p) && strcmp(p->terms.costs, "100") == 0;
}

bool points_whole(const struct point *p)
{
	return p->steady && points_ops(p) >= POINTS_WHOLE * (double)options_ops(&(struct options){ 0 }, p->cores);
}

bool points_worse(const struct point *a, const struct point *b)
{
	return a->ops < b->ops || (!a->steady && (b->steady || a->warm < b->warm));
}

double points_ops(const struct point *p)
{
	return measure_ops(profile_find(p->profile), p->ops, p->cores);
}

/* ---- the table ---- */

static int by_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_model(const struct point_terms *a, const struct point_terms *b)
{
	int order = by_number(strtoull(a->costs, NULL, 10), strtoull(b->costs, NULL, 10));

	if (order == 0)
		order = by_number(a->quantum_ns, b->quantum_ns);
	if (order == 0)
		order = by_number(a->socket, b->socket);
	return order != 0 ? order : strcmp(a->seed, b->seed);
}

static int by_place(const void *x, const void *y)
{
	const struct point *a = x, *b = y;
	int order = strcmp(a->profile, b->profile);

	if (order == 0)
		order = strcmp(a->policy, b->policy);
	if (order == 0)
		order = by_model(&a->terms, &b->terms);
	return order != 0 ? order : by_number(a->cores, b->cores);
}

struct point *points_find(const struct point_list *list, const struct point *place)
{
	for (size_t i = 0; i < list->n; i++)
		if (by_place(&list->at[i], place) == 0)
			return &list->at[i];
	return NULL;
}

/* The point of p's place; else one of the same profile, policy and cores that does not say what its model was. */
static struct point *replaced_by(const struct point_list *list, const struct point *p)
{
	struct point mute = *p, *there = points_find(list, p);

	mute.terms = (struct point_terms){ .costs = "" };
	return there != NULL ? there : points_find(list, &mute);
}

static void put(struct point_list *list, const struct point *p)
{
	struct point *there = replaced_by(list, p);

	if (there == NULL && list->n == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		list->at = realloc(list->at, list->room * sizeof(*list->at));
		CHECK(list->at != NULL);
	}
	if (there == NULL)
		there = &list->at[list->n++];
	*there = *p;
}

void points_put(struct points *t, const struct point *p)
{
	struct point *dear = p->ops > 0 ? replaced_by(&t->dear, p) : NULL;

	put(p->ops > 0 ? &t->done : &t->dear, p);
	if (dear != NULL)
		*dear = t->dear.at[--t->dear.n];
}

void points_free(struct points *t)
{
	free(t->done.at);
	free(t->dear.at);
	*t = (struct points){ 0 };
}

static void sort(struct point_list *list)
{
	if (list->n > 0)
		qsort(list->at, list->n, sizeof(*list->at), by_place);
}

/* ---- the file ---- */

static void text_at(const struct json *row, const char *key, char *out, size_t bytes)
{
	snprintf(out, bytes, "%s", json_text_at(row, key, ""));
}

/* What a point does not say is 0; without costs it has no model, whatever else it says. */
static struct point parse(const struct json *row)
{
	struct point p = {
		.cores = (uint32_t)json_real_at(row, "cores", 0),
		.terms = { .quantum_ns = (uint64_t)json_real_at(row, "quantum_ns", 0),
			   .ops = (uint64_t)json_real_at(row, "ops_wanted", 0),
			   .socket = (uint32_t)json_real_at(row, "socket", 0) },
		.seconds = json_real_at(row, "seconds", 0),
		.warm_most = (unsigned)json_real_at(row, "warm_most", 0),
		.ops = (uint64_t)json_real_at(row, "ops", 0),
		.ops_per_s = json_real_at(row, "ops_per_s", 0),
		.transfers = json_real_at(row, "transfers_per_op", 0),
		.cold = json_real_at(row, "first_touches_per_op", 0),
		.warm = (unsigned)json_real_at(row, "warm_blocks", 0),
		.steady = json_bool_at(row, "steady", false),
	};

	text_at(row, "policy", p.policy, sizeof(p.policy));
	text_at(row, "profile", p.profile, sizeof(p.profile));
	text_at(row, "costs", p.terms.costs, sizeof(p.terms.costs));
	text_at(row, "seed", p.terms.seed, sizeof(p.terms.seed));
	text_at(row, "build", p.build, sizeof(p.build));
	if (p.terms.costs[0] == '\0')
		p.terms = (struct point_terms){ .ops = p.terms.ops };
	return p;
}

static void read_list(struct points *t, const struct json *rows)
{
	for (const struct json *row = json_first(rows); row != NULL; row = json_next(row)) {
		struct point p = parse(row);

		if (p.cores > 0 && profile_find(p.profile) != NULL)
			points_put(t, &p);
	}
}

int points_read(struct points *t, const char *dir)
{
	char path[PATH_BYTES];
	struct json *root;
	int err;

	*t = (struct points){ 0 };
	snprintf(path, sizeof(path), "%s/points.json", dir);
	err = json_read(&root, path);
	if (err)
		return err == -ENOENT ? 0 : err;
	read_list(t, json_member(root, "points"));
	read_list(t, json_member(root, "too_dear"));
	json_free(root);
	sort(&t->done);
	sort(&t->dear);
	return 0;
}

static void write_list(struct json *rows, const struct point_list *list)
{
	for (const struct point *p = list->at; p < list->at + list->n; p++) {
		struct json *row = json_row(rows);

		json_text(row, "policy", p->policy);
		json_text(row, "profile", p->profile);
		json_uint(row, "cores", p->cores);
		if (p->ops > 0) {
			json_uint(row, "ops", p->ops);
			json_uint(row, "ops_per_core", (uint64_t)points_ops(p));
			json_real(row, "ops_per_s", p->ops_per_s);
			json_real(row, "transfers_per_op", p->transfers);
			json_real(row, "first_touches_per_op", p->cold);
			json_uint(row, "warm_blocks", p->warm);
			json_bool(row, "steady", p->steady);
		}
		json_text(row, "costs", p->terms.costs);
		json_text(row, "seed", p->terms.seed);
		json_uint(row, "quantum_ns", p->terms.quantum_ns);
		json_uint(row, "socket", p->terms.socket);
		json_uint(row, "ops_wanted", p->terms.ops);
		json_uint(row, "warm_most", p->warm_most);
		json_real(row, "seconds", p->seconds);
		json_text(row, "build", p->build);
	}
}

int points_write(struct points *t, const char *dir)
{
	struct json *root = json_object();
	char path[PATH_BYTES], fresh[PATH_BYTES];
	int err;

	sort(&t->done);
	sort(&t->dear);
	json_text(root, "command", "sweep");
	report_limits(root);
	write_list(json_array(root, "points"), &t->done);
	write_list(json_array(root, "too_dear"), &t->dear);
	snprintf(path, sizeof(path), "%s/points.json", dir);
	snprintf(fresh, sizeof(fresh), "%s/points.json.new", dir);
	err = json_write(root, fresh);
	json_free(root);
	if (!err && rename(fresh, path) != 0)
		err = -errno;
	return err;
}
