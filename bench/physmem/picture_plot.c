/* SPDX-License-Identifier: MIT */
/* picture_plot.c - the picture as an image: a script for gnuplot with the data inside, no date: the same each time. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bench/physmem/call.h"
#include "bench/physmem/picture.h"
#include "bench/plot.h"

#define GAP 0.9                                  /* of a row: where absent memory is left out                      */

/* Between two colours: 0 the first, 1 the second. */
static uint32_t blend(uint32_t a, uint32_t b, double share)
{
	uint32_t rgb = 0;

	for (unsigned shift = 0; shift < 24; shift += 8) {
		double from = a >> shift & 0xff, to = b >> shift & 0xff;

		rgb |= (uint32_t)(from + (to - from) * share + 0.5) << shift;
	}
	return rgb;
}

/* The colour of what hinders most; paler, the more of the cell is free. */
static uint32_t cell_colour(const struct survey_counts *cell)
{
	unsigned state = picture_state(cell);
	uint64_t present = 0;

	for (unsigned s = PHYSMEM_FREE; s < SURVEY_STATES; s++)
		present += cell->n[s];
	if (state <= PHYSMEM_REPORTED)
		return survey_text[state].rgb;
	return blend(survey_text[state].rgb, survey_text[PHYSMEM_FREE].rgb,
		     0.7 * (double)picture_free_in(cell) / (double)present);
}

static bool gap_above(const struct picture *p, uint64_t row)
{
	return row != 0 && p->row[row].pfn != p->row[row - 1].pfn + p->cell * p->columns;
}

/* Cells [from, to) of a row, of one colour. */
static void put_box(FILE *f, unsigned from, unsigned to, double y, uint32_t colour)
{
	fprintf(f, "%g %.2f %g %u\n", (from + to) / 2.0, y + 0.5, (to - from) / 2.0, colour);
}

/* x, y, half a width, colour. Returns where the rows end. */
static double put_cells(FILE *f, const struct picture *p)
{
	double y = 0;

	fputs("$cells << EOD\n", f);
	for (uint64_t i = 0; i < p->rows; i++, y += 1) {
		unsigned from = 0;

		y += gap_above(p, i) ? GAP : 0;
		for (unsigned k = 1; k <= p->columns; k++) {
			uint32_t colour = cell_colour(&p->row[i].cell[from]);

			if (k < p->columns && cell_colour(&p->row[i].cell[k]) == colour)
				continue;
			put_box(f, from, k, y, colour);
			from = k;
		}
	}
	fputs("EOD\n", f);
	return y;
}

static void put_rows(FILE *f, const struct picture *p)
{
	char text[CALL_SIZE_TEXT], names[256];
	double y = 0;

	fputs("set ytics scale 0 font ',9' (", f);
	for (uint64_t i = 0; i < p->rows; i++, y += 1) {
		y += gap_above(p, i) ? GAP : 0;
		fprintf(f, "%s'0x%" PRIx64 "' %.2f", i != 0 ? ", " : "", p->row[i].pfn * VMMAP_PAGE_SIZE, y + 0.5);
	}
	fputs(")\n", f);
	y = 0;
	for (uint64_t i = 0; i < p->rows; i++, y += 1) {
		if (gap_above(p, i)) {
			uint64_t end = p->row[i - 1].pfn + p->cell * p->columns;

			call_size_text(p->row[i].pfn - end, text);
			fprintf(f, "set label '%s absent' at graph 0.5, first %.2f center font ',9' "
				   "textcolor rgb '#777777'\n", text, y + GAP / 2);
			y += GAP;
		}
		if (picture_names(p, i, names, sizeof(names))[0] != 0)
			fprintf(f, "set label '%s' at graph 1.01, first %.2f left font ',9' noenhanced\n", names,
				y + 0.5);
	}
}

/* Quarters of a row, as distances from its first byte. */
static void put_scale(FILE *f, const struct picture *p)
{
	char text[CALL_SIZE_TEXT];

	fputs("set xtics nomirror out font ',9' ('0' 0", f);
	for (unsigned i = 1; i <= 4; i++)
		fprintf(f, ", '%s' %u", call_size_text(p->cell * p->columns * i / 4, text), p->columns * i / 4);
	fputs(")\n", f);
}

static void put_plot(FILE *f, const struct picture *p)
{
	char text[CALL_SIZE_TEXT];

	fputs("plot $cells using 1:2:3:(0.42):4 with boxxyerror fillstyle solid 1 noborder lc rgb variable "
	      "notitle", f);
	for (unsigned s = PHYSMEM_FREE; s < SURVEY_STATES; s++)
		if (p->all.n[s] != 0)
			fprintf(f, ", \\\n     NaN with points pt 5 ps 2 lc rgb '#%06x' title '%s, %s'",
				survey_text[s].rgb, survey_text[s].name, call_size_text(p->all.n[s], text));
	fputc('\n', f);
}

static void put_script(FILE *f, const struct picture *p, const char *name, bool png)
{
	char cell[CALL_SIZE_TEXT], all[CALL_SIZE_TEXT];
	struct survey_segment s;
	uint64_t pages = 0;
	unsigned n = 0;
	double end;

	for (; survey_segment(p->board->pm, n, &s); n++)
		pages += s.pages;
	fputs("# vmmap-physmem: what the frames of a machine are used for. Boxes: x, y, half a width, colour.\n", f);
	end = put_cells(f, p);
	fprintf(f, "set terminal %s size 1100,%u font 'DejaVu Sans,11' background '#ffffff'\nset output '%s'\n",
		png ? "pngcairo" : "svg", 150 + (unsigned)(end * 17), name);
	fprintf(f, "set title '%s in %u segment%s; a cell is %s, the paler the more of it is free'\n",
		call_size_text(pages, all), n, n == 1 ? "" : "s", call_size_text(p->cell, cell));
	fprintf(f, "set xrange [0:%u]\nset yrange [%.2f:0]\nset border 0\nset rmargin 22\n"
		   "set key below center horizontal samplen 1 Left reverse noenhanced\nset style fill solid\n",
		p->columns, end);
	put_rows(f, p);
	put_scale(f, p);
	put_plot(f, p);
	fputs("unset output\n", f);
}

/* "dir/name.svg": dir in `dir`, name in *name. */
static int split_path(const char *path, char *dir, size_t bytes, const char **name)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');

	*name = slash != NULL ? slash + 1 : path;
	if (strpbrk(path, "'\"\\\n") != NULL || dot == NULL || dot <= *name)
		return -EINVAL;
	if (strcmp(dot, ".svg") != 0 && strcmp(dot, ".png") != 0)
		return -EINVAL;
	if ((size_t)snprintf(dir, bytes, "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
			     slash != NULL ? path : ".") >= bytes)
		return -ENAMETOOLONG;
	return 0;
}

int picture_plot(const struct picture *p, const char *path)
{
	char dir[2048], script[4096], base[256];
	const char *name;
	int failed, err;
	FILE *f;

	err = split_path(path, dir, sizeof(dir), &name);
	if (err != 0)
		return err;
	snprintf(base, sizeof(base), "%.*s.gp", (int)(strrchr(name, '.') - name), name);
	snprintf(script, sizeof(script), "%s/%s", dir, base);
	f = fopen(script, "w");
	if (f == NULL)
		return -errno;
	put_script(f, p, name, strcmp(strrchr(name, '.'), ".png") == 0);
	failed = ferror(f);
	if (fclose(f) != 0 || failed)
		return -EIO;
	return plot_run(dir, base);
}
