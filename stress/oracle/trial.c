/* SPDX-License-Identifier: MIT */
/* trial.c - see trial.h. Shrinking: delta debugging (Zeller and Hildebrandt 2002) over the list of calls. */
#include "stress/oracle/trial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void pairing_clear(struct pairing *p)
{
	if (p->number)
		memset(p->number, 0, p->room * sizeof(*p->number));
}

/* The party's number for this object of the model, which it must keep. Stored + 1, 0 = not seen. */
static bool pair(struct pairing *p, uint64_t object, uint64_t number)
{
	if (!object != !number)
		return false;
	if (object >= p->room) {
		uint32_t room = (uint32_t)object * 2 + 64;

		p->number = realloc(p->number, room * sizeof(*p->number));
		memset(p->number + p->room, 0, (room - p->room) * sizeof(*p->number));
		p->room = room;
	}
	if (!p->number[object])
		p->number[object] = number + 1;
	return p->number[object] == number + 1;
}

static bool differ(char *why, const char *what, const struct row *want, const struct row *have)
{
	snprintf(why, 160, "%s at %#" PRIx64 ": model %#" PRIx64 "-%#" PRIx64 ", party %#" PRIx64 "-%#" PRIx64, what,
		 have->start > want->start ? have->start : want->start, want->start, want->end, have->start, have->end);
	return false;
}

static bool same_row(const struct row *w, const struct row *h, bool deep, struct pairing *pairing, char *why)
{
	if (w->prot != h->prot)
		return differ(why, "protection", w, h);
	if (w->shared != h->shared)
		return differ(why, "shared or private", w, h);
	if (w->object && w->offset - w->start != h->offset - h->start)
		return differ(why, "offset", w, h);
	if (!pair(pairing, w->object, h->object))
		return differ(why, "object", w, h);
	if (deep && w->advice != h->advice)
		return differ(why, "advice", w, h);
	if (deep && w->noreserve != h->noreserve)
		return differ(why, "noreserve", w, h);
	return true;
}

bool trial_same(const struct model *m, const struct row *want, unsigned wants, const struct row *have, unsigned haves,
		bool deep, struct pairing *pairing, char *why)
{
	static const struct row none = { .start = UINT64_MAX, .end = UINT64_MAX };
	unsigned i = 0, k = 0;
	uint64_t at = 0;

	while (i < wants || k < haves) {
		const struct row *w = i < wants ? &want[i] : &none, *h = k < haves ? &have[k] : &none;
		uint64_t ws = w->start > at ? w->start : at, hs = h->start > at ? h->start : at;

		if (ws != hs)
			return differ(why, ws < hs ? "missing" : "not expected", w, h);
		if (!same_row(w, h, deep, pairing, why))
			return false;
		at = w->end < h->end ? w->end : h->end;
		if (w->end != h->end && !model_loose(m, at))
			return differ(why, w->end > h->end ? "split where it should be one VMA" : "merged where it should be two", w, h);
		i += w->end == at;
		k += h->end == at;
	}
	return true;
}

int trial_open(struct trial *t, const struct party *party, uint64_t lo, uint64_t hi)
{
	memset(t, 0, sizeof(*t));
	t->party = *party;
	t->room = (unsigned)((hi - lo) / PAGE + 2);
	t->want = calloc(t->room, sizeof(*t->want));
	t->have = calloc(t->room, sizeof(*t->have));
	if (!t->want || !t->have || model_init(&t->model, lo, hi))
		return -ENOMEM;
	t->model.follow = party->follow;
	return 0;
}

void trial_close(struct trial *t)
{
	model_fini(&t->model);
	free(t->want);
	free(t->have);
	free(t->pairing.number);
}

void trial_reset(struct trial *t)
{
	model_reset(&t->model);
	pairing_clear(&t->pairing);
	if (t->party.reset(t->party.self))
		snprintf(t->why, sizeof(t->why), "%s cannot be reset", t->party.name);
}

bool trial_places(const struct op *op)
{
	return (op->call == OP_MMAP && !(op->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) ||
	       (op->call == OP_MREMAP && !(op->flags & MREMAP_FIXED));
}

bool trial_step(struct trial *t, const struct op *op, bool list)
{
	int err = t->party.run(t->party.self, op, &t->got);
	int count = 0;
	bool lazy = false;

	*t->why = 0;
	t->model.placed = -1;
	if (t->party.follow && trial_places(op) && t->got >= (int64_t)t->model.lo && t->got < (int64_t)t->model.hi)
		t->model.placed = t->got;
	if (op->call == OP_READ) {
		struct model_page *p = &t->model.page[(op->addr - t->model.lo) / PAGE];

		lazy = p->mapped && p->lazy && (p->prot & PROT_READ);    /* after MADV_FREE: old, or dropped       */
		if (lazy && !err && !t->got)
			p->copied = p->lazy = 0;
	}
	t->wanted = model_run(&t->model, op);
	if (err)
		snprintf(t->why, sizeof(t->why), "%s is gone", t->party.name);
	else if (t->got != t->wanted)
		snprintf(t->why, sizeof(t->why), "result");
	if (*t->why || !list)
		return !*t->why;
	count = t->party.list(t->party.self, t->have, t->room);
	if (count < 0)
		snprintf(t->why, sizeof(t->why), "%s cannot list", t->party.name);
	else
		trial_same(&t->model, t->want, model_list(&t->model, t->want, t->room), t->have, (unsigned)count, t->party.deep,
			   &t->pairing, t->why);
	return !*t->why;
}

unsigned trial_run(struct trial *t, const struct op *ops, unsigned n)
{
	unsigned i;

	trial_reset(t);
	for (i = 0; i < n && trial_step(t, &ops[i], true); i++)
		;
	return i;
}

/* Drops ops[from, to) for a try; keeps the loss when the rest still differs. Returns the new length. */
static unsigned without(struct trial *t, struct op *ops, unsigned n, unsigned from, unsigned to, struct op *spare)
{
	unsigned rest = n - (to - from), at;

	if (t->budget < rest)
		return n;
	t->budget -= rest;
	memcpy(spare, ops, from * sizeof(*ops));
	memcpy(spare + from, ops + to, (n - to) * sizeof(*ops));
	at = trial_run(t, spare, rest);
	if (at == rest)
		return n;
	memcpy(ops, spare, (at + 1) * sizeof(*ops));
	return at + 1;
}

/* Shorter and simpler arguments, one at a time. */
static void simplify(struct trial *t, struct op *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (int what = 0; what < 5; what++) {
			struct op old = ops[i];

			if (what == 0 && old.len > PAGE && old.call != OP_MREMAP)
				ops[i].len = PAGE;
			else if (what == 1 && old.call == OP_MMAP)
				ops[i].flags &= ~(MAP_NORESERVE | MAP_POPULATE);
			else if (what == 2 && old.call == OP_MMAP)
				ops[i].prot = PROT_READ | PROT_WRITE;
			else if (what == 3 && old.len > 2 * PAGE && old.call != OP_MREMAP)
				ops[i].len = old.len / 2 / PAGE * PAGE;
			else if (what == 4)
				ops[i].offset = 0;
			if (memcmp(&old, &ops[i], sizeof(old)) && trial_run(t, ops, n) != n - 1)
				ops[i] = old;
		}
	}
}

unsigned trial_shrink(struct trial *t, struct op *ops, unsigned n)
{
	unsigned at = trial_run(t, ops, n);
	struct op *spare;

	t->budget = 4000000;
	if (at == n)
		return 0;
	n = at + 1;
	spare = malloc(n * sizeof(*ops));
	for (unsigned piece = n / 2 ? n / 2 : 1; spare && n > 1;) {
		unsigned before = n;

		for (unsigned from = n; from > 0 && n > 1;) {    /* from the back: the end is what matters          */
			unsigned to = from < n ? from : n;

			from = to > piece ? to - piece : 0;
			if (to - from < n)
				n = without(t, ops, n, from, to, spare);
		}
		if (piece == 1 && n == before)
			break;
		piece = piece / 2 ? piece / 2 : 1;
	}
	free(spare);
	simplify(t, ops, n);
	return n;
}

void trial_print(struct trial *t, const struct op *ops, unsigned n, FILE *out)
{
	char want[32], have[32];

	trial_reset(t);
	for (unsigned i = 0; i < n; i++) {
		bool same = trial_step(t, &ops[i], true);

		op_print(out, &ops[i]);
		if (same)
			fprintf(out, "  /* = %s */\n", op_result(want, t->wanted));
		else
			fprintf(out, "  /* model %s, %s %s; %s */\n", op_result(want, t->wanted), t->party.name,
				op_result(have, t->got), t->why);
		if (same)
			continue;
		fprintf(out, "\nmodel:\n");
		for (unsigned k = 0, wants = model_list(&t->model, t->want, t->room); k < wants && k < 40; k++)
			row_print(out, &t->want[k]);
		fprintf(out, "%s:\n", t->party.name);
		for (int k = 0, haves = t->party.list(t->party.self, t->have, t->room); k < haves && k < 40; k++)
			row_print(out, &t->have[k]);
		return;
	}
	fprintf(out, "/* does not differ this time */\n");
}
