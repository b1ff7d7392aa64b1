/* SPDX-License-Identifier: MIT */
/* figure.c - see figure.h. All are counted anew when they are asked for. */
#include "bench/physmem/figure.h"

#include <inttypes.h>
#include <string.h>

#include "base/compiler.h"
#include "bench/physmem/call.h"
#include "bench/physmem/survey.h"

/* ---- of the machine ---- */

struct sample {
	struct physmem_usage usage;
	struct survey_counts state;
	struct survey_blocks blocks;
	struct physmem_report_state report;
	struct physmem_unplug_result unplugged;
	uint64_t segments;
};

#define OF(member)   offsetof(struct sample, member)
#define LEFT(reason) OF(unplugged.left[PHYSMEM_REASON_##reason])

static const struct figure { const char *name; size_t at; bool pages; const char *meaning; } figures[] = {
	{ "frames", OF(usage.frames), true, "in all segments" },
	{ "owned", OF(usage.owned), true, "taken by names, address spaces, objects" },
	{ "available", 0, true, "free, cached or deferred" },
	{ "free", OF(usage.free), true, "in the depot and below" },
	{ "cached", OF(usage.cached), true, "free, in caches of threads" },
	{ "deferred", OF(usage.deferred), true, "freed, until their readers are gone" },
	{ "balloon", OF(usage.balloon), true, "the host has them" },
	{ "poisoned", OF(usage.poisoned), true, "out of use" },
	{ "movable", OF(state.n[PHYSMEM_MOVABLE]), true, "owned, can be had elsewhere" },
	{ "pinned", OF(state.n[SURVEY_PINNED]), true, "owned, could be had elsewhere, but are pinned" },
	{ "unmovable", OF(state.n[PHYSMEM_UNMOVABLE]), true, "owned, stay where they are" },
	{ "segments", OF(segments), false, "runs of memory that have been plugged" },
	{ "blocks", OF(blocks.present), false, "of 2 MiB, with a frame that is there" },
	{ "blocks.free", OF(blocks.free), false, "... nothing of which is taken" },
	{ "blocks.movable", OF(blocks.movable), false, "... in use for what is movable" },
	{ "blocks.unmovable", OF(blocks.unmovable), false, "... that have something unmovable" },
	{ "blocks.whole", OF(blocks.whole), false, "... taken as one run" },
	{ "unplug.moved", OF(unplugged.moved), true, "that the last unplug moved" },
	{ "unplug.held", LEFT(HELD), true, "... that were left: nobody can move them" },
	{ "unplug.pinned", LEFT(PINNED), true, "... held where they are" },
	{ "unplug.busy", LEFT(BUSY), true, "... in the middle of a change" },
	{ "unplug.readers", LEFT(READERS), true, "... freed, or moved, but may still be read" },
	{ "unplug.no_room", LEFT(NO_ROOM), true, "... for which there is no room elsewhere" },
	{ "unplug.movable", LEFT(NONE), true, "... that could have been moved, had another one not ended it" },
	{ "unplug.veto", LEFT(VETO), false, "1: a listener's veto ended it" },
	{ "unplug.taken", LEFT(TAKEN), true, "... in a block that another unplug has, or a poison" },
	{ "unplug.absent", LEFT(ABSENT), true, "... in no segment" },
	{ "unplug.all", LEFT(ALL), true, "... that are all the memory that there is" },
	{ "unplug.first", OF(unplugged.first), true, "... the place of the first one that was left; 0: none was" },
	{ "reported", OF(report.reported), true, "free, in blocks that the host knows to be free" },
	{ "reportable", OF(report.reportable), true, "free, in blocks that the host will be told of" },
	{ "report.calls", OF(report.calls), false, "of the host" },
	{ "report.accepted", OF(report.accepted), false, "blocks, each time one was accepted" },
	{ "report.refused", OF(report.refused), false, "... refused" },
	{ "report.later", OF(report.later), false, "... put off by the host" },
};

/* A reason of no frame is counted as one. */
static void sample_unplugged(const struct board *b, struct physmem_unplug_result *out)
{
	*out = b->unplugged;
	if (out->reason != PHYSMEM_REASON_NONE && out->left[out->reason] == 0)
		out->left[out->reason] = 1;
}

static void sample(struct board *b, struct sample *s)
{
	struct survey_segment segment;

	memset(s, 0, sizeof(*s));
	physmem_get_usage(b->pm, &s->usage);
	survey_count(b->pm, b->base, b->limit - b->base, &s->state);
	survey_blocks(b->pm, &s->blocks);
	physmem_get_report(b->pm, &s->report);
	sample_unplugged(b, &s->unplugged);
	while (survey_segment(b->pm, (unsigned)s->segments, &segment))
		s->segments++;
}

static uint64_t value_of(const struct sample *s, const struct figure *f)
{
	if (strcmp(f->name, "available") == 0)
		return s->usage.free + s->usage.cached + s->usage.deferred;
	return *(const uint64_t *)((const char *)s + f->at);
}

/* ---- of a name ---- */

static bool of_segment(struct board *b, const struct board_segment *s, const char *field, struct figure_value *value)
{
	struct survey_counts c = { { 0 } };

	survey_count(b->pm, s->pfn, s->pages, &c);
	value->frames = true;
	for (unsigned i = PHYSMEM_ABSENT; i < SURVEY_STATES; i++)
		if (strcmp(field, survey_text[i].name) == 0) {
			value->n = c.n[i];
			return true;
		}
	value->n = s->pages - c.n[PHYSMEM_ABSENT];
	return strcmp(field, "frames") == 0;
}

static bool of_group(const struct board_group *g, const char *field, struct figure_value *value)
{
	*value = (struct figure_value){ 0, strcmp(field, "frames") == 0 };
	for (uint64_t i = 0; i < g->n; i++)
		value->n += value->frames ? UINT64_C(1) << g->run[i].order : 1;
	return value->frames || strcmp(field, "runs") == 0;
}

static bool of_space(const struct board_space *s, const char *field, struct figure_value *value)
{
	struct vmmap_usage u;

	vmmap_get_usage(s->map, &u);
	if (strcmp(field, "vmas") == 0)
		*value = (struct figure_value){ u.vmas, false };
	else if (strcmp(field, "mapped") == 0)
		*value = (struct figure_value){ u.mapped_bytes / VMMAP_PAGE_SIZE, true };
	else
		*value = (struct figure_value){ u.resident_pages, true };
	return !value->frames || strcmp(field, "mapped") == 0 || strcmp(field, "resident") == 0;
}

static bool of_pins(const struct board_pins *p, const char *field, struct figure_value *value)
{
	*value = (struct figure_value){ p->n, true };
	if (strcmp(field, "pages") == 0)
		return true;
	value->n = p->n != 0 ? UINT64_MAX : 0;
	for (uint64_t i = 0; i < p->n; i++)
		value->n = p->pin[i].pfn < value->n ? p->pin[i].pfn : value->n;
	return strcmp(field, "first") == 0;
}

static bool of_name(struct board *b, const char *name, struct figure_value *value)
{
	const char *dot = strrchr(name, '.');
	char who[BOARD_NAME];

	if (dot == NULL || dot == name || dot - name >= (ptrdiff_t)sizeof(who))
		return false;
	snprintf(who, sizeof(who), "%.*s", (int)(dot - name), name);
	if (board_segment(b, who) != NULL)
		return of_segment(b, board_segment(b, who), dot + 1, value);
	if (board_group(b, who) != NULL)
		return of_group(board_group(b, who), dot + 1, value);
	if (board_pins(b, who) != NULL)
		return of_pins(board_pins(b, who), dot + 1, value);
	return board_space(b, who) != NULL && of_space(board_space(b, who), dot + 1, value);
}

bool figure_get(struct board *b, const char *name, struct figure_value *value)
{
	struct sample s;

	for (unsigned i = 0; i < ARRAY_SIZE(figures); i++) {
		if (strcmp(name, figures[i].name) != 0)
			continue;
		sample(b, &s);
		*value = (struct figure_value){ value_of(&s, &figures[i]), figures[i].pages };
		return true;
	}
	return of_name(b, name, value);
}

/* ---- all ---- */

void figure_print_all(struct board *b, FILE *out)
{
	char text[CALL_SIZE_TEXT];
	struct sample s;

	sample(b, &s);
	for (unsigned i = 0; i < ARRAY_SIZE(figures); i++) {
		uint64_t value = value_of(&s, &figures[i]);

		fprintf(out, "%-18s %10" PRIu64 "  %-11s %s\n", figures[i].name, value,
			figures[i].pages ? call_size_text(value, text) : "", figures[i].meaning);
	}
}

void figure_help(FILE *out)
{
	fputs("Figures, in frames of 4 KiB or as counts:\n", out);
	for (unsigned i = 0; i < ARRAY_SIZE(figures); i++)
		fprintf(out, "  %-18s %s\n", figures[i].name, figures[i].meaning);
	fputs("  SEGMENT.FIELD      frames", out);
	for (unsigned i = PHYSMEM_ABSENT; i < SURVEY_STATES; i++)
		fprintf(out, " %s", survey_text[i].name);
	fputs(", of where it was plugged\n"
	      "  FRAMES.FIELD       runs frames, of a name that alloc has given\n"
	      "  PINS.FIELD         pages first, of a name that pin has given; first: the lowest place of one\n"
	      "  SPACE.FIELD        vmas mapped resident, of an address space\n", out);
}

void figure_json(struct board *b, struct json *object)
{
	struct sample s;

	sample(b, &s);
	for (unsigned i = 0; i < ARRAY_SIZE(figures); i++)
		json_uint(object, figures[i].name, value_of(&s, &figures[i]));
}
