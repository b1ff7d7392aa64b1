/* SPDX-License-Identifier: MIT */
/* plot.c - see plot.h. The script is self-contained (data inside), so that a picture can be made anew elsewhere. */
#include "bench/plot.h"

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

/* Okabe and Ito's colours, told apart by everybody, then darker ones of them; the signs differ, too. The default policy
 * is the thick one. */
static const char *const colour[] = { "#000000", "#999999", "#E69F00", "#56B4E9", "#CC79A7", "#D55E00", "#009E73",
				      "#8A5F00", "#1F6E96", "#7D3F63", "#7A3600", "#005C43" };
#define COLOURS (sizeof(colour) / sizeof(colour[0]))

#define KEY "set key outside right top Left reverse samplen 2\n"

struct names { const char *name[32]; size_t n; };

static void add_name(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->name[i], name) == 0)
			return;
	if (names->n < 32)
		names->name[names->n++] = name;
}

/* gnuplot names its data blocks like variables. */
static void put_block_name(FILE *f, const char *workload, const char *policy)
{
	fputc('$', f);
	fputs("d_", f);
	for (const char *s = workload; *s; s++)
		fputc(*s == '-' ? '_' : *s, f);
	fputs("__", f);
	for (const char *s = policy; *s; s++)
		fputc(*s == '-' ? '_' : *s, f);
}

static bool has(const struct plot_point *p, size_t n, const char *workload, const char *policy)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(p[i].workload, workload) == 0 && strcmp(p[i].policy, policy) == 0)
			return true;
	return false;
}

static void put_data(FILE *f, const struct plot_point *p, size_t n, const struct names *w, const struct names *pol)
{
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; k < pol->n; k++) {
			if (!has(p, n, w->name[i], pol->name[k]))
				continue;
			put_block_name(f, w->name[i], pol->name[k]);
			fputs(" << EOD\n", f);
			for (size_t j = 0; j < n; j++)
				if (strcmp(p[j].workload, w->name[i]) == 0 && strcmp(p[j].policy, pol->name[k]) == 0)
					fprintf(f, "%u %.6g %.6g %.6g\n", p[j].threads, p[j].rate.median / 1e6,
						p[j].rate.lo / 1e6, p[j].rate.hi / 1e6);
			fputs("EOD\n", f);
		}
	}
}

static void put_axes(FILE *f, const struct plot_point *p, size_t n)
{
	unsigned most = 1;

	fputs("set style data yerrorlines\nset grid ytics lc rgb '#dddddd'\nset border 3\nset tics nomirror\n"
	      "set yrange [0:*]\nset xlabel 'threads'\nset ylabel 'million operations / s'\n"
	      "set xtics (", f);
	for (size_t i = 0; i < n; i++) {
		bool seen = false;

		for (size_t j = 0; j < i; j++)
			seen = seen || p[j].threads == p[i].threads;
		if (!seen)
			fprintf(f, "%s%u", i ? ", " : "", p[i].threads);
		most = p[i].threads > most ? p[i].threads : most;
	}
	fprintf(f, ")\nset xrange [%s:%.2f]\n", "0.8", most + 0.2);
}

static void put_plot(FILE *f, const struct plot_point *p, size_t n, const char *workload, const struct names *pol)
{
	const char *separator = "";

	fprintf(f, "set title '%s' noenhanced\nplot ", workload);
	for (size_t k = 0; k < pol->n; k++) {
		bool ours = strcmp(pol->name[k], "vma") == 0;

		if (!has(p, n, workload, pol->name[k]))
			continue;
		fputs(separator, f);
		put_block_name(f, workload, pol->name[k]);
		fprintf(f, " using 1:2:3:4 lw %d pt %zu ps 0.9 lc rgb '%s' title '%s' noenhanced", ours ? 3 : 2, k + 4,
			ours ? "#0072B2" : colour[k % COLOURS], pol->name[k]);
		separator = ", \\\n     ";
	}
	fputc('\n', f);
}

static void put_terminal(FILE *f, bool png, unsigned width, unsigned height)
{
	if (png)
		fprintf(f, "set terminal pngcairo size %u,%u font 'DejaVu Sans,11' background '#ffffff'\n", width,
			height);
	else
		fprintf(f, "set terminal svg size %u,%u font 'DejaVu Sans,13' background '#ffffff'\n", width, height);
}

static void put_machine(FILE *f, const char *machine)
{
	fputs("set label 1 \"", f);
	for (const char *s = machine; *s; s++)
		if (*s != '"' && *s != '\\' && *s != '\n')
			fputc(*s, f);
	fputs("\" at screen 0.01, screen 0.015 left font ',9' textcolor rgb '#555555' noenhanced\n", f);
}

static void put_script(FILE *f, const char *machine, const struct plot_point *p, size_t n)
{
	struct names w = { .n = 0 }, pol = { .n = 0 };

	for (size_t i = 0; i < n; i++) {
		add_name(&w, p[i].workload);
		add_name(&pol, p[i].policy);
	}
	fputs("# vmmap-bench sweep: throughput against threads; bars are 95 % bootstrap intervals of the median.\n", f);
	put_data(f, p, n, &w, &pol);
	put_axes(f, p, n);
	put_machine(f, machine);
	for (int png = 0; png < 2; png++) {
		unsigned columns = w.n < 3 ? (unsigned)w.n : 3, rows = ((unsigned)w.n + columns - 1) / columns;

		put_terminal(f, png, 720, 450);
		for (size_t i = 0; i < w.n; i++) {
			fprintf(f, "set output '%s.%s'\nset bmargin 5\n%s", w.name[i], png ? "png" : "svg", KEY);
			put_plot(f, p, n, w.name[i], &pol);
		}
		put_terminal(f, png, 440 * columns + 120, 360 * rows + 30);
		fprintf(f,
			"set output 'throughput.%s'\nset bmargin 4\nset multiplot layout %u,%u margins char 9,16,6,3 "
			"spacing char 11,7\n" KEY,
			png ? "png" : "svg", rows, columns);
		for (size_t i = 0; i < w.n; i++) {
			put_plot(f, p, n, w.name[i], &pol);
			if (i == 0)
				fputs("unset label 1\nunset key\n", f);
		}
		fputs("unset multiplot\n", f);
		put_machine(f, machine);
	}
	fputs("unset output\n", f);
}

int plot_run(const char *dir, const char *script)
{
	char *argv[] = { (char *)"gnuplot", (char *)script, NULL };
	posix_spawn_file_actions_t actions;
	int status, err;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	err = posix_spawn_file_actions_addchdir_np(&actions, dir);
	if (!err)
		err = posix_spawnp(&pid, "gnuplot", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int plot_sweep(const char *dir, const char *machine, const struct plot_point *points, size_t n)
{
	char path[4096];
	FILE *f;
	int failed;

	if (n == 0 || snprintf(path, sizeof(path), "%s/throughput.gp", dir) >= (int)sizeof(path))
		return -EINVAL;
	f = fopen(path, "w");
	if (!f)
		return -errno;
	put_script(f, machine, points, n);
	failed = ferror(f);
	if (fclose(f) != 0 || failed)
		return -EIO;
	return plot_run(dir, "throughput.gp");
}
