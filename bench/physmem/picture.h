/* SPDX-License-Identifier: MIT */
/*
 * picture.h - the memory as rows of cells, each so many frames: in characters, or as an image by gnuplot.
 *
 * A row begins at a multiple of its length. Rows in which no frame is there are left out, with a word about it. A cell
 * shows what hinders most of all that it has (survey.h), and how much of it is free.
 */
#ifndef BENCH_PHYSMEM_PICTURE_H
#define BENCH_PHYSMEM_PICTURE_H

#include "bench/physmem/board.h"
#include "bench/physmem/survey.h"

struct picture_row { uint64_t pfn; struct survey_counts *cell; };

struct picture {
	struct board *board;
	uint64_t cell;                           /* pages                                                          */
	unsigned columns;
	uint64_t rows;
	struct picture_row *row;
	struct survey_counts all;                /* without what is absent                                         */
};

#define PICTURE_TEXT_COLUMNS  64u
#define PICTURE_IMAGE_COLUMNS 128u

/* cell: pages, or 0: as few as fit into some 32 rows, a power of two. */
void picture_make(struct picture *p, struct board *b, unsigned columns, uint64_t cell);
void picture_free(struct picture *p);

/* What a cell shows (survey.h), and how many of its frames are free. */
unsigned picture_state(const struct survey_counts *cell);
uint64_t picture_free_in(const struct survey_counts *cell);
/* The segments that begin in the row, by name: "boot, dimm1". Returns text. */
const char *picture_names(const struct picture *p, uint64_t row, char *text, size_t bytes);

void picture_print(const struct picture *p, FILE *out);
/* path ends with .svg or .png; beside it .gp, the script that made it. 0; -EINVAL: another ending, or a quote in the
 * name; -ENOENT: no such directory, or no gnuplot; -EIO: gnuplot failed; another errno. */
int  picture_plot(const struct picture *p, const char *path);

#endif
