/* SPDX-License-Identifier: MIT */
/*
 * plot.c - `vmmap-manycore plot`: throughput and transfers against cores, all policies of a profile on one axis.
 *
 * LINES    of the costs 100 (or the only ones there are); policies that coincide are all seen: ours is the broadest and
 *          lies below, the others are narrower and of other dashes the later they are drawn. Where the program changes
 *          between two points, the line is thin and dotted.
 * MARKERS  filled: points_whole; hollow: fewer operations, or not steady.
 * BANDS    of a policy with points of all three costs on two counts of cores or more: from the least to the greatest.
 * LINEAR   from the default policy's point on one core, and only from there.
 *
 * The axis of transfers is that of asinh, so 0 has a place, and 0.005 is told from it: what is less prints as 0.00.
 */
#include "bench/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/options.h"
#include "bench/manycore/points.h"
#include "bench/manycore/report.h"

static const char doc[] =
	"Draws the points of a sweep: for each profile throughput (log-log, with linear scaling) and line transfers "
	"per operation, SVG and PNG, every policy on one axis. Hollow points have fewer operations than 10,000 a core "
	"(1,000 beyond 128 cores) or are not steady; where the program changed, the line is dotted; bands span the "
	"three scenarios of costs. Each picture carries the limits of the model.\v"
	"Examples:\n"
	"  vmmap-manycore plot --out curves\n"
	"Exit code: 0; 2 if there are no points or gnuplot could not draw them.";

/* Drawn in this order. point: filled; one less is the same, hollow. The first: Okabe and Ito's colours. */
static const struct style { const char *policy, *colour; double width; unsigned point; const char *dash; } style[] = {
	{ "vma", "#0072B2", 6, 7, "1" },                { "vma-count", "#56B4E9", 4.5, 5, "1" },
	{ "rwsem", "#D55E00", 4, 5, "1" },              { "pt-lock", "#009E73", 3, 11, "1" },
	{ "range-tree", "#000000", 3.5, 9, "1" },       { "range-list", "#999999", 2.6, 13, "1" },
	{ "pervma", "#E69F00", 2.2, 9, "(9,5)" },       { "fine-lock", "#B15928", 1.8, 13, "(7,4)" },
	{ "checked", "#6A3D9A", 1.8, 15, "(9,4,2,4)" }, { "spf", "#F768A1", 1.8, 11, "(2,3)" },
	{ NULL, "#666666", 1, 7, "(4,8)" },
};

static const struct style *style_of(const char *policy)
{
	const struct style *s = style;

	while (s->policy != NULL && strcmp(s->policy, policy) != 0)
		s++;
	return s;
}

/* ---- curves ---- */

/* Points of one policy, profile and model, by cores. */
struct curve { const struct point *point; size_t n; };
/* A picture: the curves of a profile that are drawn, and those of other costs beside them. */
struct picture { const char *profile; struct curve *curve; size_t n; };

static bool of_one_curve(const struct point *a, const struct point *b)
{
	return strcmp(a->profile, b->profile) == 0 && strcmp(a->policy, b->policy) == 0 &&
	       strcmp(a->terms.costs, b->terms.costs) == 0 && points_default(a) == points_default(b);
}

static struct curve curve_at(const struct point *points, size_t n, size_t from)
{
	struct curve c = { &points[from], 1 };

	while (from + c.n < n && of_one_curve(&points[from], &points[from + c.n]))
		c.n++;
	return c;
}

static int by_style(const void *x, const void *y)
{
	const struct curve *a = x, *b = y;
	int order = strcmp(a->point->profile, b->point->profile);
	const struct style *s = style_of(a->point->policy), *t = style_of(b->point->policy);

	if (order == 0)
		order = (s > t) - (s < t);
	if (order == 0)
		order = strcmp(a->point->policy, b->point->policy);
	return order != 0 ? order : (a->point > b->point) - (a->point < b->point);
}

/* All that can be drawn, by profile and in the order of drawing. */
static struct curve *all_curves(const struct points *points, size_t *n)
{
	const struct point_list *list = &points->done;
	struct curve *curves = calloc(list->n, sizeof(*curves));

	*n = 0;
	for (size_t at = 0; curves != NULL && at < list->n;) {
		struct curve c = curve_at(list->at, list->n, at);

		if (points_default(c.point))
			curves[(*n)++] = c;
		at += c.n;
	}
	if (*n > 0)
		qsort(curves, *n, sizeof(*curves), by_style);
	return curves;
}

/* What the lines are of: 100, where there is such a point. */
static const char *costs_drawn(const struct curve *curves, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (points_plain(curves[i].point))
			return "100";
	return curves[0].point->terms.costs;
}

static const struct point *point_at(const struct curve *c, uint32_t cores)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->point[i].cores == cores)
			return &c->point[i];
	return NULL;
}

/* ---- data ---- */

/* $l: the line, interrupted where the program changes; $t: what lies between; $p: points, 1: whole. */
static void put_curve(FILE *f, const struct curve *c, size_t number)
{
	const struct point *p = c->point;

	fprintf(f, "$p%zu << EOD\n", number);
	for (size_t i = 0; i < c->n; i++)
		fprintf(f, "%u %.6g %.4f %d\n", p[i].cores, p[i].ops_per_s / 1e6, p[i].transfers, points_whole(&p[i]));
	fprintf(f, "EOD\n$l%zu << EOD\n", number);
	for (size_t i = 0; i < c->n; i++)
		fprintf(f, "%s%u %.6g %.4f\n", i > 0 && strcmp(p[i].build, p[i - 1].build) != 0 ? "\n" : "", p[i].cores,
			p[i].ops_per_s / 1e6, p[i].transfers);
	fprintf(f, "EOD\n$t%zu << EOD\n%u NaN NaN\n", number, p->cores);
	for (size_t i = 1; i < c->n; i++)
		if (strcmp(p[i].build, p[i - 1].build) != 0)
			fprintf(f, "\n%u %.6g %.4f\n%u %.6g %.4f\n", p[i - 1].cores, p[i - 1].ops_per_s / 1e6,
				p[i - 1].transfers, p[i].cores, p[i].ops_per_s / 1e6, p[i].transfers);
	fputs("EOD\n", f);
}

struct span { double rate[2], transfers[2]; };

/* The least and the greatest of all scenarios on so many cores. False: one of them has no point there. */
static bool span_at(const struct picture *in, const char *policy, uint32_t cores, struct span *out)
{
	*out = (struct span){ { HUGE_VAL, 0 }, { HUGE_VAL, 0 } };
	for (unsigned k = 0; options_costs_name(k) != NULL; k++) {
		const struct point *p = NULL;

		for (size_t i = 0; i < in->n && p == NULL; i++)
			if (strcmp(in->curve[i].point->policy, policy) == 0 &&
			    strcmp(in->curve[i].point->terms.costs, options_costs_name(k)) == 0)
				p = point_at(&in->curve[i], cores);
		if (p == NULL)
			return false;
		out->rate[0] = fmin(out->rate[0], p->ops_per_s / 1e6);
		out->rate[1] = fmax(out->rate[1], p->ops_per_s / 1e6);
		out->transfers[0] = fmin(out->transfers[0], p->transfers);
		out->transfers[1] = fmax(out->transfers[1], p->transfers);
	}
	return true;
}

/* $b: cores, least and greatest rate, least and greatest transfers. How many rows it has. */
static size_t put_band(FILE *f, const struct picture *in, const struct curve *c, size_t number)
{
	struct span s;
	size_t n = 0;

	if (f != NULL)
		fprintf(f, "$b%zu << EOD\n", number);
	for (size_t i = 0; i < c->n; i++)
		if (span_at(in, c->point->policy, c->point[i].cores, &s)) {
			n++;
			if (f != NULL)
				fprintf(f, "%u %.6g %.6g %.4f %.4f\n", c->point[i].cores, s.rate[0], s.rate[1],
					s.transfers[0], s.transfers[1]);
		}
	if (f != NULL)
		fputs("EOD\n", f);
	return n;
}

/* ---- pictures ---- */

static void put_caption(FILE *f, const char *costs, const char *dir)
{
	char validation[256];

	fprintf(f, "set label 1 \"costs %s (", costs);
	for (unsigned k = 0; options_costs_name(k) != NULL; k++)
		if (strcmp(options_costs_name(k), costs) == 0)
			fprintf(f, "%lu/%lu ns a transfer inside/across a socket), %u cores a socket",
				(unsigned long)(options_costs(k)->line.within / TURN_PS),
				(unsigned long)(options_costs(k)->line.across / TURN_PS),
				options_costs(k)->line.cores_per_socket);
	fputs("; bands: costs 50 (30/50 ns) to 250 (100/250 ns)\\n"
	      "hollow: fewer than 10,000 operations a core (1,000 beyond 128 cores), or not steady; "
	      "dotted between two programs", f);
	for (unsigned i = 0; report_limit(i) != NULL; i++)
		fprintf(f, "\\n%s", report_limit(i));
	fprintf(f, "\\n%s", report_validation(dir, validation, sizeof(validation)));
	fputs("\" at screen 0.01, screen 0.18 left font ',8' textcolor rgb '#555555' noenhanced\n", f);
}

static double size_of(const struct style *s)
{
	return 0.55 + 0.12 * s->width;
}

struct mark { int whole; unsigned type; const char *colour; double size; };

/* Of the points that are whole, or of those that are not. */
static void put_marks(FILE *f, size_t number, unsigned column, const struct mark *m)
{
	fprintf(f, ", \\\n  $p%zu using 1:($4 == %d ? $%u : NaN) with points pt %u ps %g lw 1.5 lc rgb '%s' notitle",
		number, m->whole, column, m->type, m->size, m->colour);
}

static void put_line(FILE *f, const struct curve *c, size_t number, unsigned column)
{
	const struct style *s = style_of(c->point->policy);
	const char *colour = s->colour;

	fprintf(f, ", \\\n  $l%zu using 1:%u with lines lw %g dt %s lc rgb '%s' notitle", number, column, s->width,
		s->dash, colour);
	fprintf(f, ", \\\n  $t%zu using 1:%u with lines lw %g dt (1,4) lc rgb '%s' notitle", number, column,
		1 + s->width / 4, colour);
	put_marks(f, number, column, &(struct mark){ 1, s->point, colour, size_of(s) });
	put_marks(f, number, column, &(struct mark){ 0, s->point, "#ffffff", size_of(s) });
	put_marks(f, number, column, &(struct mark){ 0, s->point - 1, colour, size_of(s) });
	fprintf(f, ", \\\n  NaN with linespoints lw %g dt %s pt %u ps %g lc rgb '%s' title '%s' noenhanced", s->width,
		s->dash, s->point, size_of(s), colour, c->point->policy);
}

/* Column 2: throughput, 3: transfers; of curves[first] on, the bands at the bottom. */
static void put_curves(FILE *f, const struct picture *in, size_t first, const char *costs, unsigned column)
{
	unsigned lo = column == 2 ? 2 : 4;

	fprintf(f, "plot %s", column == 3 ? "0.005 with lines lw 1 dt 2 lc rgb '#888888' title '0.005'" :
		"NaN notitle");
	for (size_t i = 0; i < in->n; i++) {
		const struct curve *c = &in->curve[i];

		if (strcmp(c->point->terms.costs, costs) == 0 && put_band(NULL, in, c, 0) > 1)
			fprintf(f, ", \\\n  $b%zu using 1:%u:%u with filledcurves fc rgb '%s' fs transparent solid "
				"0.25 noborder title '%s, 50 to 250' noenhanced", first + i, lo, lo + 1,
				style_of(c->point->policy)->colour, c->point->policy);
	}
	for (size_t i = 0; i < in->n; i++) {
		const struct curve *c = &in->curve[i];

		if (strcmp(c->point->terms.costs, costs) != 0)
			continue;
		if (column == 2 && strcmp(c->point->policy, "vma") == 0 && c->point->cores == 1)
			fprintf(f, ", \\\n  %.6g * x with lines lw 1 dt 2 lc rgb '#888888' title 'vma, linear'",
				c->point->ops_per_s / 1e6);
		put_line(f, c, first + i, column);
	}
	fputc('\n', f);
}

/* The counts of cores that there are, and the end of the axis of transfers. */
static void put_ranges(FILE *f, const struct picture *in)
{
	uint32_t least = UINT32_MAX, most = 1;
	double transfers = 0.05;

	for (size_t i = 0; i < in->n; i++) {
		const struct curve *c = &in->curve[i];

		least = c->point->cores < least ? c->point->cores : least;
		most = c->point[c->n - 1].cores > most ? c->point[c->n - 1].cores : most;
		for (size_t k = 0; k < c->n; k++)
			transfers = fmax(transfers, c->point[k].transfers);
	}
	fprintf(f, "set xrange [%g:%g]\ntransfers_most = %g\n", 0.9 * least, 1.12 * most, 1.6 * transfers);
}

static void put_picture(FILE *f, const struct picture *in, size_t first, const char *costs, const char *type)
{
	put_ranges(f, in);
	fprintf(f, "set output '%s.%s'\nset title '%s: throughput' noenhanced\nunset nonlinear y\nset logscale y\n"
		"set yrange [*:*]\nset ytics auto\nset ylabel 'million operations / s of virtual time'\n", in->profile,
		type, in->profile);
	put_curves(f, in, first, costs, 2);
	fprintf(f, "set output '%s-transfers.%s'\nset title '%s: line transfers per operation' noenhanced\n"
		"unset logscale y\nset nonlinear y via asinh(y/0.01) inverse 0.01*sinh(y)\n"
		"set yrange [-0.001:transfers_most]\nset ytics (0, 0.01, 0.1, 1, 10, 100, 1000)\n"
		"set ylabel 'transfers / operation'\n", in->profile, type, in->profile);
	put_curves(f, in, first, costs, 3);
}

/* Each profile's pictures; type NULL: their data. */
static void put_all(FILE *f, struct curve *curves, size_t n, const char *type)
{
	const char *costs = costs_drawn(curves, n);

	for (size_t at = 0; at < n;) {
		struct picture in = { curves[at].point->profile, &curves[at], 0 };

		while (at + in.n < n && strcmp(curves[at + in.n].point->profile, in.profile) == 0)
			in.n++;
		for (size_t i = 0; type == NULL && i < in.n; i++) {
			put_curve(f, &in.curve[i], at + i);
			(void)put_band(f, &in, &in.curve[i], at + i);
		}
		if (type != NULL)
			put_picture(f, &in, at, costs, type);
		at += in.n;
	}
}

static int write_script(const char *dir, struct curve *curves, size_t n)
{
	char path[4096];
	FILE *f;
	int failed;

	snprintf(path, sizeof(path), "%s/manycore.gp", dir);
	f = fopen(path, "w");
	if (f == NULL)
		return -errno;
	fputs("# vmmap-manycore: logical cores, virtual time.\n", f);
	put_all(f, curves, n, NULL);
	fputs("set grid xtics ytics lt 1 lw 0.5 lc rgb '#dddddd'\nset border 3\nset tics nomirror\n"
	      "set xlabel 'logical cores'\nset logscale x\nset xtics (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)\n"
	      "set key outside right top Left reverse samplen 4\nset bmargin 12\n", f);
	put_caption(f, costs_drawn(curves, n), dir);
	fputs("set terminal svg size 820,640 font 'DejaVu Sans,13' background '#ffffff'\n", f);
	put_all(f, curves, n, "svg");
	fputs("set terminal pngcairo size 820,640 font 'DejaVu Sans,11' background '#ffffff'\n", f);
	put_all(f, curves, n, "png");
	fputs("unset output\n", f);
	failed = ferror(f);
	return fclose(f) != 0 || failed ? -EIO : 0;
}

static int draw(const struct points *points, const char *dir)
{
	struct curve *curves;
	size_t n;
	int err;

	curves = all_curves(points, &n);
	if (n == 0) {
		free(curves);
		return -ENODATA;
	}
	err = write_script(dir, curves, n);
	free(curves);
	return err ? err : plot_run(dir, "manycore.gp");
}

int plot_main(int argc, char **argv)
{
	struct options o;
	struct points points;
	int err;

	options_parse("d", doc, argc, argv, &o);
	if (o.out == NULL)
		o.out = "manycore-sweep";
	err = points_read(&points, o.out);
	if (err)
		cli_die(NULL, "%s/points.json: %s", o.out, strerror(-err));
	if (points.done.n == 0)
		cli_die("run a sweep first", "%s/points.json has no points", o.out);
	err = draw(&points, o.out);
	points_free(&points);
	if (err == -ENODATA) {
		fprintf(stderr, "no pictures: no point has the default quantum, sockets and seed\n");
		return CLI_OK;
	}
	if (err)
		cli_complain(err == -ENOENT ? "install gnuplot-nox, then run gnuplot manycore.gp there" : NULL,
			     "no plots in %s: %s", o.out, strerror(-err));
	return err ? CLI_USAGE : CLI_OK;
}
