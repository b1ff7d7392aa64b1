/* SPDX-License-Identifier: MIT */
/* trial.c - see trial.h. Shrinking: delta debugging (Zeller and Hildebrandt 2002) over the list of calls. */
#include "stress/oracle/trial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/clock.h"

#define SHRINK_SECONDS 20                        /* a shrunk program is for reading: good enough is good enough     */

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
	if (deep && w->locked != h->locked)
		return differ(why, "locked", w, h);
	if (deep && w->noreserve != h->noreserve)
		return differ(why, "noreserve", w, h);
	if (deep && w->growsdown != h->growsdown)
		return differ(why, "growsdown", w, h);
	return true;
}

/* The border `at`, inside the model's row i or at its end. */
static bool loose(const struct compared *c, unsigned i, uint64_t at)
{
	const struct row *w = &c->want[i];

	return w->loose || (at == w->end && i + 1 < c->wants && w[1].start == at && w[1].loose);
}

bool trial_same(const struct compared *c, struct pairing *pairing, char *why)
{
	static const struct row none = { .start = UINT64_MAX, .end = UINT64_MAX };
	unsigned i = 0, k = 0;
	uint64_t at = 0;

	while (i < c->wants || k < c->haves) {
		const struct row *w = i < c->wants ? &c->want[i] : &none, *h = k < c->haves ? &c->have[k] : &none;
		uint64_t ws = w->start > at ? w->start : at, hs = h->start > at ? h->start : at;

		if (ws != hs)
			return differ(why, ws < hs ? "missing" : "not expected", w, h);
		if (!same_row(w, h, c->deep, pairing, why))
			return false;
		at = w->end < h->end ? w->end : h->end;
		if (w->end != h->end && !loose(c, i, at))
			return differ(why,
				      w->end > h->end ? "split where it should be one VMA"
						      : "merged where it should be two",
				      w, h);
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
	t->shrink_ns = SHRINK_SECONDS * UINT64_C(1000000000);
	t->until_ns = UINT64_MAX;
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
	bool lazy = false, refused = t->party.refused && t->party.refused(t->party.self);

	*t->why = 0;
	t->model.placed = -1;
	if (t->party.follow && trial_places(op) && t->got >= (int64_t)t->model.lo && t->got < (int64_t)t->model.hi)
		t->model.placed = t->got;
	if (op->call == OP_READ && !refused) {
		struct model_page *p = &t->model.page[(op->addr - t->model.lo) / PAGE];

		lazy = p->mapped && p->lazy && p->prot;                     /* after MADV_FREE: old, or dropped       */
		if (lazy && !err && !t->got)
			p->copied = p->lazy = 0;
	}
	t->wanted = refused ? t->got : model_run(&t->model, op);
	if (err)
		snprintf(t->why, sizeof(t->why), "%s is gone", t->party.name);
	else if (t->got != t->wanted)
		snprintf(t->why, sizeof(t->why), "result");
	if (*t->why || !(list || refused))
		return !*t->why;
	count = t->party.list(t->party.self, t->have, t->room);
	if (count < 0)
		snprintf(t->why, sizeof(t->why), "%s cannot list", t->party.name);
	else
		trial_same(&(struct compared){ t->want, t->have, model_list(&t->model, t->want, t->room),
					       (unsigned)count, t->party.deep },
			   &t->pairing, t->why);
	if (!*t->why && t->audit && t->party.audit && t->party.audit(t->party.self, NULL))
		snprintf(t->why, sizeof(t->why), "audit");
	return !*t->why;
}

/* ops[i] of n. */
static bool trial_step_of(struct trial *t, const struct op *ops, unsigned n, unsigned i)
{
	bool audit = t->audit, same;

	t->audit = audit && i + 1 == n;
	same = trial_step(t, &ops[i], true);
	t->audit = audit;
	return same;
}

static bool trial_late(struct trial *t)
{
	bool late = clock_ns() > t->until_ns;

	t->late |= late;
	return late;
}

/* Time is up: as if there were no difference. */
unsigned trial_run(struct trial *t, const struct op *ops, unsigned n)
{
	unsigned i;

	trial_reset(t);
	for (i = 0; i < n && trial_step_of(t, ops, n, i); i++)
		if (trial_late(t))
			return n;
	return i;
}

/* Drops ops[from, to) for a try; keeps the loss when the rest still differs. Returns the new length. */
static unsigned without(struct trial *t, struct op *ops, unsigned n, unsigned from, unsigned to, struct op *spare)
{
	unsigned rest = n - (to - from), at;

	if (trial_late(t))
		return n;
	memcpy(spare, ops, from * sizeof(*ops));
	memcpy(spare + from, ops + to, (n - to) * sizeof(*ops));
	at = trial_run(t, spare, rest);
	if (at == rest)
		return n;
	memcpy(ops, spare, (at + 1) * sizeof(*ops));
	return at + 1;
}

/* Calls that make the model's map as it is: sizes, one mmap per VMA, one store per page that holds something. */
static unsigned rebuild(struct trial *t, struct op *ops, unsigned room)
{
	unsigned n = 0, rows = model_list(&t->model, t->want, t->room);

	for (uint8_t file = OBJECT_A; file <= OBJECT_B && n < room; file++)
		if (t->model.object[file].pages != OBJECT_PAGES)
			ops[n++] = (struct op){ .call = OP_RESIZE, .kind = KIND_RESIZE, .object = file,
						.len = t->model.object[file].pages * PAGE };
	for (unsigned i = 0; i < rows && n < room; i++) {
		const struct row *r = &t->want[i];
		bool anon = !r->object || r->object >= OBJECT_FILES;

		ops[n++] =
			(struct op){.call = OP_MMAP,
				    .kind = KIND_MMAP_FIXED,
				    .addr = r->start,
				    .len = r->end - r->start,
				    .prot = r->prot,
				    .object = anon ? OBJECT_NONE : (uint8_t)r->object,
				    .offset = anon ? 0 : r->offset,
				    .flags = MAP_FIXED | (r->shared ? MAP_SHARED : MAP_PRIVATE) |
					     (anon ? MAP_ANONYMOUS : 0) | (r->noreserve ? MAP_NORESERVE : 0) |
					     (r->growsdown ? MAP_GROWSDOWN : 0)};
	}
	for (uint64_t i = 0; i < t->model.pages && n < room; i++) {
		const struct model_page *p = &t->model.page[i];
		uint64_t value = p->copied   ? p->value
				 : p->shared ? model_object_value(&t->model, p->object, p->off)
					     : 0;

		if (p->mapped && (p->prot & PROT_WRITE) && value)
			ops[n++] = (struct op){.call = OP_WRITE,
					       .kind = KIND_WRITE,
					       .addr = t->model.lo + i * PAGE,
					       .value = value};
	}
	return n;
}

/* Replaces all but the last calls by ones that make the map which these start from, if it still differs then. */
static unsigned shortcut(struct trial *t, struct op *ops, unsigned n)
{
	struct op *try = malloc((n + 1) * sizeof(*try));

	for (unsigned tail = 1; try && tail * 2 < n; tail *= 2) {
		unsigned head, at;

		trial_reset(t);
		for (unsigned i = 0; i < n - tail && !trial_late(t); i++)
			trial_step(t, &ops[i], false);
		if (t->late)
			break;
		head = rebuild(t, try, n - tail);
		memcpy(try + head, ops + n - tail, tail * sizeof(*ops));
		at = trial_run(t, try, head + tail);
		if (at < head + tail) {
			memcpy(ops, try, (at + 1) * sizeof(*ops));
			n = at + 1;
			break;
		}
	}
	free(try);
	return n;
}

/* Shorter and simpler arguments, one at a time. */
static void simplify(struct trial *t, struct op *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (int what = 0; what < 8; what++) {
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
			else if (what == 5 && old.call == OP_MPROTECT && old.len > PAGE)
				ops[i].addr += PAGE, ops[i].len -= PAGE;
			else if (what == 6 && old.call == OP_MPROTECT && old.len > 2 * PAGE)
				ops[i].addr += old.len / 2 / PAGE * PAGE, ops[i].len -= old.len / 2 / PAGE * PAGE;
			else if (what == 7)
				ops[i].fail = 0;
			if (memcmp(&old, &ops[i], sizeof(old)) && (trial_late(t) || trial_run(t, ops, n) != n - 1))
				ops[i] = old;
		}
	}
}

/* Delta debugging: drops pieces of halving size for as long as something can go. */
static unsigned reduce(struct trial *t, struct op *ops, unsigned n)
{
	struct op *spare = malloc(n * sizeof(*ops));

	for (unsigned piece = n / 2 ? n / 2 : 1; spare && n > 1 && !t->late;) {
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
	return n;
}

unsigned trial_shrink(struct trial *t, struct op *ops, unsigned n)
{
	unsigned at;

	t->late = false;
	t->until_ns = UINT64_MAX;
	at = trial_run(t, ops, n);
	if (at == n)
		return 0;
	t->until_ns = clock_ns() + t->shrink_ns;
	n = reduce(t, ops, shortcut(t, ops, at + 1));
	simplify(t, ops, n);
	n = reduce(t, ops, n);
	t->until_ns = UINT64_MAX;
	return n;
}

void trial_print(struct trial *t, const struct op *ops, unsigned n, FILE *out)
{
	char want[32], have[32];

	trial_reset(t);
	for (unsigned i = 0; i < n; i++) {
		bool same = trial_step_of(t, ops, n, i);

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
		if (t->audit && t->party.audit)
			t->party.audit(t->party.self, out);
		return;
	}
	fprintf(out, "/* does not differ this time */\n");
}
