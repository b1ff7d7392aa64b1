/* SPDX-License-Identifier: MIT */
/* validate_shapes.c - what has been published of machines with many cores, on logical ones. See validate.h. */
#include "base/compiler.h"
#include "bench/manycore/shape.h"
#include "bench/manycore/validate.h"

#define CLASSIC 80u                              /* cores of the published curves: eight sockets of ten             */

struct shape { struct validation *v; struct json *row; };

static void verdict(struct shape *s, bool holds, const char *claim)
{
	struct json *row = json_row(s->row);

	fprintf(s->v->out, "  %-6s %s\n", holds ? "holds" : "MISSED", claim);
	json_text(row, "claim", claim);
	json_bool(row, "holds", holds);
	s->v->missed += !holds;
	s->v->held += holds;
}

static struct turn_costs classic_costs(const struct options *o)
{
	struct turn_costs costs = o->m.costs;

	costs.line.cores_per_socket = 10;
	return costs;
}

/* A row of root.shapes; its verdicts go into *s. */
static struct json *begin(struct shape *s, struct json *shapes, const char *name, const char *published)
{
	struct json *row = json_row(shapes);

	json_text(row, "name", name);
	json_text(row, "published", published);
	s->row = json_array(row, "verdicts");
	return json_array(row, "millions_per_s");
}

static void rate_at(struct json *rates, const char *of, uint32_t n, double rate)
{
	struct json *row = json_row(rates);

	json_uint(row, of, n);
	json_real(row, "rate", rate);
}

static void check_counter(struct validation *v, struct json *shapes)
{
	static const uint32_t cores[] = { 1, 2, 5, 10, 20, 40, CLASSIC };
	static const char published[] = "1.08 on one core, peak 4.3 at 10, 1.33 at 20, 1.28 at 80";
	struct turn_costs costs = classic_costs(v->o);
	struct shape s = { v, NULL };
	struct json *rates = begin(&s, shapes, "shared counter", published);
	double rate[ARRAY_SIZE(cores)], most = 0;

	fprintf(v->out, "shared counter of a page that all map and unmap, million iterations/s by number of cores "
		"(published: %s)\n ", published);
	for (size_t i = 0; i < ARRAY_SIZE(cores); i++) {
		rate[i] = shape_counter(&costs, cores[i]) / 1e6;
		most = rate[i] > most ? rate[i] : most;
		rate_at(rates, "cores", cores[i], rate[i]);
		fprintf(v->out, "  %u: %.2f", cores[i], rate[i]);
	}
	fputc('\n', v->out);
	verdict(&s, rate[3] == most, "the peak is at one socket, 10 cores");
	verdict(&s, rate[6] < 0.7 * most, "80 cores have less than 0.7 of it");
	verdict(&s, rate[4] < 1.5 * rate[6], "and two sockets no more than eight");
}

static void check_index(struct validation *v, struct json *shapes, const struct reference *index, const char *published)
{
	static const uint32_t writers[] = { 0, 1, 5, 10, 40 };
	struct turn_costs costs = classic_costs(v->o);
	struct shape s = { v, NULL };
	struct json *rates = begin(&s, shapes, index->name, published);
	double rate[ARRAY_SIZE(writers)], half;

	fprintf(v->out, "%s, %u readers, million searches/s by number of writers (published: %s)\n ", index->name,
		CLASSIC, published);
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		rate[i] = shape_index(&costs, index, CLASSIC, writers[i]) / 1e6;
		rate_at(rates, "writers", writers[i], rate[i]);
		fprintf(v->out, "  %u: %.0f", writers[i], rate[i]);
	}
	half = shape_index(&costs, index, CLASSIC / 2, 0) / 1e6;
	fprintf(v->out, "   (%u readers alone: %.0f)\n", CLASSIC / 2, half);
	verdict(&s, rate[0] > 1.8 * half, "readers alone scale");
	if (index == &reference_radix) {
		verdict(&s, rate[3] > 0.7 * rate[0], "10 writers do not disturb");
		return;
	}
	verdict(&s, rate[1] < 0.9 * rate[0], "one writer is felt");
	verdict(&s, rate[2] < 0.5 * rate[0], "five take more than half");
}

void validate_shapes(struct validation *v)
{
	struct json *shapes = json_array(v->root, "shapes");

	check_counter(v, shapes);
	check_index(v, shapes, &reference_skiplist, "0: 470, 1: 275, 5: 57");
	check_index(v, shapes, &reference_radix, "560, unchanged by 10 or 40");
}
