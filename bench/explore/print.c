/* SPDX-License-Identifier: MIT */
/*
 * print.c - see print.h.
 *
 * One replay keeps all events, and names what they are about as long as it is there; then those are written whose word
 * the run has fought over. Left out, unless everything is wanted: loads that see what their core has seen before. Loads
 * of one function that follow each other are one line.
 */
#include "bench/explore/print.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/explore/strategy.h"
#include "bench/explore/words.h"
#include "bench/sim/debug.h"
#include "bench/sim/label.h"

#define EVENTS_MAX (1u << 18)
#define NAMES_MAX  4096
#define READS_MAX  96                    /* columns of names in a line of loads                                     */

struct kept {
	struct run_event e;
	const char *label, *before, *after;      /* of the word; of what its values point at, NULL                  */
	bool news;                       /* the core has not seen this value of the word before                    */
};

static struct kept *events;
static uint32_t events_n;
static struct fight {                    /* per word                                                                */
	uint8_t touched, written;        /* a bit per core                                                         */
	uint32_t changes, seen[RUN_CORES];       /* seen: how many changes, + 1, when the core looked last         */
} *fights;
static struct { uintptr_t at; const char *label; } names[NAMES_MAX];
static uint32_t names_n;
static bool all;

/* ---- one run ---- */

static bool is_access(const struct run_event *e)
{
	return e->what == EVENT_LOAD || e->what == EVENT_STORE || e->what == EVENT_RMW;
}

static struct fight *fight_of(const struct run_event *e)
{
	return &fights[word_of(e->at)->number];
}

static const char *pointed_at(uint64_t value)
{
	return value - UNDO_AREA < UNDO_AREA_BYTES ? label_of(value & ~UINT64_C(1)) : NULL;
}

static void keep(const struct run_event *e)
{
	struct kept *k = &events[events_n];
	struct fight *f;

	if (events_n == EVENTS_MAX)
		return;
	events_n++;
	*k = (struct kept){ .e = *e };
	if (e->what == EVENT_SWITCH || e->what == EVENT_WOKEN)
		return;
	f = fight_of(e);
	k->label = label_of(e->at);
	if (k->label == NULL && e->at - UNDO_AREA < UNDO_AREA_BYTES)
		k->label = "new memory";
	f->touched |= (uint8_t)(1u << e->core);
	if (e->what != EVENT_LOAD && e->what != EVENT_WAIT)
		f->written |= (uint8_t)(1u << e->core);
	if (!is_access(e))
		return;
	k->before = pointed_at(e->before);
	k->after = pointed_at(e->after);
	k->news = f->seen[e->core] != f->changes + 1;
	f->changes += e->what != EVENT_LOAD && (!e->atomic || e->before != e->after);
	f->seen[e->core] = f->changes + 1;
}

static bool shown(const struct kept *k)
{
	const struct fight *f;

	if (!is_access(&k->e))
		return true;
	f = fight_of(&k->e);
	return f->written != 0 && (f->touched & (f->touched - 1)) != 0 &&
	       (all || k->news || k->e.what != EVENT_LOAD);
}

/* ---- words and values ---- */

/* Its type and field; of several of one kind also which, in the order in which they are met. */
static void name_of(const struct kept *k, char *text, size_t bytes)
{
	uint32_t i, before = 0;

	for (i = 0; i < names_n && names[i].at != k->e.at; i++)
		before += names[i].label == k->label;
	if (i == names_n && names_n < NAMES_MAX) {
		names[names_n].at = k->e.at;
		names[names_n++].label = k->label;
	}
	snprintf(text, bytes, before == 0 ? "%s" : "%s'%u", k->label != NULL ? k->label : "?", before + 1);
}

static bool is_lock_word(const char *label)
{
	return label != NULL && strlen(label) > 3 && strcmp(label + strlen(label) - 3, ".lk") == 0;
}

static void value_of(const struct kept *k, uint64_t value, const char *points, char *text, size_t bytes)
{
	if (is_lock_word(k->label))              /* locks/vma_word.h                                               */
		snprintf(text, bytes, value == 0 ? "dead" : value == 1 ? "held briefly" : value & 1 ? "held" :
			 "free, %llx", (unsigned long long)value);
	else if (points != NULL)
		snprintf(text, bytes, "&%.*s", (int)strcspn(points, "."), points);
	else
		snprintf(text, bytes, "%llx", (unsigned long long)value);
}

/* ---- lines ---- */

static void lanes(uint32_t core, uint32_t cores, const char *mark, FILE *to)
{
	for (uint32_t i = 0; i < cores; i++)
		fprintf(to, "%s ", i == core ? mark : "|");
}

static void print_access(const struct kept *k, uint32_t cores, FILE *to)
{
	static const char *const op[] = { "load", "store", "rmw" };
	static const char *const order[] = { "rlx", "con", "acq", "rel", "a/r", "sc" };
	const struct run_event *e = &k->e;
	char name[96], before[64], after[64], value[136];

	name_of(k, name, sizeof(name));
	value_of(k, e->before, k->before, before, sizeof(before));
	value_of(k, e->after, k->after, after, sizeof(after));
	if (e->what == EVENT_LOAD)
		snprintf(value, sizeof(value), "%s", before);
	else
		snprintf(value, sizeof(value), "%s -> %s", before, e->atomic ? after : "...");
	lanes(e->core, cores, "*", to);
	fprintf(to, " %-5s %-5s %-28s %-36s %s\n", op[e->what], e->atomic ? order[e->order] : "plain", name, value,
		debug_location(e->pc));
}

static bool same_function(const struct kept *a, const struct kept *b)
{
	const char *x = debug_location(a->e.pc), *y = debug_location(b->e.pc);

	return strcspn(x, " ") == strcspn(y, " ") && strncmp(x, y, strcspn(x, " ")) == 0;
}

/* The loads from i on that are one line; its end. */
static uint32_t reads_end(uint32_t i)
{
	uint32_t end = i + 1, k;

	for (k = end; k < events_n && is_access(&events[k].e) && events[k].e.core == events[i].e.core; k++) {
		if (!shown(&events[k]))
			continue;
		if (events[k].e.what != EVENT_LOAD || !same_function(&events[i], &events[k]))
			break;
		end = k + 1;
	}
	return end;
}

static void print_reads(uint32_t i, uint32_t end, uint32_t cores, FILE *to)
{
	char text[READS_MAX + 200] = "", name[96], value[64];
	const char *last = NULL;
	size_t n = 0;

	lanes(events[i].e.core, cores, "*", to);
	for (uint32_t k = i; k < end; k++) {
		if (!shown(&events[k]))
			continue;
		name_of(&events[k], name, sizeof(name));
		if (n > READS_MAX || (last == events[k].label && !is_lock_word(last)))
			continue;
		last = events[k].label;
		value_of(&events[k], events[k].e.before, events[k].before, value, sizeof(value));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s", n > 0 ? ", " : "", name,
				      is_lock_word(last) ? ": " : "", is_lock_word(last) ? value : "");
	}
	fprintf(to, " reads       %-65s %s\n", text, debug_location(events[i].e.pc));
}

static void print_other(const struct kept *k, uint32_t cores, FILE *to)
{
	const struct run_event *e = &k->e;
	char name[96];

	lanes(e->core, cores, e->what != EVENT_SWITCH ? "*" : e->forced ? "-" : ">", to);
	if (e->what == EVENT_SWITCH && e->core >= cores)
		fprintf(to, " core %u begins\n", e->to);
	else if (e->what == EVENT_SWITCH)
		fprintf(to, " %s, core %u goes on\n", e->forced ? "ends, sleeps or yields" : "PREEMPTED", e->to);
	else if (e->what == EVENT_WOKEN)
		fprintf(to, " wakes core %u\n", e->to);
	else {
		name_of(k, name, sizeof(name));
		fprintf(to, " %s %s\n", e->what == EVENT_WAIT ? "futex wait" : "futex wake", name);
	}
}

static void print_events(uint32_t cores, FILE *to)
{
	for (uint32_t i = 0; i < events_n; i++) {
		uint32_t end;

		if (!shown(&events[i]))
			continue;
		end = !all && events[i].e.what == EVENT_LOAD ? reads_end(i) : i + 1;
		if (end > i + 1)
			print_reads(i, end, cores, to);
		else if (is_access(&events[i].e))
			print_access(&events[i], cores, to);
		else
			print_other(&events[i], cores, to);
		i = end - 1;
	}
}

static void print_head(const struct scenario *s, uint32_t cores, FILE *to)
{
	fprintf(to, "%s: %s\n", s->name, s->what);
	for (uint32_t i = 0; i < cores; i++)
		fprintf(to, "core %u: %s\n", i, i < scenario_bodies(s) ?
			debug_location((const char *)(uintptr_t)s->body[i] + 1) : "the library's worker");
	fprintf(to, "Left out: words that only one core touches, or that nobody writes%s.\n\n",
		all ? "" : "; loads that see nothing new");
}

void print_interleaving(const struct scenario *scenario, const struct schedule *schedule, bool everything, FILE *to)
{
	struct outcome *out = calloc(1, sizeof(*out));
	uint32_t cores = scenario_bodies(scenario);

	events = calloc(EVENTS_MAX, sizeof(*events));
	fights = calloc(WORDS_MAX, sizeof(*fights));
	CHECK(out != NULL && events != NULL && fights != NULL);
	events_n = names_n = 0;
	all = everything;
	run_listener = keep;
	strategy_replay(schedule, out);
	run_listener = NULL;
	for (uint32_t i = 0; i < events_n; i++)
		if (events[i].e.core < RUN_CORES && events[i].e.core >= cores)
			cores = events[i].e.core + 1;
	print_head(scenario, cores, to);
	print_events(cores, to);
	fprintf(to, "\n%s%s%s\n", failure_name(out->failure), out->text[0] ? ": " : "", out->text);
	free(out);
	free(events);
	free(fights);
}
