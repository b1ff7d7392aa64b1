/* SPDX-License-Identifier: MIT */
/* physmem.c - `vmmap-bench physmem`: byte address to frame, beside an array and a tree; frames; a paper's tables. */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "base/tool/cli.h"
#include "bench/ask.h"
#include "bench/commands.h"
#include "bench/frames/allocator.h"
#include "bench/machine.h"
#include "bench/net.h"
#include "bench/options.h"
#include "bench/paper.h"
#include "bench/report.h"
#include "bench/steps.h"

static const short keys[] = { OPT_SEGMENTS, OPT_LOOKUPS, OPT_PAIRS, OPT_BLOCK, OPT_BLOCK_MS, OPT_ONLY,
			    OPT_SEED, OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Byte address to frame in a table of physical segments: one load, from an array or from sections; beside it "
	"libc's bsearch() over a sorted array, and a red-black tree, both bare, without locks. Then the tables of "
	"\"uvm_hotplug(9)\" (AsiaBSDCon 2017) again: --lookups random ones in 32 segments, and 10 million in "
	"fragmented memory. Each result is used and checked; the next address is drawn when it is known. Between the "
	"two, frames taken and given back: the allocator beside its rivals, what it writes that others may write, and "
	"its size. --only: one of the parts lookups, allocator, paper.\v"
	"Examples:\n"
	"  vmmap-bench physmem\n"
	"  vmmap-bench physmem --only allocator --pairs 31\n"
	"  vmmap-bench physmem --segments 32,65536 --lookups 1M --pairs 31 --json -\n"
	"Exit code: 0, whatever was missed; 2 if a result was wrong, or it could not run.",
};

#define ALLOCATOR_MS 4.0                         /* blocks of the allocator, of bulk four times that                 */
#define STEPS    64u                             /* lookups whose instructions are counted                          */

struct row {
	uint64_t segments;
	struct stats_interval ns[MACHINE_WAYS];          /* net of the loop                                         */
	struct stats_interval over[MACHINE_WAYS];        /* MACHINE_ARRAY, _RBTREE: their time / ours, net          */
	double instructions[MACHINE_WAYS];
	unsigned dropped;
};

/* ---- instructions ---- */

struct steps { machine_look *look; struct physseg_table *table; uint64_t phys[STEPS]; };

static NOINLINE struct physseg_frame *only_return(struct physseg_table *t, uint64_t phys)
{
	(void)t, (void)phys;
	return NULL;
}

static void looked_up(void *arg)
{
	struct steps *s = arg;

	for (unsigned i = 0; i < STEPS; i++)
		__asm__ volatile("" : : "r"(s->look(s->table, s->phys[i])));
}

static uint64_t steps_of(struct machine *m, machine_look *look, struct physseg_table *t, uint64_t seed)
{
	struct steps s = { look, t, { 0 } };

	machine_draw(m, s.phys, STEPS, seed);
	looked_up(&s);                           /* calls through the linker's tables are bound now                 */
	return steps_count(looked_up, &s);
}

/* Of a lookup, its return included: what they take over a function that only returns, with a zeroed register. */
static void count_instructions(struct machine *m, uint64_t seed, double *out)
{
	uint64_t least = steps_of(m, only_return, NULL, seed);

	for (unsigned way = MACHINE_FRAME; way < MACHINE_WAYS; way++) {
		uint64_t n = steps_of(m, machine_looks(way), machine_table(m, way), seed);

		out[way] = n && least ? (double)(n - least) / STEPS + 2 : 0;
	}
}

static int measure_rounds(struct machine *m, const struct options *o, struct gang *gang, struct row *row)
{
	static const char *const names[MACHINE_WAYS] = { "loop", "frame", "read", "sections", "find", "bsearch",
							 "tree" };
	struct machine_arm arm[MACHINE_WAYS];
	struct pairs_plan plan = { .arms = MACHINE_WAYS, .pairs = o->pairs, .seed = o->seed, .steal_limit = 1,
				   .switch_limit = MACHINE_WAYS, .progress = report_pairs,
				   .progress_ctx = (char *)"lookups of frames" };
	struct pairs_result got;
	int err;

	for (unsigned i = 0; i < MACHINE_WAYS; i++) {
		arm[i] = (struct machine_arm){ m, i, o->block_ms, gang };
		plan.arm[i] = (struct pairs_arm){ names[i], machine_block, &arm[i] };
	}
	err = pairs_run(&plan, &got);
	if (err)
		return err;
	for (unsigned i = MACHINE_FRAME; i < MACHINE_WAYS; i++) {
		row->ns[i] = net_ns(&got, i, MACHINE_LOOP);
		row->over[i] = net_ratio(&got, i, MACHINE_FRAME, MACHINE_LOOP);
	}
	row->dropped = got.dropped;
	pairs_free(&got);
	return 0;
}

static int measure(uint64_t segments, const struct options *o, struct gang *gang, struct row *row)
{
	struct machine *m;
	int err;

	memset(row, 0, sizeof(*row));
	row->segments = segments;
	report_progress("physmem: plugging %llu segments", (unsigned long long)segments);
	err = machine_create(&m, segments, 0);
	if (err)
		return err;
	count_instructions(m, o->seed, row->instructions);
	err = measure_rounds(m, o, gang, row);
	machine_destroy(m);
	report_progress_end();
	return err;
}

/* ---- what is said ---- */

static void put_count(struct json *j, const char *key, double n)
{
	if (n > 0)
		json_real(j, key, n);
	else
		json_null(j, key);               /* nobody may be traced here                                       */
}

/* The other intervals of a row have names of their own. */
static void put_ratio(struct json *j, const char *rival, struct stats_interval ratio)
{
	static const char *const of[] = { "ratio", "lo", "hi" };
	const double is[] = { ratio.median, ratio.lo, ratio.hi };
	char key[32];

	for (unsigned i = 0; i < ARRAY_SIZE(of); i++) {
		snprintf(key, sizeof(key), "%s_%s", rival, of[i]);
		json_real(j, key, is[i]);
	}
}

static void put_row(struct json *rows, const struct row *r, enum machine_way way, const char *name)
{
	struct json *j = json_row(rows);

	json_text(j, "measure", name);
	json_uint(j, "segments", r->segments);
	json_real(j, "ours_ns", r->ns[way].median);
	json_real(j, "array_ns", r->ns[MACHINE_ARRAY].median);
	json_real(j, "rbtree_ns", r->ns[MACHINE_RBTREE].median);
	put_count(j, "instructions", r->instructions[way]);
	put_count(j, "array_instructions", r->instructions[MACHINE_ARRAY]);
	put_count(j, "rbtree_instructions", r->instructions[MACHINE_RBTREE]);
	if (way == MACHINE_FRAME) {
		put_ratio(j, "array", r->over[MACHINE_ARRAY]);
		put_ratio(j, "rbtree", r->over[MACHINE_RBTREE]);
	}
	json_uint(j, "dropped", r->dropped);
}

static void say_row(FILE *out, const struct row *r)
{
	fprintf(out,
		"%8llu %5.1f %5.1f %5.1f %6.1f %7.1f %7.1f  %6.1f [%5.1f, %5.1f] %6.1f [%5.1f, %5.1f] %5.1f %5.1f\n",
		(unsigned long long)r->segments, r->ns[MACHINE_FRAME].median, r->ns[MACHINE_READ].median,
		r->ns[MACHINE_SECTIONS].median, r->ns[MACHINE_FIND].median, r->ns[MACHINE_ARRAY].median,
		r->ns[MACHINE_RBTREE].median,
		r->over[MACHINE_ARRAY].median, r->over[MACHINE_ARRAY].lo, r->over[MACHINE_ARRAY].hi,
		r->over[MACHINE_RBTREE].median, r->over[MACHINE_RBTREE].lo, r->over[MACHINE_RBTREE].hi,
		r->instructions[MACHINE_FRAME], r->instructions[MACHINE_SECTIONS]);
	fflush(out);
}

/* ---- what is asked ---- */

static const struct row *row_of(const struct row *r, size_t n, uint64_t segments)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].segments == segments)
			return &r[i];
	return NULL;
}

static void bars_of_sizes(struct ask *ask, const struct row *rows, size_t n)
{
	static const struct { uint64_t segments; double array, rbtree; } asked[] = {
		{ 32, 8, 8 }, { 4064, 20, 20 }, { 8160, 25, 25 }, { 65536, 50, 70 },
	};
	char what[96];

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		const struct row *r = row_of(rows, n, asked[i].segments);

		if (r == NULL)
			continue;
		snprintf(what, sizeof(what), "%llu segments, bsearch / frame", (unsigned long long)r->segments);
		ask_bar(ask, what, r->over[MACHINE_ARRAY].median, asked[i].array, false);
		snprintf(what, sizeof(what), "%llu segments, tree / frame", (unsigned long long)r->segments);
		ask_bar(ask, what, r->over[MACHINE_RBTREE].median, asked[i].rbtree, false);
	}
}

static void bars_of_all(struct ask *ask, const struct row *rows, size_t n)
{
	const struct row *one = row_of(rows, n, 1), *few = row_of(rows, n, 32), *many = row_of(rows, n, 65536);
	double most = 0;

	for (size_t i = 0; i < n; i++)
		most = rows[i].instructions[MACHINE_FRAME] > most ? rows[i].instructions[MACHINE_FRAME] : most;
	if (most > 0)
		ask_bar(ask, "instructions of a lookup, at any size", most, 8, true);
	if (one && many) {
		ask_bar(ask, "frame, 65536 segments / 1",
			many->ns[MACHINE_FRAME].median / one->ns[MACHINE_FRAME].median, 3, true);
		ask_bar(ask, "in sections, 65536 segments / 1",
			many->ns[MACHINE_SECTIONS].median / one->ns[MACHINE_SECTIONS].median, 2.5, true);
	}
	if (one)
		ask_bar(ask, "one segment, frame / bsearch", 1 / one->over[MACHINE_ARRAY].median, 1.2, true);
	if (few && many)
		ask_bar(ask, "physseg_find, 65536 segments / 32",
			many->ns[MACHINE_FIND].median / few->ns[MACHINE_FIND].median, 1.5, true);
}

static int lookups(const struct options *o, FILE *out, struct json *rows, struct ask *ask)
{
	struct gang *gang = gang_create(1);
	struct row r[OPTIONS_LIST];
	int err = 0;

	fprintf(out, "Byte address to frame: ns net of the loop; times of the rivals over that of `frame` (median\n"
		"[95 %% interval]); instructions of one lookup, its return included\n"
		"%8s %5s %5s %5s %6s %7s %7s  %-21s %-21s %5s %5s\n", "segments", "frame", "+read", "sect.", "find",
		"bsearch", "tree", "bsearch / frame", "tree / frame", "frame", "sect.");
	for (size_t i = 0; i < o->nsegments && !err; i++) {
		err = measure(o->segments[i], o, gang, &r[i]);
		if (err)
			break;
		say_row(out, &r[i]);
		put_row(rows, &r[i], MACHINE_FRAME, "frame");
		put_row(rows, &r[i], MACHINE_READ, "frame_read");
		put_row(rows, &r[i], MACHINE_SECTIONS, "frame_sections");
		put_row(rows, &r[i], MACHINE_FIND, "find");
	}
	gang_destroy(gang);
	if (err)
		return err;
	fprintf(out, "\n");
	bars_of_sizes(ask, r, o->nsegments);
	bars_of_all(ask, r, o->nsegments);
	fprintf(out, "\n");
	return 0;
}

static int allocator(const struct options *o, FILE *out, struct json *rows, struct ask *ask)
{
	struct allocator_plan plan = { o->pairs, ALLOCATOR_MS, o->seed, out, rows, ask };
	int err = allocator_measure(&plan);

	if (!err)
		err = allocator_count(&plan);
	fprintf(out, "\n");
	return err;
}

static int paper(const struct options *o, FILE *out, struct json *rows, struct ask *ask)
{
	(void)ask;
	return paper_tables(o, out, rows);
}

static int parts(const struct options *o, FILE *out, struct json *j)
{
	static const struct {
		const char *name;
		int (*measure)(const struct options *o, FILE *out, struct json *rows, struct ask *ask);
	} part[] = { { "lookups", lookups }, { "allocator", allocator }, { "paper", paper } };
	struct json *rows = json_array(j, "rows");
	struct ask ask = { out, json_array(j, "bars"), 0, 0 };
	bool any = false;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(part) && !err; i++) {
		if (o->only && strstr(part[i].name, o->only) == NULL)
			continue;
		err = part[i].measure(o, out, rows, &ask);
		any = true;
	}
	if (!any)
		cli_die("parts are lookups, allocator, paper", "--only: no part has '%s' in its name", o->only);
	json_uint(j, "missed", ask.missed);
	if (!err && ask.measured != 0)
		ask_sum(&ask);
	return err;
}

int physmem_main(int argc, char **argv)
{
	struct options o = { .pairs = 15, .block_ms = 2, .seed = 1,
			     .segments = { 1, 32, 256, 4064, 8160, 65536 }, .nsegments = 6,
			     .lookups = { 100, 1000, 10000, 100000, 1000000, 10000000, 100000000 }, .nlookups = 7 };
	struct json *j;
	FILE *out;
	int err;

	options_parse(&command, argc, argv, &o);
	out = report_text(o.json);
	j = report_begin("physmem");
	json_uint(j, "pairs", o.pairs);
	err = parts(&o, out, j);
	report_progress_end();
	if (err) {
		cli_complain(NULL, "physmem: %s", strerror(-err));
		json_free(j);
		return CLI_USAGE;
	}
	fprintf(out, "%s\n", report_machine());
	return report_end(j, o.json);
}
