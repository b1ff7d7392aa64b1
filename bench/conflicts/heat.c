/* SPDX-License-Identifier: MIT */
/* heat.c - see heat.h. The script is self-contained: data inside, no date, so that it is the same each time. */
#include "bench/conflicts/heat.h"

#include <errno.h>
#include <string.h>

#include "bench/plot.h"

static const char *const suffix[] = { "svg", "png" };

/* How many conflict and are not waived; under it how many are. */
static void put_text(FILE *f, const struct tally_count *c)
{
	fputs(" \"", f);
	if (c->byte + c->line > c->waived)
		fprintf(f, "%u", c->byte + c->line - c->waived);
	if (c->waived)
		fprintf(f, "%s%u w", c->byte + c->line > c->waived ? "\\n" : "", c->waived);
	fputs("\"\n", f);
}

/* x: B, y: A, share free of conflicts in percent (NaN: no tests), text. */
static void put_data(FILE *f, const struct tally *t)
{
	fprintf(f, "$%s << EOD\n", placement_name[t->placement]);
	for (unsigned a = 0; a < CALL_KINDS; a++) {
		for (unsigned b = 0; b < CALL_KINDS; b++) {
			struct tally_count c = tally_cell(t, (struct suite_cell){ (uint8_t)a, (uint8_t)b }, true);

			fprintf(f, "%u %u ", b, a);
			if (!c.tests) {
				fputs("NaN \"-\"\n", f);
				continue;
			}
			fprintf(f, "%.3f", 100 * tally_share(&c, false));
			put_text(f, &c);
		}
	}
	fputs("EOD\n", f);
}

static void put_axes(FILE *f)
{
	for (int axis = 0; axis < 2; axis++) {
		fprintf(f, "set %stics (", axis ? "y" : "x");
		for (unsigned i = 0; i < CALL_KINDS; i++)
			fprintf(f, "%s'%s' %u", i ? ", " : "", call_kind_name[i], i);
		fprintf(f, ")%s noenhanced scale 0\n", axis ? "" : " rotate by 45 right");
	}
	fprintf(f,
		"set xrange [-0.5:%u.5]\nset yrange [%u.5:-0.5]\nset cbrange [0:100]\nset key off\n"
		"set palette defined (0 '#d6604d', 50 '#f4a582', 90 '#fddbc7', 100 '#ffffff')\n"
		"set object 1 rectangle from graph 0,0 to graph 1,1 behind fillcolor rgb '#d0d0d0' fillstyle solid "
		"noborder\n"
		"set cblabel 'tests free of conflicts, %%'\n"
		"set xlabel 'B, second, on core 2      (number: tests that conflict; w: waived, maps of one object)'\n"
		"set ylabel 'A, first, on core 1'\nset lmargin 17\nset rmargin 11\n",
		CALL_KINDS - 1, CALL_KINDS - 1);
}

static void put_panel(FILE *f, const struct tally *t, uint64_t distance)
{
	struct tally_count all = tally_all(t, true);
	const char *data = placement_name[t->placement];

	fprintf(f, "set title \"%s%s", t->policy, t->placement == PLACED_PACKED ? ", packed: pages side by side" : "");
	if (t->placement == PLACED_SPREAD)
		fprintf(f, ", spread: at least %g GiB apart", (double)distance / (1 << 30));
	fprintf(f, "\\n%u of %u tests free of conflicts (%.2f %%)", all.none, all.tests,
		100 * tally_share(&all, false));
	if (all.waived)
		fprintf(f, ", with %u waived %.2f %%", all.waived, 100 * tally_share(&all, true));
	fputs("\" noenhanced\n", f);
	fprintf(f, "plot $%s using 1:2:3 with image pixels, $%s using 1:2:4 with labels font ',8' noenhanced\n", data,
		data);
}

static void put_script(FILE *f, enum heat_format format, const struct tally *const *tallies, size_t n,
		       uint64_t distance)
{
	fputs("# vmmap-conflicts: conflicting tests by pair of calls. A number: tests in which one call wrote a line\n"
	      "# of 64 bytes that the other touched; w: more of them, waived. Grey: no tests.\n", f);
	for (size_t i = 0; i < n; i++)
		put_data(f, tallies[i]);
	if (format == HEAT_PNG)
		fprintf(f, "set terminal pngcairo size %zu,760 font 'DejaVu Sans,11' background '#ffffff'\n", 980 * n);
	else
		fprintf(f, "set terminal svg size %zu,760 font 'DejaVu Sans,11' background '#ffffff'\n", 980 * n);
	fprintf(f, "set output 'conflicts-%s.%s'\n", tallies[0]->policy, suffix[format]);
	put_axes(f);
	fprintf(f, "set multiplot layout 1,%zu\n", n);
	for (size_t i = 0; i < n; i++)
		put_panel(f, tallies[i], distance);
	fputs("unset multiplot\nunset output\n", f);
}

int heat_write(const char *dir, enum heat_format format, const struct tally *const *tallies, size_t n,
	       uint64_t distance)
{
	char path[4096], name[64];
	int failed;
	FILE *f;

	snprintf(name, sizeof(name), "conflicts-%s.gp", tallies[0]->policy);
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	f = fopen(path, "w");
	if (!f)
		return -errno;
	put_script(f, format, tallies, n, distance);
	failed = ferror(f);
	if (fclose(f) != 0 || failed)
		return -EIO;
	return plot_run(dir, name);
}
