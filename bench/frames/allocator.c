/* SPDX-License-Identifier: MIT */
/*
 * allocator.c - the frame allocator beside its rivals: rates in paired blocks, all sources in each round.
 *
 * What a frame takes, to be had and given back, is the difference to a loop that stamps and checks as much (churn.h)
 * and has its numbers from nobody (net.h). Where one takes and the other gives there is no such loop, nor for runs:
 * that is of rates. Several threads: their rates are added.
 */
#include "bench/frames/allocator.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "bench/frames/engine.h"
#include "bench/frames/frames_arm.h"
#include "bench/net.h"
#include "bench/report.h"

#define FRAMES (UINT64_C(1) << 18)               /* of each source: 1 GiB                                           */
#define KEPT   ENGINE_KEPT                       /* by a slot                                                       */
#define BURST  (4 * KEPT)                        /* of a thread                                                     */
#define FLOOD  (KEPT + 3 * ENGINE_DEPOT)         /* three times what the depot keeps go by it                       */

enum arm { LOOP, ENGINE, PUBLIC, BITS, BUDDY, BUDDY_LOCK, LIST, ARMS };

static const struct source *const sources[ARMS] = {
	[LOOP] = &source_none, [ENGINE] = &source_engine, [PUBLIC] = &source_public, [BITS] = &source_bits,
	[BUDDY] = &source_buddy, [BUDDY_LOCK] = &source_buddy_lock, [LIST] = &source_list,
};

struct shape { const char *name; enum source_loop loop; unsigned threads, order; uint32_t burst; };

static const struct shape shapes[] = {
	{ "one frame", SOURCE_PAIR, 1, 0, 0 },
	{ "one frame", SOURCE_PAIR, 2, 0, 0 },
	{ "in cache", SOURCE_BULK, 1, 0, KEPT },
	{ "in cache", SOURCE_BULK, 2, 0, KEPT },
	{ "in cache, random", SOURCE_RANDOM, 1, 0, KEPT },
	{ "in cache, random", SOURCE_RANDOM, 2, 0, KEPT },
	{ "bulk", SOURCE_BULK, 1, 0, BURST },
	{ "bulk", SOURCE_BULK, 2, 0, BURST },
	{ "bulk, random order", SOURCE_RANDOM, 1, 0, BURST },
	{ "bulk, random order", SOURCE_RANDOM, 2, 0, BURST },
	{ "one takes, one gives", SOURCE_HAND_OVER, 2, 0, 0 },
	{ "order 1", SOURCE_PAIR, 1, 1, 0 },
	{ "order 2", SOURCE_PAIR, 1, 2, 0 },
	{ "order 3", SOURCE_PAIR, 1, 3, 0 },
	{ "order 4", SOURCE_PAIR, 1, 4, 0 },
	{ "order 5", SOURCE_PAIR, 1, 5, 0 },
	{ "order 6", SOURCE_PAIR, 1, 6, 0 },
	{ "order 7", SOURCE_PAIR, 1, 7, 0 },
	{ "order 8", SOURCE_PAIR, 1, 8, 0 },
	{ "order 9", SOURCE_PAIR, 1, 9, 0 },
};

static int run_pairs(const struct allocator_plan *plan, struct frames_arm *const *arm, unsigned n, const char *what,
		     struct pairs_result *got)
{
	struct pairs_plan pairs = { .pairs = plan->pairs, .seed = plan->seed, .steal_limit = 1, .switch_limit = 2 * n,
				    .progress = report_pairs, .progress_ctx = (char *)what };
	int err;

	for (unsigned i = 0; i < n; i++)
		if (arm[i] != NULL)
			pairs.arm[pairs.arms++] = (struct pairs_arm){ what, frames_arm_block, arm[i] };
	err = pairs_run(&pairs, got);
	report_progress_end();
	return err;
}

/* ---- beside the rivals ---- */

/* One shape: what each arm is in the rounds (ARMS: is not there). */
struct seen { struct pairs_result got; unsigned at[ARMS]; };

static struct stats_interval ns_of(const struct seen *seen, enum arm a)
{
	struct stats_interval rate;

	if (seen->at[LOOP] < ARMS)
		return net_ns(&seen->got, seen->at[a], seen->at[LOOP]);
	rate = pairs_rate(&seen->got, seen->at[a]);
	return (struct stats_interval){ 1e9 / rate.median, 1e9 / rate.hi, 1e9 / rate.lo };
}

/* How many times as long a rival takes. */
static struct stats_interval times(const struct seen *seen, enum arm ours, enum arm rival)
{
	if (seen->at[LOOP] < ARMS)
		return net_ratio(&seen->got, seen->at[rival], seen->at[ours], seen->at[LOOP]);
	return pairs_ratio(&seen->got, seen->at[ours], seen->at[rival]);
}

static void put_row(const struct allocator_plan *plan, const struct shape *s, const struct seen *seen, enum arm ours,
		    enum arm rival)
{
	struct json *j = json_row(plan->rows);
	char measure[96];

	snprintf(measure, sizeof(measure), "%s: %s / %s", s->name, sources[rival]->name, sources[ours]->name);
	json_text(j, "measure", measure);
	json_uint(j, "threads", s->threads);
	report_interval(j, "ratio", times(seen, ours, rival));
	json_uint(j, "order", s->order);
	json_uint(j, "burst", s->burst);
	json_real(j, "ours_ns", ns_of(seen, ours).median);
	json_real(j, "rival_ns", ns_of(seen, rival).median);
	json_uint(j, "pairs", seen->got.pairs);
	json_uint(j, "dropped", seen->got.dropped);
}

static void say(const struct allocator_plan *plan, const struct shape *s, const struct seen *seen)
{
	const unsigned *at = seen->at;

	fprintf(plan->out, "%-21s %7u", s->name, s->threads);
	if (at[LOOP] < ARMS)
		fprintf(plan->out, " %6.1f", 1e9 / pairs_rate(&seen->got, at[LOOP]).median);
	else
		fprintf(plan->out, " %6s", "-");
	for (unsigned i = ENGINE; i < ARMS; i++) {
		if (at[i] < ARMS)
			fprintf(plan->out, " %10.1f", ns_of(seen, i).median);
		else
			fprintf(plan->out, " %10s", "-");
	}
	for (unsigned i = BITS; i < ARMS; i++) {
		if (at[i] < ARMS)
			fprintf(plan->out, " %6.2f", times(seen, ENGINE, i).median);
		else
			fprintf(plan->out, " %6s", "-");
	}
	fprintf(plan->out, "%s\n", seen->got.noisy ? " noisy" : "");
	fflush(plan->out);
}

static void ask_of(const struct allocator_plan *plan, const struct shape *s, const struct seen *seen)
{
	if (s->loop == SOURCE_PAIR && s->threads == 1 && s->order == 0) {
		ask_bar(plan->ask, "one frame, 1 thread: bits without caches / engine",
			times(seen, ENGINE, BITS).median, 10, false);
		ask_bar(plan->ask, "one frame, 1 thread: buddies, lists of CPUs unlocked / engine",
			times(seen, ENGINE, BUDDY).median, 1, false);
		ask_bar(plan->ask, "one frame, 1 thread: buddies, lists of CPUs locked / engine",
			times(seen, ENGINE, BUDDY_LOCK).median, 1, false);
	} else if (s->loop == SOURCE_BULK && s->threads == 2 && s->burst == BURST) {
		ask_bar(plan->ask, "bulk, 2 threads: buddies, lists of CPUs unlocked / engine",
			times(seen, ENGINE, BUDDY).median, 2, false);
	}
}

static bool takes_part(enum arm i, const struct shape *s)
{
	if (s->order != 0)
		return i != LOOP && i != ENGINE && sources[i]->order >= s->order;        /* runs: public calls only */
	return i != LOOP || s->loop != SOURCE_HAND_OVER;
}

static int measure_shape(const struct allocator_plan *plan, const struct shape *s, struct gang *gang,
			 struct seen *seen)
{
	double ms = plan->block_ms * (s->burst > KEPT ? s->burst / KEPT : 1);
	struct frames_plan frames = { s->loop, s->threads, s->order, FRAMES, s->burst, ms, gang };
	struct frames_arm *arm[ARMS] = { NULL };
	unsigned n = 0;
	int err = 0;

	for (unsigned i = 0; i < ARMS; i++) {
		seen->at[i] = ARMS;
		if (!takes_part(i, s))
			continue;
		arm[n] = frames_arm_open(sources[i], &frames);
		if (arm[n] == NULL) {
			err = -ENOMEM;
			break;
		}
		seen->at[i] = n++;
	}
	if (s->order != 0)
		seen->at[ENGINE] = seen->at[PUBLIC];
	if (!err)
		err = run_pairs(plan, arm, n, s->name, &seen->got);
	while (n-- > 0)
		frames_arm_close(arm[n]);
	return err;
}

static int beside_rivals(const struct allocator_plan *plan, struct gang *gang, struct seen *seen)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		int err = measure_shape(plan, &shapes[i], gang, &seen[i]);

		if (err)
			return err;
		say(plan, &shapes[i], &seen[i]);
		for (unsigned rival = BITS; rival < ARMS; rival++) {
			if (seen[i].at[rival] == ARMS)
				continue;
			if (shapes[i].order == 0)
				put_row(plan, &shapes[i], &seen[i], ENGINE, rival);
			put_row(plan, &shapes[i], &seen[i], PUBLIC, rival);
		}
	}
	return 0;
}

/* ---- what the depot's bound does ---- */

static const uint32_t depots[] = { 1, 64, 256, 1024 };

/* FLOOD frames, in turns: in the order they came, in random order, for each bound. */
static int flood(const struct allocator_plan *plan, struct gang *gang, enum source_loop loop)
{
	struct frames_plan frames = { loop, 1, 0, FRAMES, FLOOD, 4 * plan->block_ms, gang };
	struct frames_arm *arm[ARRAY_SIZE(depots)] = { NULL };
	const char *name = loop == SOURCE_BULK ? "flood, in order" : "flood, random order";
	struct pairs_result got;
	int err = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(depots) && !err; i++) {
		arm[i] = frames_arm_open(&source_engine, &frames);
		if (arm[i] != NULL)
			engine_set_depot(frames_arm_source(arm[i]), depots[i]);
		else
			err = -ENOMEM;
	}
	if (!err)
		err = run_pairs(plan, arm, ARRAY_SIZE(depots), name, &got);
	for (unsigned i = 0; i < ARRAY_SIZE(depots); i++)
		if (arm[i] != NULL)
			frames_arm_close(arm[i]);
	if (err)
		return err;
	fprintf(plan->out, "%-21s", name);
	for (unsigned i = 0; i < ARRAY_SIZE(depots); i++) {
		struct json *j = json_row(plan->rows);
		char measure[96];

		snprintf(measure, sizeof(measure), "%s: depot of %u / of %u", name, depots[i],
			 depots[ARRAY_SIZE(depots) - 1]);
		json_text(j, "measure", measure);
		json_uint(j, "threads", 1);
		report_interval(j, "ratio", pairs_ratio(&got, i, ARRAY_SIZE(depots) - 1));
		json_real(j, "ours_ns", 1e9 / pairs_rate(&got, i).median);
		fprintf(plan->out, " %10.1f", 1e9 / pairs_rate(&got, i).median);
	}
	fprintf(plan->out, "%s\n", got.noisy ? " noisy" : "");
	pairs_free(&got);
	return 0;
}

static int floods(const struct allocator_plan *plan, struct gang *gang)
{
	int err;

	fprintf(plan->out,
		"\nns for each of %u frames that one thread takes, then gives: it keeps %u of them; the depot keeps as "
		"many\nchains of 64 as the column says, what is beyond that goes to blocks and rows\n%-21s",
		FLOOD, KEPT, "chains");
	for (unsigned i = 0; i < ARRAY_SIZE(depots); i++)
		fprintf(plan->out, " %10u", depots[i]);
	fprintf(plan->out, "\n");
	err = flood(plan, gang, SOURCE_BULK);
	return err ? err : flood(plan, gang, SOURCE_RANDOM);
}

int allocator_measure(const struct allocator_plan *plan)
{
	struct seen seen[ARRAY_SIZE(shapes)] = { { .at = { 0 } } };
	struct gang *gang = gang_create(2);
	int err;

	fprintf(plan->out,
		"Frames taken and given back: ns each, net of the loop that stamps and checks them; times of the "
		"rivals over\nthat of `engine`. In cache: %u frames, what a slot keeps, then back in the order they "
		"came, or in random\norder; bulk: %u. One takes, one gives, and runs of orders: the loop is in them\n"
		"%-21s %7s %6s", KEPT, BURST, "measure", "threads", sources[LOOP]->name);
	for (unsigned i = ENGINE; i < ARMS; i++)
		fprintf(plan->out, " %10s", sources[i]->name);
	fprintf(plan->out, " %6s %6s %6s %6s\n", "bits/", "buddy/", "b-l./", "list/");
	err = beside_rivals(plan, gang, seen);
	if (!err)
		err = floods(plan, gang);
	if (!err)
		fprintf(plan->out, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		if (!err)
			ask_of(plan, &shapes[i], &seen[i]);
		pairs_free(&seen[i].got);
	}
	gang_destroy(gang);
	return err;
}
