/* SPDX-License-Identifier: MIT */
/* schedule.c - see schedule.h. */
#include "bench/explore/schedule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"

#define PERIOD_MAX  16                   /* segments that are looked for as one                                    */
#define NO_BRACKET  UINT32_MAX
#define REPEATS_MIN 9                    /* segments that are worth brackets                                       */

void schedule_add(struct schedule *s, uint32_t core, uint32_t accesses)
{
	if (s->n < SCHEDULE_SEGMENTS)
		s->segment[s->n++] = (struct segment){ core, accesses };
}

void schedule_clear(struct schedule *s)
{
	s->n = s->stales = 0;
}

void schedule_stale(struct schedule *s, uint32_t core, uint32_t access, uint32_t age)
{
	if (s->stales < SCHEDULE_STALE)
		s->stale[s->stales++] = (struct stale){ core, access, age };
}

static bool same(const struct segment *a, const struct segment *b)
{
	return a->core == b->core && a->accesses == b->accesses;
}

/* Cores that poll for each other take turns for hundreds of segments: how often the `period` from i on stand there. */
static uint32_t repeats(const struct schedule *s, uint32_t i, uint32_t period)
{
	uint32_t end = i + period;

	while (end < s->n && same(&s->segment[end], &s->segment[end - period]))
		end++;
	return (end - i) / period;
}

/* The period from i on that says most: 0: none says anything. */
static uint32_t period_at(const struct schedule *s, uint32_t i)
{
	uint32_t best = 0, most = REPEATS_MIN - 1;

	for (uint32_t period = 1; period <= PERIOD_MAX && i + period <= s->n; period++) {
		uint32_t covered = repeats(s, i, period) * period;

		if (covered > most && covered >= 2 * period) {
			best = period;
			most = covered;
		}
	}
	return best;
}

static bool parse_stales(struct schedule *s, const char *text)
{
	unsigned core, access, age;
	int used;

	for (; *text != 0; text += used) {
		if (sscanf(text, "@%u.%u-%u%n", &core, &access, &age, &used) != 3)
			return false;
		schedule_stale(s, core, access, age);
	}
	return true;
}

/* "(" stands before, ")N" behind what comes N times. `from`: the first segment within; NO_BRACKET. */
static bool parse_again(struct schedule *s, uint32_t from, const char **text)
{
	uint32_t period = s->n - from;
	unsigned long times;
	char *end;

	times = strtoul(*text, &end, 10);
	if (end == *text || period == 0 || times < 1 || times > SCHEDULE_SEGMENTS / period)
		return false;
	*text = end;
	for (uint32_t i = 0; i < (times - 1) * period; i++)
		schedule_add(s, s->segment[from + i].core, s->segment[from + i].accesses);
	return true;
}

/* One segment. */
static bool parse_segment(struct schedule *s, const char **text)
{
	char *end;
	unsigned long core = strtoul(*text, &end, 10), accesses = SEGMENT_WHOLE;

	if (end == *text || core > 255)
		return false;
	if (*end == ':') {
		*text = end + 1;
		accesses = strtoul(*text, &end, 10);
		if (end == *text || accesses >= SEGMENT_WHOLE)
			return false;
	}
	*text = end;
	schedule_add(s, (uint32_t)core, (uint32_t)accesses);
	return true;
}

bool schedule_parse(struct schedule *s, const char *text)
{
	uint32_t from = NO_BRACKET;

	schedule_clear(s);
	while (*text != 0 && *text != '@') {
		if (*text == '(') {
			if (from != NO_BRACKET)
				return false;
			from = s->n;
			text++;
		}
		if (s->n == SCHEDULE_SEGMENTS || !parse_segment(s, &text))
			return false;
		if (*text == ')') {
			text++;
			if (from == NO_BRACKET || !parse_again(s, from, &text))
				return false;
			from = NO_BRACKET;
		}
		if (*text == ',')
			text++;
		else if (*text != '@' && *text != 0)
			return false;
	}
	return s->n > 0 && from == NO_BRACKET && parse_stales(s, text);
}

struct text { char *text; size_t bytes, at; };

static void put(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct text *t, const char *fmt, ...)
{
	bool room = t->at < t->bytes;
	va_list args;

	va_start(args, fmt);
	t->at += (size_t)vsnprintf(room ? t->text + t->at : NULL, room ? t->bytes - t->at : 0, fmt, args);
	va_end(args);
}

static void put_segments(struct text *t, const struct segment *segment, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		put(t, "%s%u", i == 0 ? "" : ",", segment[i].core);
		if (segment[i].accesses != SEGMENT_WHOLE)
			put(t, ":%u", segment[i].accesses);
	}
}

size_t schedule_print(const struct schedule *s, char *text, size_t bytes)
{
	struct text t = { text, bytes, 0 };
	uint32_t i = 0;

	if (bytes > 0)
		text[0] = 0;
	while (i < s->n) {
		uint32_t period = period_at(s, i), times = period != 0 ? repeats(s, i, period) : 1;

		put(&t, "%s%s", i == 0 ? "" : ",", period != 0 ? "(" : "");
		put_segments(&t, &s->segment[i], period != 0 ? period : 1);
		if (period != 0)
			put(&t, ")%u", times);
		i += period != 0 ? period * times : 1;
	}
	for (i = 0; i < s->stales; i++)
		put(&t, "@%u.%u-%u", s->stale[i].core, s->stale[i].access, s->stale[i].age);
	return t.at;
}

uint32_t schedule_preemptions(const struct schedule *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i + 1 < s->n; i++)
		n += s->segment[i].accesses != SEGMENT_WHOLE;
	return n;
}
