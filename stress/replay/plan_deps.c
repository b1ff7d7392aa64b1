/* SPDX-License-Identifier: MIT */
/* plan_deps.c - see plan_deps.h. */
#include "stress/replay/plan_deps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static bool meet(const struct span *a, const struct span *b) { return a->lo < b->hi && b->lo < a->hi; }

/* Addresses that x's return gives away, y was given: x comes first although it is open together with y. */
static bool frees_for(const struct step *x, const struct step *y)
{
	bool frees = (x->r.call == CALL_MUNMAP || x->target.hi) && x->r.result >= 0;
	bool given = y->r.result >= 0 && ((y->r.call == CALL_MMAP && !(y->r.flags & MAP_FIXED)) || y->target.hi);

	return frees && given && x->thread != y->thread && meet(&x->range, y->target.hi ? &y->target : &y->range);
}

static bool open_together(const struct step *x, const struct step *y)
{
	return x->r.line < y->r.end_line && y->r.line < x->r.end_line;
}

/* end_line is the sorting key; twice as fine here, so that a step can be put just before another. */
struct key { uint64_t at; uint32_t step; };

static int by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at ? 1 : x->step < y->step ? -1 : x->step > y->step;
}

/* Steps come sorted by start: those open together with step i stand near it. */
static uint64_t key_of(const struct plan *p, uint32_t i, uint32_t longest)
{
	const struct step *x = &p->step[i];
	uint64_t at = 2 * (uint64_t)x->r.end_line;

	if (x->r.end_line == x->r.line)
		return at;
	for (uint32_t k = i; k-- > 0 && p->step[k].r.line + longest >= x->r.line;) {
		const struct step *y = &p->step[k];

		if (open_together(x, y) && y->r.end_line < x->r.end_line && frees_for(x, y) &&
		    2 * (uint64_t)y->r.end_line - 1 < at)
			at = 2 * (uint64_t)y->r.end_line - 1;
	}
	for (uint32_t k = i + 1; k < p->steps && p->step[k].r.line < x->r.end_line; k++) {
		const struct step *y = &p->step[k];

		if (y->r.end_line < x->r.end_line && frees_for(x, y) && 2 * (uint64_t)y->r.end_line - 1 < at)
			at = 2 * (uint64_t)y->r.end_line - 1;
	}
	return at;
}

int plan_order(struct plan *p)
{
	struct key *keys = malloc((p->steps + 1) * sizeof(*keys));
	struct step *sorted = malloc((p->steps + 1) * sizeof(*sorted));
	uint32_t longest = 0;

	if (!keys || !sorted) {
		free(keys);
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < p->steps; i++) {
		uint32_t length = p->step[i].r.end_line - p->step[i].r.line;

		longest = length > longest ? length : longest;
	}
	for (uint32_t i = 0; i < p->steps; i++)
		keys[i] = (struct key){ key_of(p, i, longest), i };
	qsort(keys, p->steps, sizeof(*keys), by_key);
	for (uint32_t i = 0; i < p->steps; i++) {
		sorted[i] = p->step[keys[i].step];
		sorted[i].key = keys[i].at;
	}
	free(p->step);
	free(keys);
	p->step = sorted;
	return 0;
}

/* ---- observed ---- */

static void observed(struct plan *p, uint32_t i)
{
	struct step *y = &p->step[i];
	uint32_t lo = 0, hi = i;

	while (lo < hi) {                        /* the first step whose key is not before y's start               */
		uint32_t mid = lo + (hi - lo) / 2;

		if (p->step[mid].key < 2 * (uint64_t)y->r.line)
			lo = mid + 1;
		else
			hi = mid;
	}
	y->prefix = lo;
	for (uint32_t k = lo; k < i; k++) {
		if (frees_for(&p->step[k], y))
			y->prefix = k + 1;
	}
}

/* ---- fast ---- */

#define CHUNK_BITS 22u                           /* addresses are looked up by 4 MiB                               */
#define TABLE_BITS 14u
#define WIDE 64u                                 /* a range of more chunks is kept in a list of its own            */

struct link { uint32_t step, next; };            /* next: index + 1                                                */
struct table { uint32_t head[1u << TABLE_BITS], wide; struct link *link; uint32_t links, room; };

static uint32_t slot_of(uint64_t chunk)
{
	return (uint32_t)((chunk * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - TABLE_BITS));
}

static int push(struct table *t, uint32_t *head, uint32_t step)
{
	if (t->links == t->room) {
		struct link *more = realloc(t->link, (t->room * 2 + 64) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->link = more;
		t->room = t->room * 2 + 64;
	}
	t->link[t->links] = (struct link){ step, *head };
	*head = ++t->links;
	return 0;
}

static int add_dep(struct plan *p, struct step *y, uint32_t step)
{
	for (uint32_t k = y->first_dep; k < y->first_dep + y->deps; k++) {
		uint32_t *have = &p->dep[k];

		if (p->step[*have].thread == p->step[step].thread) {     /* the later one of a thread is enough       */
			*have = step > *have ? step : *have;
			return 0;
		}
	}
	if (p->all_deps == p->dep_room) {
		uint32_t *more = realloc(p->dep, (p->dep_room * 2 + 64) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->dep = more;
		p->dep_room = p->dep_room * 2 + 64;
	}
	p->dep[p->all_deps++] = step;
	y->deps++;
	return 0;
}

/* Waits for the steps of this list that meet `part` of y; one that covers it has waited for all before. */
static int scan(struct plan *p, struct step *y, const struct table *t, uint32_t head, const struct span *part)
{
	for (; head; head = t->link[head - 1].next) {
		const struct step *x = &p->step[t->link[head - 1].step];
		int err = 0;

		if (!meet(&x->range, part) && !meet(&x->target, part))
			continue;
		if (x->thread != y->thread)
			err = add_dep(p, y, t->link[head - 1].step);
		if (err)
			return err;
		if (x->range.lo <= part->lo && part->hi <= x->range.hi)
			break;
	}
	return 0;
}

static int visit_range(struct plan *p, struct table *t, uint32_t i, const struct span *range, bool insert)
{
	uint64_t first = range->lo >> CHUNK_BITS, last = (range->hi - 1) >> CHUNK_BITS;
	struct step *y = &p->step[i];
	int err;

	if (range->hi <= range->lo)
		return 0;
	if (last - first >= WIDE) {              /* rare: after and before everything                              */
		for (uint32_t k = insert ? i : 0; k < i; k++) {
			const struct step *x = &p->step[k];

			err = 0;
			if (x->thread != y->thread && (meet(&x->range, range) || meet(&x->target, range)))
				err = add_dep(p, y, k);
			if (err)
				return err;
		}
		return insert ? push(t, &t->wide, i) : 0;
	}
	err = insert ? 0 : scan(p, y, t, t->wide, range);
	for (uint64_t chunk = first; chunk <= last && !err; chunk++) {
		struct span part = { chunk << CHUNK_BITS, (chunk + 1) << CHUNK_BITS };

		part.lo = range->lo > part.lo ? range->lo : part.lo;
		part.hi = range->hi < part.hi ? range->hi : part.hi;
		err = insert ? push(t, &t->head[slot_of(chunk)], i) : scan(p, y, t, t->head[slot_of(chunk)], &part);
	}
	return err;
}

/* A failed call, and one that names no address, has no range: it depends on nothing. */
static int fast(struct plan *p, struct table *t, uint32_t i)
{
	struct step *y = &p->step[i];
	int err = 0;

	y->first_dep = p->all_deps;
	y->deps = 0;
	for (int insert = 0; insert < 2 && !err; insert++) {
		err = visit_range(p, t, i, &y->range, insert);
		if (!err)
			err = visit_range(p, t, i, &y->target, insert);
	}
	return err;
}

int plan_deps(struct plan *p)
{
	struct table *t = calloc(1, sizeof(*t));
	uint32_t last_brk = UINT32_MAX;
	int err = t ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < p->steps && !err; i++) {
		struct step *y = &p->step[i];

		observed(p, i);
		err = fast(p, t, i);
		if (!err &&
		    y->r.call == CALL_BRK) { /* the break itself is shared state                           */
			if (last_brk != UINT32_MAX && p->step[last_brk].thread != y->thread)
				err = add_dep(p, y, last_brk);
			last_brk = i;
		}
	}
	if (t)
		free(t->link);
	free(t);
	return err;
}
