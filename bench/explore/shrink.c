/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - see shrink.h. Tries to see no old values, to leave out segments, to let two segments of a core run in one
 * go (what ran between them runs before, or after), and to let a preempted one run on; whatever still fails in the same
 * way is the new schedule, until nothing more can go (after Zeller and Hildebrandt, TSE 2002; schedules are short).
 */
#include "bench/explore/shrink.h"

#include <stdlib.h>

#include "base/assert.h"
#include "bench/explore/strategy.h"

#define ACCESSES_MAX 20000000            /* of all runs: seconds                                                    */

static bool better(const struct outcome *a, const struct outcome *b)
{
	if (a->schedule.stales != b->schedule.stales)
		return a->schedule.stales < b->schedule.stales;
	if (a->preemptions != b->preemptions)
		return a->preemptions < b->preemptions;
	return a->schedule.n < b->schedule.n;
}

/* Runs s; keeps it if it fails as *best does, and is better. */
static bool try(const struct schedule *s, struct outcome *best, struct outcome *scratch)
{
	strategy_replay(s, scratch);
	if (scratch->failure != best->failure || !better(scratch, best))
		return false;
	*best = *scratch;
	return true;
}

static void without(struct schedule *s, const struct schedule *from, uint32_t i, uint32_t n)
{
	*s = *from;
	s->n = 0;
	for (uint32_t k = 0; k < from->n; k++)
		if (k < i || k >= i + n)
			s->segment[s->n++] = from->segment[k];
}

static uint32_t both(uint32_t a, uint32_t b)
{
	return a == SEGMENT_WHOLE || b == SEGMENT_WHOLE ? SEGMENT_WHOLE : a + b;
}

/* Behind the last one, or more of that. */
static void append(struct schedule *s, struct segment segment)
{
	struct segment *last = s->n > 0 ? &s->segment[s->n - 1] : NULL;

	if (last != NULL && last->core == segment.core)
		last->accesses = both(last->accesses, segment.accesses);
	else
		s->segment[s->n++] = segment;
}

/* Segments i and i + 1 the other way round: each core makes as many accesses as before. */
static void exchange(struct schedule *s, const struct schedule *from, uint32_t i)
{
	*s = *from;
	s->n = 0;
	for (uint32_t k = 0; k < from->n; k++)
		append(s, from->segment[k == i ? i + 1 : k == i + 1 ? i : k]);
}

struct search { struct outcome *best, *scratch; struct schedule *s; uint64_t accesses; uint32_t tries; };

static bool may_go_on(const struct search *x)
{
	return x->accesses < ACCESSES_MAX;
}

static bool tried(struct search *x)
{
	x->tries++;
	x->accesses += x->best->accesses;
	return x->s->n > 0 && try(x->s, x->best, x->scratch);
}

static bool fewer_old_values(struct search *x)
{
	for (uint32_t i = 0; i < x->best->schedule.stales && may_go_on(x); i++) {
		*x->s = x->best->schedule;
		x->s->stale[i] = x->s->stale[--x->s->stales];
		if (tried(x))
			return true;
	}
	return false;
}

static bool fewer_segments(struct search *x)
{
	for (uint32_t n = 8; n > 0; n /= 2)
		for (uint32_t i = 0; i + n <= x->best->schedule.n && may_go_on(x); i++) {
			without(x->s, &x->best->schedule, i, n);
			if (tried(x))
				return true;
		}
	return false;
}

static bool in_one_go(struct search *x)
{
	for (uint32_t i = 0; i + 1 < x->best->schedule.n && may_go_on(x); i++) {
		exchange(x->s, &x->best->schedule, i);
		if (x->s->n < x->best->schedule.n && tried(x))
			return true;
	}
	return false;
}

static bool to_its_end(struct search *x)
{
	for (uint32_t i = 0; i < x->best->schedule.n && may_go_on(x); i++) {
		if (x->best->schedule.segment[i].accesses == SEGMENT_WHOLE)
			continue;
		*x->s = x->best->schedule;
		x->s->segment[i].accesses = SEGMENT_WHOLE;
		if (tried(x))
			return true;
	}
	return false;
}

uint32_t shrink(struct outcome *out)
{
	struct search x = { .best = out, .scratch = malloc(sizeof(*out)), .s = malloc(sizeof(*x.s)) };

	CHECK(x.scratch != NULL && x.s != NULL);
	strategy_replay(&out->schedule, x.scratch);      /* which words are fought over is known by now             */
	if (x.scratch->failure == out->failure)
		*out = *x.scratch;
	while (may_go_on(&x) && (fewer_old_values(&x) || fewer_segments(&x) || in_one_go(&x) || to_its_end(&x)))
		;
	free(x.scratch);
	free(x.s);
	return x.tries;
}
