/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - see shrink.h. Tries to leave out each segment, to let each preempted one run on, and to cut the tail off;
 * whatever still fails in the same way is the new schedule, until nothing more can go (after Zeller and Hildebrandt,
 * TSE 2002; schedules are short).
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

uint32_t shrink(struct outcome *out)
{
	struct outcome *scratch = malloc(sizeof(*scratch));
	struct schedule *s = malloc(sizeof(*s));
	uint64_t accesses = 0;
	uint32_t tries = 0;
	bool again = true;

	CHECK(scratch != NULL && s != NULL);
	strategy_replay(&out->schedule, scratch);        /* which words are fought over is known by now             */
	if (scratch->failure == out->failure)
		*out = *scratch;
	while (again && accesses < ACCESSES_MAX) {
		again = false;
		for (uint32_t i = 0; i < out->schedule.stales && !again && accesses < ACCESSES_MAX; i++) {
			*s = out->schedule;
			s->stale[i] = s->stale[--s->stales];
			tries++;
			accesses += out->accesses;
			again = try(s, out, scratch);
		}
		for (uint32_t n = 8; n > 0 && !again; n /= 2)
			for (uint32_t i = 0; i + n <= out->schedule.n && !again && accesses < ACCESSES_MAX; i++) {
				tries++;
				accesses += out->accesses;
				without(s, &out->schedule, i, n);
				again = s->n > 0 && try(s, out, scratch);
			}
		for (uint32_t i = 0; i < out->schedule.n && !again && accesses < ACCESSES_MAX; i++) {
			if (out->schedule.segment[i].accesses == SEGMENT_WHOLE)
				continue;
			*s = out->schedule;
			s->segment[i].accesses = SEGMENT_WHOLE;
			tries++;
			accesses += out->accesses;
			again = try(s, out, scratch);
		}
	}
	free(scratch);
	free(s);
	return tries;
}
