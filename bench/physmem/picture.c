/* SPDX-License-Identifier: MIT */
/* picture.c - see picture.h: cells, and what they look like in characters. */
#include "bench/physmem/picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/tool/cli.h"
#include "bench/physmem/call.h"

#define MOST_ROWS 32u

/* ---- cells ---- */

/* Rows of so many pages that have a frame, in order; calls each with its first pfn. Returns how many. */
static uint64_t each_row(struct board *b, uint64_t pages, void (*fn)(void *, uint64_t pfn), void *arg)
{
	uint64_t n = 0, next = 0;
	struct survey_segment s;

	for (unsigned i = 0; survey_segment(b->pm, i, &s); i++) {
		uint64_t row = s.pfn / pages;

		for (row = row > next ? row : next; row * pages < s.pfn + s.pages; row++, n++) {
			if (fn != NULL)
				fn(arg, row * pages);
			next = row + 1;
		}
	}
	return n;
}

static void fill_row(void *arg, uint64_t pfn)
{
	struct picture *p = arg;
	struct picture_row *row = &p->row[p->rows++];

	row->pfn = pfn;
	row->cell = calloc(p->columns, sizeof(*row->cell));
	if (row->cell == NULL)
		cli_die("give larger cells: picture cell=2M", "not enough memory for the picture");
	for (unsigned i = 0; i < p->columns; i++) {
		survey_count(p->board->pm, pfn + i * p->cell, p->cell, &row->cell[i]);
		for (unsigned s = PHYSMEM_FREE; s < SURVEY_STATES; s++)
			p->all.n[s] += row->cell[i].n[s];
	}
}

void picture_make(struct picture *p, struct board *b, unsigned columns, uint64_t cell)
{
	uint64_t n;

	*p = (struct picture){ .board = b, .cell = cell != 0 ? cell : 1, .columns = columns };
	while ((n = each_row(b, p->cell * columns, NULL, NULL)) > MOST_ROWS && cell == 0)
		p->cell *= 2;
	p->row = calloc(n, sizeof(*p->row));
	if (p->row == NULL)
		cli_die("give larger cells: picture cell=2M", "not enough memory for the picture");
	each_row(b, p->cell * columns, fill_row, p);
}

void picture_free(struct picture *p)
{
	for (uint64_t i = 0; i < p->rows; i++)
		free(p->row[i].cell);
	free(p->row);
}

unsigned picture_state(const struct survey_counts *cell)
{
	unsigned state = PHYSMEM_ABSENT;

	for (unsigned s = PHYSMEM_ABSENT; s < SURVEY_STATES; s++)
		state = cell->n[s] != 0 ? s : state;
	return state;
}

uint64_t picture_free_in(const struct survey_counts *cell)
{
	return cell->n[PHYSMEM_FREE] + cell->n[PHYSMEM_REPORTED];
}

const char *picture_names(const struct picture *p, uint64_t row, char *text, size_t bytes)
{
	uint64_t lo = p->row[row].pfn, hi = lo + p->cell * p->columns;
	size_t n = 0;

	text[0] = 0;
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_segment *s = &p->board->segment[i];

		if (s->name[0] == 0 || s->pfn < lo || s->pfn >= hi || n >= bytes)
			continue;
		n += (size_t)snprintf(text + n, bytes - n, "%s%s%s", n != 0 ? ", " : "", s->name,
				      s->movable ? " (movable)" : "");
	}
	return text;
}

/* ---- characters ---- */

static char cell_char(const struct survey_counts *cell)
{
	const struct survey_text *text = &survey_text[picture_state(cell)];

	return picture_free_in(cell) != 0 ? text->part : text->full;
}

static void print_gap(const struct picture *p, uint64_t i, FILE *out)
{
	uint64_t end = i != 0 ? p->row[i - 1].pfn + p->cell * p->columns : p->board->base;
	char text[CALL_SIZE_TEXT];

	if (p->row[i].pfn > end)
		fprintf(out, "%14s  (absent: %s)\n", "", call_size_text(p->row[i].pfn - end, text));
}

static void print_legend(const struct picture *p, FILE *out)
{
	char text[CALL_SIZE_TEXT];

	for (unsigned s = PHYSMEM_FREE; s < SURVEY_STATES; s++) {
		const struct survey_text *t = &survey_text[s];

		if (p->all.n[s] == 0)
			continue;
		fprintf(out, "  %c%s%c  %-10s %-11s %s\n", t->full, t->part != t->full ? " " : "  ",
			t->part != t->full ? t->part : ' ', t->name, call_size_text(p->all.n[s], text), t->meaning);
	}
}

void picture_print(const struct picture *p, FILE *out)
{
	char text[CALL_SIZE_TEXT], names[256];

	fprintf(out, "a character is %s", call_size_text(p->cell, text));
	fprintf(out, ", a row %s; a small letter: some of it is free\n",
		call_size_text(p->cell * p->columns, text));
	for (uint64_t i = 0; i < p->rows; i++) {
		print_gap(p, i, out);
		fprintf(out, "%14" PRIx64 " |", p->row[i].pfn * VMMAP_PAGE_SIZE);
		for (unsigned k = 0; k < p->columns; k++)
			fputc(cell_char(&p->row[i].cell[k]), out);
		fprintf(out, "|%s%s\n", picture_names(p, i, names, sizeof(names))[0] != 0 ? " " : "", names);
	}
	print_legend(p, out);
}
