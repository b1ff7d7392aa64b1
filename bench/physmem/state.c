/* SPDX-License-Identifier: MIT */
/* state.c - see state.h. Amounts are frames; addresses are in bytes. */
#include "bench/physmem/state.h"

#include "bench/physmem/figure.h"
#include "bench/physmem/survey.h"

static void put_states(const struct survey_counts *counts, struct json *to)
{
	for (unsigned s = PHYSMEM_FREE; s < SURVEY_STATES; s++)
		json_uint(to, survey_text[s].name, counts->n[s]);
}

/* The name that it was plugged by, where its first frame is still where that was. */
static const char *name_at(const struct board *b, uint64_t pfn)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (b->segment[i].name[0] != 0 && pfn - b->segment[i].pfn < b->segment[i].pages)
			return b->segment[i].name;
	return NULL;
}

static void put_segments(struct board *b, struct json *rows)
{
	struct survey_segment s;

	for (unsigned i = 0; survey_segment(b->pm, i, &s); i++) {
		struct survey_counts counts = { { 0 } };
		struct json *row = json_row(rows);

		json_text(row, "name", name_at(b, s.pfn));
		json_uint(row, "start", s.pfn * VMMAP_PAGE_SIZE);
		json_uint(row, "end", (s.pfn + s.pages) * VMMAP_PAGE_SIZE);
		json_bool(row, "movable", s.movable);
		survey_count(b->pm, s.pfn, s.pages, &counts);
		put_states(&counts, json_sub(row, "frames"));
	}
}

static void put_groups(const struct board *b, struct json *rows)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_group *g = &b->group[i];
		uint64_t frames = 0;
		struct json *row;

		if (g->name[0] == 0)
			continue;
		for (uint64_t k = 0; k < g->n; k++)
			frames += UINT64_C(1) << g->run[k].order;
		row = json_row(rows);
		json_text(row, "name", g->name);
		json_uint(row, "runs", g->n);
		json_uint(row, "frames", frames);
	}
}

static void put_pins(const struct board *b, struct json *rows)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_pins *p = &b->pins[i];
		uint64_t mapped = 0;
		struct json *row;

		if (p->name[0] == 0)
			continue;
		for (uint64_t k = 0; k < p->n; k++)
			mapped += p->pin[k].mapping != NULL;
		row = json_row(rows);
		json_text(row, "name", p->name);
		json_uint(row, "pages", p->n);
		json_uint(row, "mapped", mapped);
	}
}

static void put_mappings(const struct board_space *s, struct json *rows)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_mapping *m = &s->mapping[i];
		uint64_t stored = 0;
		struct json *row;

		if (m->name[0] == 0)
			continue;
		for (uint64_t k = 0; k < m->pages; k++)
			stored += m->stored[k] != 0 && m->stored[k] != BOARD_GONE;
		row = json_row(rows);
		json_text(row, "name", m->name);
		json_uint(row, "address", m->addr);
		json_uint(row, "pages", m->pages);
		json_uint(row, "stored", stored);
	}
}

static void put_spaces(const struct board *b, struct json *rows)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_space *s = &b->space[i];
		struct vmmap_usage usage;
		struct json *row;

		if (s->name[0] == 0)
			continue;
		vmmap_get_usage(s->map, &usage);
		row = json_row(rows);
		json_text(row, "name", s->name);
		json_text(row, "policy", s->policy);
		json_uint(row, "vmas", usage.vmas);
		json_uint(row, "resident", usage.resident_pages);
		put_mappings(s, json_array(row, "mappings"));
	}
}

void state_json(struct script *s, struct json *root)
{
	struct board *b = &s->board;

	json_uint(root, "commands", s->commands);
	json_uint(root, "failures", s->failures);
	if (b->pm == NULL)
		return;
	json_uint(root, "base", b->base * VMMAP_PAGE_SIZE);
	json_uint(root, "limit", b->limit * VMMAP_PAGE_SIZE);
	json_bool(root, "bytes", b->bytes);
	figure_json(b, json_sub(root, "figures"));
	put_segments(b, json_array(root, "segments"));
	put_groups(b, json_array(root, "frames"));
	put_spaces(b, json_array(root, "spaces"));
	put_pins(b, json_array(root, "pins"));
	json_uint(root, "violations", board_audit(b, stderr));
}
