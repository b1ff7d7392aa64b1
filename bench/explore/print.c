/* SPDX-License-Identifier: MIT */
/*
 * print.c - see print.h.
 *
 * One replay keeps all events; then those are written whose word the run has fought over. Words of VMAs have names,
 * others a number in the order in which they are met.
 */
#include "bench/explore/print.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/explore/memory.h"
#include "bench/explore/strategy.h"
#include "bench/explore/where.h"
#include "vmmap/vma/vma.h"

#define EVENTS_MAX (1u << 18)
#define NAMES_MAX  4096

static struct run_event *events;
static uint32_t events_n;
static uint8_t *touched, *written;       /* per word: a bit per core                                               */
static uintptr_t names[NAMES_MAX];
static uint32_t names_n;

static void keep(const struct run_event *e)
{
	if (events_n < EVENTS_MAX)
		events[events_n++] = *e;
	if (e->what == EVENT_SWITCH || e->what == EVENT_WOKEN)
		return;
	touched[memory_word_number(memory_word(e->at))] |= (uint8_t)(1u << e->core);
	if (e->what == EVENT_STORE || e->what == EVENT_RMW || e->what == EVENT_WAKE)
		written[memory_word_number(memory_word(e->at))] |= (uint8_t)(1u << e->core);
}

static bool fought_over(const struct run_event *e)
{
	uint32_t i = memory_word_number(memory_word(e->at));

	return written[i] != 0 && (touched[i] & (touched[i] - 1)) != 0;
}

static const char *vma_field(size_t offset)
{
	static const struct { size_t at; const char *name; } field[] = {
		{ offsetof(struct vma, slot.lk), "lk" }, { offsetof(struct vma, slot.pins), "pins" },
		{ offsetof(struct vma, slot.seq), "seq" }, { offsetof(struct vma, bits), "bits" },
		{ offsetof(struct vma, delta), "delta" }, { offsetof(struct vma, object), "object" },
		{ offsetof(struct vma, anon), "anon" }, { offsetof(struct vma, next_free), "next_free" },
		{ offsetof(struct vma, rmap), "rmap" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(field); i++)
		if (field[i].at == offset)
			return field[i].name;
	return "?";
}

static void name_of(uintptr_t at, char *text, size_t bytes)
{
	uintptr_t lo, hi;
	uint32_t i;

	for (unsigned slab = 0; memory_vma_slab(slab, &lo, &hi); slab++)
		if (at >= lo && at < hi) {
			snprintf(text, bytes, "vma %zu.%s", (size_t)(at - lo) / sizeof(struct vma),
				 vma_field((at - lo) % sizeof(struct vma)));
			return;
		}
	for (i = 0; i < names_n && names[i] != at; i++)
		;
	if (i == names_n && names_n < NAMES_MAX)
		names[names_n++] = at;
	snprintf(text, bytes, "word %u", i);
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
	fprintf(to, " %-5s %-5s %-16s %-34s %s\n", op[e->what], e->atomic ? order[e->order] : "plain", name, value,
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
	touched = calloc(MEMORY_WORDS, 1);
	written = calloc(MEMORY_WORDS, 1);
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
