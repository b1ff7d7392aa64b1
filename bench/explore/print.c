/* SPDX-License-Identifier: MIT */
/*
 * print.c - see print.h.
 *
 * One replay keeps all events; then those are written whose word the run has fought over. Words are
 * called what they are: type and field.
 */
#include "bench/explore/print.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/explore/strategy.h"
#include "bench/explore/where.h"
#include "bench/explore/words.h"
#include "bench/sim/label.h"

#define EVENTS_MAX (1u << 18)
#define NAMES_MAX  4096

static struct run_event *events;
static uint32_t events_n;
static uint8_t *touched, *written;       /* per word: a bit per core                                               */
static struct { uintptr_t at; const char *label; } names[NAMES_MAX];
static uint32_t names_n;

static void keep(const struct run_event *e)
{
	if (events_n < EVENTS_MAX)
		events[events_n++] = *e;
	if (e->what == EVENT_SWITCH || e->what == EVENT_WOKEN)
		return;
	touched[word_of(e->at)->number] |= (uint8_t)(1u << e->core);
	if (e->what == EVENT_STORE || e->what == EVENT_RMW || e->what == EVENT_WAKE)
		written[word_of(e->at)->number] |= (uint8_t)(1u << e->core);
}

static bool fought_over(const struct run_event *e)
{
	uint32_t i = word_of(e->at)->number;

	return written[i] != 0 && (touched[i] & (touched[i] - 1)) != 0;
}

/* Its type and field; of several of one kind also which, in the order in which they are met. */
static void name_of(uintptr_t at, char *text, size_t bytes)
{
	const char *label = label_of(at);
	uint32_t i, before = 0;

	for (i = 0; i < names_n && names[i].at != at; i++)
		before += names[i].label == label;
	if (i == names_n && names_n < NAMES_MAX) {
		names[names_n].at = at;
		names[names_n++].label = label;
	}
	snprintf(text, bytes, before == 0 ? "%s" : "%s'%u", label != NULL ? label : "?", before + 1);
}

static void lanes(uint32_t core, uint32_t cores, const char *mark, FILE *to)
{
	for (uint32_t i = 0; i < cores; i++)
		fprintf(to, "%s ", i == core ? mark : "|");
}

static void print_access(const struct run_event *e, uint32_t cores, FILE *to)
{
	static const char *const op[] = { "load", "store", "rmw" };
	static const char *const order[] = { "rlx", "con", "acq", "rel", "a/r", "sc" };
	const struct where *w = where_of(e->pc);
	char name[64], value[80], place[128];
	const char *file = strrchr(w->file, '/');

	name_of(e->at, name, sizeof(name));
	if (e->what == EVENT_LOAD)
		snprintf(value, sizeof(value), "%llx", (unsigned long long)e->before);
	else if (e->atomic)
		snprintf(value, sizeof(value), "%llx -> %llx", (unsigned long long)e->before,
			 (unsigned long long)e->after);
	else
		snprintf(value, sizeof(value), "%llx -> ...", (unsigned long long)e->before);
	snprintf(place, sizeof(place), "%s %s:%d", w->function, file != NULL ? file + 1 : w->file, w->line);
	lanes(e->core, cores, "*", to);
	fprintf(to, " %-5s %-5s %-28s %-34s %s\n", op[e->what], e->atomic ? order[e->order] : "plain", name, value,
		place);
}

static void print_event(const struct run_event *e, uint32_t cores, FILE *to)
{
	char name[64];

	switch (e->what) {
	case EVENT_SWITCH:
		lanes(e->core, cores, e->forced ? "-" : ">", to);
		if (e->core >= cores)
			fprintf(to, " core %u\n", e->to);
		else
			fprintf(to, " %s, core %u goes on\n", e->forced ? "cannot go on" : "PREEMPTED", e->to);
		break;
	case EVENT_WAIT:
	case EVENT_WAKE:
		name_of(e->at, name, sizeof(name));
		lanes(e->core, cores, "*", to);
		fprintf(to, " %s %s\n", e->what == EVENT_WAIT ? "futex wait" : "futex wake", name);
		break;
	case EVENT_WOKEN:
		lanes(e->core, cores, "*", to);
		fprintf(to, " wakes core %u\n", e->to);
		break;
	default:
		if (fought_over(e))
			print_access(e, cores, to);
	}
}

void print_interleaving(const struct schedule *schedule, FILE *to)
{
	struct outcome *out = calloc(1, sizeof(*out));
	uint32_t cores = 2;

	events = calloc(EVENTS_MAX, sizeof(*events));
	touched = calloc(WORDS_MAX, 1);
	written = calloc(WORDS_MAX, 1);
	CHECK(out != NULL && events != NULL && touched != NULL && written != NULL);
	events_n = names_n = 0;
	run_listener = keep;
	strategy_replay(schedule, out);
	run_listener = NULL;
	for (uint32_t i = 0; i < events_n; i++)
		if (events[i].core < RUN_CORES && events[i].core >= cores)
			cores = events[i].core + 1;
	fprintf(to, "lanes: cores 0 to %u; words that only one core touches, or that nobody writes, are left out\n",
		cores - 1);
	for (uint32_t i = 0; i < events_n; i++)
		print_event(&events[i], cores, to);
	fprintf(to, "%s%s%s\n", failure_name(out->failure), out->text[0] ? ": " : "", out->text);
	free(out);
	free(events);
	free(touched);
	free(written);
}
