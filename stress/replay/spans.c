/* SPDX-License-Identifier: MIT */
/* spans.c - see spans.h. */
#include "stress/replay/spans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t spans_find(const struct spans *s, uint64_t addr)
{
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->span[mid].hi > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Replaces span[from, to) by n spans. */
static int replace(struct spans *s, uint32_t from, uint32_t to, const struct span *with, uint32_t n)
{
	uint32_t now = s->n - (to - from) + n;

	if (now > s->room) {
		struct span *more = realloc(s->span, (now * 2 + 16) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->span = more;
		s->room = now * 2 + 16;
	}
	if (s->n > to)
		memmove(s->span + from + n, s->span + to, (s->n - to) * sizeof(*s->span));
	for (uint32_t i = 0; i < n; i++)
		s->span[from + i] = with[i];
	s->n = now;
	return 0;
}

int spans_add(struct spans *s, uint64_t lo, uint64_t hi)
{
	struct span joined = { lo, hi };
	uint32_t from, to;

	if (lo >= hi)
		return 0;
	from = spans_find(s, lo ? lo - 1 : 0);           /* one that ends at lo is joined, too                      */
	for (to = from; to < s->n && s->span[to].lo <= hi; to++) {
		joined.lo = s->span[to].lo < joined.lo ? s->span[to].lo : joined.lo;
		joined.hi = s->span[to].hi > joined.hi ? s->span[to].hi : joined.hi;
	}
	return replace(s, from, to, &joined, 1);
}

int spans_remove(struct spans *s, uint64_t lo, uint64_t hi)
{
	struct span rest[2];
	uint32_t from = spans_find(s, lo), to, n = 0;

	if (lo >= hi)
		return 0;
	for (to = from; to < s->n && s->span[to].lo < hi; to++) {
		if (s->span[to].lo < lo)
			rest[n++] = (struct span){ s->span[to].lo, lo };
		if (s->span[to].hi > hi)
			rest[n++] = (struct span){ hi, s->span[to].hi };
	}
	return replace(s, from, to, rest, n);
}

struct span spans_meet(const struct spans *s, uint64_t lo, uint64_t hi, uint32_t *n)
{
	struct span met = { 0, 0 };

	*n = 0;
	for (uint32_t i = spans_find(s, lo); i < s->n && s->span[i].lo < hi; i++) {
		uint64_t a = s->span[i].lo > lo ? s->span[i].lo : lo;

		met.lo = *n ? met.lo : a;
		met.hi = s->span[i].hi < hi ? s->span[i].hi : hi;
		++*n;
	}
	return met;
}

uint64_t spans_bytes(const struct spans *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->n; i++)
		sum += s->span[i].hi - s->span[i].lo;
	return sum;
}

void spans_free(struct spans *s)
{
	free(s->span);
	*s = (struct spans){ 0 };
}
