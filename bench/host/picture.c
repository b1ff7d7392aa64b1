/* SPDX-License-Identifier: MIT */
/* picture.c - see picture.h. The script has the data inside, so that a picture can be made anew elsewhere. */
#include "bench/host/picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bench/plot.h"

static double seconds(uint64_t ns) { return (double)ns / 1e9; }
static double gib(uint64_t frames) { return (double)frames / (1u << 18); }
static double ratio(uint64_t a, uint64_t b) { return b != 0 ? (double)a / (double)b : 0; }

/* ---- table ---- */

static void table_row(const struct picture_row *row, uint64_t best)
{
	const struct experiment_outcome *o = row->outcome;
	char fit[16];

	snprintf(fit, sizeof(fit), "%s%u", o->all_fit ? ">= " : "", o->fit);
	printf("%-26s %6s %8.2f %6.2f %8.2f ", row->name, fit, seconds(o->last_hog), ratio(o->last_hog, best),
	       seconds(o->last_life));
	printf("%9.2f %8.2f %8.2f %8" PRIu64 " %6.2f\n", gib(o->outs), gib(o->ins), seconds(o->reread), o->reported,
	       row->arm.reports ? seconds(o->told_after) : 0.0);
}

void picture_table(const struct experiment_setup *s, const struct picture_row *row, unsigned n)
{
	uint64_t best = row[0].outcome->first_hog;

	printf("host %.2f GiB; guests of %.2f GiB: the kernel's %.2f, %.2f of files; the program wants %.2f\n",
	       gib(s->host_frames), gib(s->guest.frames), gib(s->guest.kernel), gib(s->guest.files), gib(s->hog));
	printf("fit: guests until the host first writes to swap. program: its time in guest %u; x: over its time in\n"
	       "the first guest of the first row. life: all that guest does, its files read before and after. swap:\n"
	       "GiB until then. reread: guest 1 reads its files again. told: until all that became free is reported\n"
	       "(bound: %.2f). Virtual seconds, by the costs that --help states.\n\n",
	       s->last, seconds(row[n - 1].outcome->bound));
	printf("%-26s %6s %8s %6s %8s %9s %8s %8s %8s %6s\n", "", "fit", "program", "x", "life", "swap out", "swap in",
	       "reread", "blocks", "told");
	for (unsigned i = 0; i < n; i++)
		table_row(&row[i], best);
}

/* ---- JSON ---- */

void picture_json(const struct experiment_setup *s, const struct picture_row *row, unsigned n, struct json *root)
{
	struct json *setup = json_sub(root, "setup"), *rows = json_array(root, "rows");

	json_uint(setup, "host_frames", s->host_frames);
	json_uint(setup, "guest_frames", s->guest.frames);
	json_uint(setup, "kernel_frames", s->guest.kernel);
	json_uint(setup, "file_pages", s->guest.files);
	json_uint(setup, "program_pages", s->hog);
	json_uint(setup, "guests", s->guests);
	json_uint(setup, "last", s->last);
	json_uint(setup, "seed", s->guest.seed);
	json_uint(setup, "capture", s->guest.capture);
	for (unsigned i = 0; i < n; i++) {
		const struct experiment_outcome *o = row[i].outcome;
		struct json *r = json_row(rows);

		json_text(r, "arm", row[i].name);
		json_bool(r, "reports", row[i].arm.reports);
		json_bool(r, "caches", row[i].arm.caches);
		json_bool(r, "hook", row[i].arm.hook);
		json_bool(r, "balloon", row[i].arm.balloon);
		json_uint(r, "fit", o->fit);
		json_bool(r, "all_fit", o->all_fit);
		json_real(r, "program_s", seconds(o->last_hog));
		json_real(r, "life_s", seconds(o->last_life));
		json_real(r, "ratio", ratio(o->last_hog, row[0].outcome->first_hog));
		json_uint(r, "swapped_out", o->outs);
		json_uint(r, "swapped_in", o->ins);
		json_real(r, "reread_s", seconds(o->reread));
		json_uint(r, "reported", o->reported);
		json_uint(r, "calls", o->calls);
		json_real(r, "told_s", seconds(o->told_after));
		json_real(r, "bound_s", seconds(o->bound));
		json_uint(r, "violations", o->wrong);
	}
}

/* ---- picture ---- */

static const char *const colour[] = { "#000000", "#E69F00", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#999999" };

static void put_data(FILE *f, const struct picture_row *row, unsigned n)
{
	fputs("$bars << EOD\n", f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%u %u %.3f\n", i, row[i].outcome->fit, seconds(row[i].outcome->last_hog));
	fputs("EOD\n", f);
	for (unsigned i = 0; i < n; i++) {
		const struct experiment_outcome *o = row[i].outcome;

		fprintf(f, "$arm%u << EOD\n", i);
		for (unsigned k = 0; k < o->samples; k++)
			fprintf(f, "%.3f %.4f\n", seconds(o->sample[k].now),
				gib(o->sample[k].used) + gib(o->sample[k].swapped));
		fputs("EOD\n", f);
	}
}

static void put_bars(FILE *f, const struct picture_row *row, unsigned n, unsigned column, const char *title)
{
	fprintf(f, "set title '%s'\nset style fill solid\nset boxwidth 0.7\nunset key\nset xrange [-0.6:%u.6]\n"
		   "set yrange [0:*]\nset xtics rotate by -30 (", title, n - 1);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s'%s' %u", i != 0 ? ", " : "", row[i].name, i);
	fputs(")\nplot ", f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "$bars every ::%u::%u using 1:%u with boxes lc rgb '%s', ", i, i, column, colour[i % 7]);
	fprintf(f, "$bars using 1:%u:(sprintf('%%.3g', $%u)) with labels offset 0,0.6 font ',9'\n", column, column);
}

static void put_curves(FILE *f, const struct experiment_setup *s, const struct picture_row *row, unsigned n)
{
	fprintf(f, "set title 'frames and swap that %u guests have, by time'\nset key outside right top Left reverse\n"
		   "set xtics norotate autofreq\nset xrange [0:*]\nset xlabel 'virtual seconds'\nset ylabel 'GiB'\n"
		   "set arrow 1 from graph 0, first %.3f to graph 1, first %.3f nohead dt 2 lc rgb '#555555'\nplot ",
		s->last, gib(s->host_frames), gib(s->host_frames));
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s$arm%u using 1:2 with lines lw 2 lc rgb '%s' title '%s' noenhanced",
			i != 0 ? ", \\\n     " : "", i, colour[i % 7], row[i].name);
	fputs("\nunset arrow 1\nunset xlabel\nunset ylabel\n", f);
}

static void put_script(FILE *f, const struct experiment_setup *s, const struct picture_row *row, unsigned n)
{
	fputs("# vmmap-host: guests on one host, with and without reports of what is free.\n", f);
	put_data(f, row, n);
	fputs("set grid ytics lc rgb '#dddddd'\nset border 3\nset tics nomirror\n", f);
	for (int png = 0; png < 2; png++) {
		fprintf(f, "set terminal %s size 1000,860 font 'DejaVu Sans,11' background '#ffffff'\n"
			   "set output 'host.%s'\nset multiplot\nset origin 0,0.5\nset size 0.5,0.5\nset bmargin 6\n",
			png ? "pngcairo" : "svg", png ? "png" : "svg");
		put_bars(f, row, n, 2, "guests that fit");
		fputs("set origin 0.5,0.5\n", f);
		put_bars(f, row, n, 3, "the program in the last guest, virtual seconds");
		fputs("set origin 0,0\nset size 1,0.5\nset bmargin 4\n", f);
		put_curves(f, s, row, n);
		fputs("unset multiplot\n", f);
	}
	fputs("unset output\n", f);
}

int picture_plot(const struct experiment_setup *s, const struct picture_row *row, unsigned n, const char *dir)
{
	char path[4096];
	int failed;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/host.gp", dir) >= (int)sizeof(path))
		return -EINVAL;
	f = fopen(path, "w");
	if (f == NULL)
		return -errno;
	put_script(f, s, row, n);
	failed = ferror(f);
	if (fclose(f) != 0 || failed)
		return -EIO;
	return plot_run(dir, "host.gp");
}
