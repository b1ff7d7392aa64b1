/* SPDX-License-Identifier: MIT */
/* allocator_count.c - what the frame allocator writes that others may write, and its size: counts, exact. */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/child.h"
#include "bench/frames/allocator.h"
#include "bench/frames/engine.h"
#include "bench/frames/frames_arm.h"
#include "bench/frames/search.h"
#include "bench/frames/written.h"
#include "bench/steps.h"

#define FRAMES     (UINT64_C(1) << 23)
#define FRAMES_FEW (UINT64_C(1) << 16)

/* By vmmap-bench-count, which stands beside this program: its library reports each atomic write. */
struct counted { char name[32]; struct written w; };

static int count_written(struct counted *c)
{
	char *argv[] = { (char *)"vmmap-bench-count", NULL };
	unsigned long long calls, depot, blocks, rows, other;
	struct child child;
	char path[4096];
	int err = child_path("-count", path, sizeof(path));

	if (!err)
		err = child_start(&child, path, argv);
	if (err) {
		cli_complain("build vmmap-bench-count; it belongs into the same directory",
			     "cannot run the counting program: %s", strerror(-err));
		return err;
	}
	for (unsigned i = 0; i < WRITTEN_LOADS && !err; i++) {
		if (fscanf(child.out, "%31s %llu %llu %llu %llu %llu", c[i].name, &calls, &depot, &blocks, &rows,
			   &other) != 6)
			err = -EPROTO;
		else
			c[i].w = (struct written){ calls, depot, blocks, rows, other };
	}
	return child_end(&child) == CLI_OK ? err : -EIO;
}

static double per_call(const struct written *w)
{
	return (double)written_shared(w) / (double)w->calls;
}

static void put_written(const struct allocator_plan *plan, const char *name, const struct written *w)
{
	struct json *j = json_row(plan->rows);
	char measure[512];

	snprintf(measure, sizeof(measure), "words written that others may write: %s", name);
	json_text(j, "measure", measure);
	json_uint(j, "threads", 1);
	json_real(j, "ratio", per_call(w));
	json_uint(j, "calls", w->calls);
	json_uint(j, "depot", w->depot);
	json_uint(j, "blocks", w->blocks);
	json_uint(j, "rows", w->rows);
	json_uint(j, "other", w->other);
	fprintf(plan->out, "%-12s %8llu %8llu %8llu %8llu %8llu   %.4f = %.2f / 64\n", name,
		(unsigned long long)w->calls, (unsigned long long)w->depot, (unsigned long long)w->blocks,
		(unsigned long long)w->rows, (unsigned long long)w->other, per_call(w), per_call(w) * 64);
}

static int lines(const struct allocator_plan *plan)
{
	struct counted c[WRITTEN_LOADS];
	double cache, bulk = 0;
	int err = count_written(c);

	if (err)
		return err;
	fprintf(plan->out, "Words that others may write, written by so many allocations and frees of frames: exact\n"
		"%-12s %8s %8s %8s %8s %8s   each call\n", "load", "calls", "depot", "blocks", "rows", "other");
	for (unsigned i = 0; i < WRITTEN_LOADS; i++)
		put_written(plan, c[i].name, &c[i].w);
	fprintf(plan->out, "\n");
	cache = per_call(&c[WRITTEN_CACHE].w) + per_call(&c[WRITTEN_SHELVES].w);
	for (unsigned i = WRITTEN_FRESH; i <= WRITTEN_OVERFLOW; i++)
		bulk = per_call(&c[i].w) > bulk ? per_call(&c[i].w) : bulk;
	ask_bar(plan->ask, "shared words written a call, in cache", cache, 0, true);
	ask_bar(plan->ask, "shared words written a call, in bulk, the worst of three loads", bulk, 2.0 / 64, true);
	ask_bar(plan->ask, "shared words written a call, in bulk, given back in random order",
		per_call(&c[WRITTEN_RANDOM].w), 2.0 / 64, true);
	return 0;
}

static void put_size(const struct allocator_plan *plan, const char *measure, double n)
{
	struct json *j = json_row(plan->rows);

	json_text(j, "measure", measure);
	json_uint(j, "threads", 1);
	json_real(j, "ratio", n);
}

static int sizes(const struct allocator_plan *plan)
{
	struct engine_bytes bytes;
	int err = engine_bytes(FRAMES, &bytes);

	if (err)
		return err;
	put_size(plan, "bytes of a frame's own", bytes.frame);
	put_size(plan, "bits beside it, blocks and rows", bytes.planes);
	put_size(plan, "bits beside it, all that is resident", bytes.beside);
	fprintf(plan->out, "%-64s %18.4g\n", "bits a frame in blocks and rows", bytes.planes);
	ask_bar(plan->ask, "bytes of a frame's own", bytes.frame, 64, true);
	ask_bar(plan->ask, "bits beside them, all that is resident when all frames are out", bytes.beside, 1.25, true);
	return 0;
}

/* ---- instructions ---- */

static void one_step(void *arm)
{
	(void)frames_arm_step(arm);
}

/* Of one frame that is taken and given back, its loop's in them; 0: nobody may be traced here. */
static double instructions_of(const struct source *source)
{
	struct frames_plan plan = { .loop = SOURCE_PAIR, .threads = 1, .frames = FRAMES_FEW };
	struct frames_arm *arm = frames_arm_open(source, &plan);
	uint64_t pairs, n;

	if (arm == NULL)
		return 0;
	pairs = frames_arm_step(arm);                    /* caches filled, calls bound                              */
	n = steps_count(one_step, arm);
	frames_arm_close(arm);
	return (double)n / (double)pairs;
}

static void instructions(const struct allocator_plan *plan)
{
	static const struct source *const sources[] = { &source_engine, &source_public, &source_bits, &source_buddy,
							&source_buddy_lock, &source_list };
	double loop = instructions_of(&source_none);

	if (loop == 0)
		return;
	fprintf(plan->out, "Instructions of a frame taken and given back, net of the loop:");
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		double n = instructions_of(sources[i]) - loop;
		struct json *j = json_row(plan->rows);
		char measure[64];

		snprintf(measure, sizeof(measure), "instructions, one frame: %s", sources[i]->name);
		json_text(j, "measure", measure);
		json_uint(j, "threads", 1);
		json_real(j, "ratio", n);
		fprintf(plan->out, " %s %.0f%s", sources[i]->name, n, i + 1 < ARRAY_SIZE(sources) ? "," : "\n\n");
	}
}

/* ---- searches ---- */

static int searches(const struct allocator_plan *plan)
{
	static const unsigned gib[] = { 1, 64, 1024 };
	int err = 0;

	fprintf(plan->out, "A search for free frames: instructions (0: not counted), nanoseconds, on a machine of\n");
	fprintf(plan->out, "%-38s", "");
	for (size_t i = 0; i < ARRAY_SIZE(gib); i++)
		fprintf(plan->out, " %12u GiB%7s", gib[i], "");
	for (enum search_case which = 0; which < SEARCH_CASES && !err; which++) {
		fprintf(plan->out, "\n%-38s", search_name[which]);
		for (size_t i = 0; i < ARRAY_SIZE(gib) && !err; i++) {
			struct search_cost cost = { 0 };
			struct json *j = json_row(plan->rows);
			char measure[96];

			err = search_measure(which, gib[i], &cost);
			snprintf(measure, sizeof(measure), "search, %u GiB: %s", gib[i], search_name[which]);
			json_text(j, "measure", measure);
			json_uint(j, "threads", 1);
			json_real(j, "ratio", (double)cost.instructions);
			json_real(j, "ns", cost.ns);
			fprintf(plan->out, " %10llu %12.0f", (unsigned long long)cost.instructions, cost.ns);
		}
	}
	fputs("\n\n", plan->out);
	return err;
}

int allocator_count(const struct allocator_plan *plan)
{
	int err;

	instructions(plan);
	err = searches(plan);
	if (!err)
		err = lines(plan);
	return err ? err : sizes(plan);
}
