/* SPDX-License-Identifier: MIT */
/* plot.c - `vmmap-manycore plot`: throughput and transfers against cores, all policies of a profile on one axis. */
#include "bench/plot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/options.h"
#include "bench/manycore/points.h"
#include "bench/manycore/report.h"

static const char doc[] =
	"Draws the points of a sweep: for each profile throughput (log-log, with linear scaling) and line transfers "
	"per operation, SVG and PNG, every policy on one axis. Each picture carries the limits of the model.\v"
	"Examples:\n"
	"  vmmap-manycore plot --out curves\n"
	"Exit code: 0; 2 if there are no points or gnuplot could not draw them.";

/* Okabe and Ito's colours: told apart by everybody. A policy looks the same in each picture; ours is the thick one. */
static const struct style { const char *policy, *colour; unsigned width, point, dash; } style[] = {
	{ "vma", "#0072B2", 4, 7, 1 },          { "vma-count", "#56B4E9", 2, 6, 1 },
	{ "rwsem", "#D55E00", 2, 5, 1 },        { "pervma", "#E69F00", 2, 4, 1 },
	{ "spf", "#CC79A7", 2, 9, 1 },          { "pt-lock", "#009E73", 2, 11, 1 },
	{ "range-tree", "#000000", 2, 8, 1 },   { "range-list", "#999999", 2, 10, 1 },
	{ "fine-lock", "#000000", 2, 12, 2 },   { "checked", "#999999", 2, 13, 2 },
	{ NULL, "#666666", 1, 1, 3 },
};

static const struct style *style_of(const char *policy)
{
	const struct style *s = style;

	while (s->policy != NULL && strcmp(s->policy, policy) != 0)
		s++;
	return s;
}

struct curve { const struct point *point; size_t n; };

static struct curve curve_at(const struct point *points, size_t n, size_t from)
{
	struct curve c = { &points[from], 1 };

	while (from + c.n < n && strcmp(points[from + c.n].profile, c.point->profile) == 0 &&
	       strcmp(points[from + c.n].policy, c.point->policy) == 0)
		c.n++;
	return c;
}

static void put_limits(FILE *f)
{
	fputs("set label 1 \"", f);
	for (unsigned i = 0; report_limit(i) != NULL; i++)
		fprintf(f, "%s%s", i ? "\\n" : "", report_limit(i));
	fputs("\" at screen 0.01, screen 0.125 left font ',8' textcolor rgb '#555555' noenhanced\n", f);
}

static void put_data(FILE *f, const struct point *points, size_t n)
{
	for (size_t at = 0; at < n;) {
		struct curve c = curve_at(points, n, at);

		fprintf(f, "$d%zu << EOD\n", at);
		for (size_t i = 0; i < c.n; i++)
			fprintf(f, "%u %.6g %.4f\n", c.point[i].cores, c.point[i].ops_per_s / 1e6,
				c.point[i].transfers);
		fputs("EOD\n", f);
		at += c.n;
	}
}

/* The curves of one profile; column 2: throughput, 3: transfers. Returns how many points they have. */
static size_t put_curves(FILE *f, const struct point *points, size_t n, size_t at, unsigned column)
{
	const char *profile = points[at].profile, *separator = "plot ";
	size_t from = at;

	while (at < n && strcmp(points[at].profile, profile) == 0) {
		struct curve c = curve_at(points, n, at);
		const struct style *like = style_of(c.point->policy);

		fprintf(f, "%s$d%zu using 1:%u with linespoints lw %u pt %u ps 0.7 dt %u lc rgb '%s' title '%s' "
			"noenhanced", separator, at, column, like->width, like->point, like->dash, like->colour,
			c.point->policy);
		if (like == style && column == 2)
			fprintf(f, ", \\\n     %.6g * x with lines dt 2 lc rgb '#888888' title 'vma, linear'",
				c.point[0].ops_per_s / 1e6 / c.point[0].cores);
		separator = ", \\\n     ";
		at += c.n;
	}
	fputc('\n', f);
	return at - from;
}

static void put_pictures(FILE *f, const struct point *points, size_t n, bool png)
{
	for (size_t at = 0, more; at < n; at += more) {
		const char *profile = points[at].profile, *type = png ? "png" : "svg";

		fprintf(f, "set output '%s.%s'\nset title '%s: throughput' noenhanced\n"
			"set logscale xy\nset yrange [*:*]\nset ylabel 'million operations / s of virtual time'\n",
			profile, type, profile);
		(void)put_curves(f, points, n, at, 2);
		fprintf(f, "set output '%s-transfers.%s'\nset title '%s: line transfers per operation' noenhanced\n"
			"unset logscale y\nset yrange [0:*]\nset ylabel 'transfers / operation'\n",
			profile, type, profile);
		more = put_curves(f, points, n, at, 3);
	}
}

static int write_script(const char *path, const struct point *points, size_t n)
{
	FILE *f = fopen(path, "w");
	int failed;

	if (f == NULL)
		return -errno;
	fputs("# vmmap-manycore: logical cores, virtual time.\n", f);
	put_data(f, points, n);
	fputs("set grid lc rgb '#dddddd'\nset border 3\nset tics nomirror\nset xlabel 'logical cores'\n"
	      "set logscale x\nset xtics (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)\nset xrange [0.9:1150]\n"
	      "set key outside right top Left reverse samplen 2\nset bmargin 9\n", f);
	put_limits(f);
	fputs("set terminal svg size 760,560 font 'DejaVu Sans,13' background '#ffffff'\n", f);
	put_pictures(f, points, n, false);
	fputs("set terminal pngcairo size 760,560 font 'DejaVu Sans,11' background '#ffffff'\n", f);
	put_pictures(f, points, n, true);
	fputs("unset output\n", f);
	failed = ferror(f);
	return fclose(f) != 0 || failed ? -EIO : 0;
}

int plot_main(int argc, char **argv)
{
	struct options o;
	struct points points;
	char path[4096];
	int err;

	options_parse("d", doc, argc, argv, &o);
	if (o.out == NULL)
		o.out = "manycore-sweep";
	err = points_read(&points, o.out);
	if (err)
		cli_die(NULL, "%s/points.json: %s", o.out, strerror(-err));
	if (points.done.n == 0)
		cli_die("run a sweep first", "%s/points.json has no points", o.out);
	snprintf(path, sizeof(path), "%s/manycore.gp", o.out);
	err = write_script(path, points.done.at, points.done.n);
	if (!err)
		err = plot_run(o.out, "manycore.gp");
	points_free(&points);
	if (err)
		cli_complain(err == -ENOENT ? "install gnuplot-nox, then run gnuplot manycore.gp there" : NULL,
			     "no plots in %s: %s", o.out, strerror(-err));
	return err ? CLI_USAGE : CLI_OK;
}
