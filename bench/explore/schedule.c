/* SPDX-License-Identifier: MIT */
/* schedule.c - see schedule.h. */
#include "bench/explore/schedule.h"

#include <stdio.h>
#include <stdlib.h>

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

bool schedule_parse(struct schedule *s, const char *text)
{
	char *end;

	schedule_clear(s);
	while (*text != 0 && *text != '@') {
		unsigned long core = strtoul(text, &end, 10), accesses = SEGMENT_WHOLE;

		if (end == text || core > 255)
			return false;
		if (*end == ':') {
			text = end + 1;
			accesses = strtoul(text, &end, 10);
			if (end == text || accesses >= SEGMENT_WHOLE)
				return false;
		}
		if (s->n == SCHEDULE_SEGMENTS || (*end != ',' && *end != '@' && *end != 0))
			return false;
		schedule_add(s, (uint32_t)core, (uint32_t)accesses);
		text = *end == ',' ? end + 1 : end;
	}
	return s->n > 0 && parse_stales(s, text);
}

size_t schedule_print(const struct schedule *s, char *text, size_t bytes)
{
	size_t at = 0;

	if (bytes > 0)
		text[0] = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		char *to = at < bytes ? text + at : NULL;
		size_t room = at < bytes ? bytes - at : 0;
		const char *comma = i == 0 ? "" : ",";

		if (s->segment[i].accesses == SEGMENT_WHOLE)
			at += (size_t)snprintf(to, room, "%s%u", comma, s->segment[i].core);
		else
			at += (size_t)snprintf(to, room, "%s%u:%u", comma, s->segment[i].core,
					       s->segment[i].accesses);
	}
	for (uint32_t i = 0; i < s->stales; i++)
		at += (size_t)snprintf(at < bytes ? text + at : NULL, at < bytes ? bytes - at : 0, "@%u.%u-%u",
				       s->stale[i].core, s->stale[i].access, s->stale[i].age);
	return at;
}

uint32_t schedule_preemptions(const struct schedule *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i + 1 < s->n; i++)
		n += s->segment[i].accesses != SEGMENT_WHOLE;
	return n;
}
