/* SPDX-License-Identifier: MIT */
/*
 * oracle.c - see oracle.h.
 *
 * The program of a seed is made batch by batch from the model, which therefore runs ahead; kernel and engine then run
 * the batch at the same time, each result and each list is compared with the model's. Where one differs, the program
 * up to there is run again from the start beside the model, compared after every call, and cut down.
 */
#include "stress/oracle/oracle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEEP_EVERY 16384u                        /* calls between two comparisons with smaps                       */
#define AUDIT_EVERY 8192u                        /* calls between two audits of the engine (each waits: 10 ms)      */
#define PRINTED 3u                               /* shrunk programs per run                                        */

struct batch {
	unsigned n;
	int64_t want[KERNEL_BATCH], have[SIDES][KERNEL_BATCH];
	uint8_t list[KERNEL_BATCH];
	unsigned from[KERNEL_BATCH], count[KERNEL_BATCH];        /* of o->want                                     */
	bool wrong[SIDES], audit;
	char why[160];
};

int oracle_open(struct oracle *o, char *why)
{
	uint64_t hi = o->lo + o->pages * PAGE;
	int err = kernel_start(&o->kernel, o->lo, hi, why);

	if (err)
		return err;
	o->lack = kernel_probe(o->kernel);
	o->rows = (unsigned)(o->pages + 2) * (KERNEL_BATCH / o->list_every + 1);
	o->want = malloc(o->rows * sizeof(*o->want));
	o->have = malloc((o->pages + 2) * sizeof(*o->have));
	if (!o->want || !o->have || model_init(&o->model, o->lo, hi)) {
		strcpy(why, "memory");
		return -ENOMEM;
	}
	o->gen.m = &o->model;
	o->gen.lack = o->lack;
	o->gen.noreserve = o->noreserve;
	o->gen.forks = true;
	err = engine_open(&o->engine, o->policy, VMMAP_TOPDOWN, o->lo, hi);
	if (err)
		snprintf(why, 128, "the engine cannot be set up: %s", strerror(-err));
	return err;
}

void oracle_close(struct oracle *o)
{
	kernel_stop(o->kernel);
	engine_close(&o->engine);
	model_fini(&o->model);
	free(o->want);
	free(o->have);
	free(o->program);
	for (int i = 0; i < SIDES; i++)
		free(o->pairing[i].number);
}

static bool succeeded(const struct op *op, int64_t result)
{
	return op->call == OP_BRK ? result == (int64_t)op->addr : result >= 0;
}

static int grow_program(struct oracle *o)
{
	struct op *more;

	if (o->length + KERNEL_BATCH <= o->room)
		return 0;
	o->room = o->room * 2 + KERNEL_BATCH;
	more = realloc(o->program, o->room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	o->program = more;
	return 0;
}

/* Makes the next batch; `left` calls (not touches) remain to this seed. */
static void make_batch(struct oracle *o, struct batch *b, uint64_t left)
{
	unsigned used = 0;

	memset(b, 0, sizeof(*b));
	while (b->n < KERNEL_BATCH && left) {
		struct op *op = &o->program[o->length];
		unsigned i = b->n++;

		gen_next(&o->gen, op);
		b->want[i] = model_run(&o->model, op);
		b->list[i] = ++o->length % o->list_every == 0;
		if (b->list[i]) {
			b->from[i] = used;
			b->count[i] = model_list(&o->model, o->want + used, o->rows - used);
			used += b->count[i];
		}
		o->calls[op->kind]++;
		o->succeeded[op->kind] += succeeded(op, b->want[i]);
		left -= op->kind < KIND_CALLS;
		o->done += op->kind < KIND_CALLS;
	}
}

static void compare_list(struct oracle *o, struct batch *b, int side, unsigned i, const struct row *have, unsigned n)
{
	struct compared c = { o->want + b->from[i], have, b->count[i], n, side == SIDE_ENGINE };

	if (!trial_same(&c, &o->pairing[side], b->why))
		b->wrong[side] = true;
}

static void run_engine(struct oracle *o, struct batch *b, const struct op *ops)
{
	for (unsigned i = 0; i < b->n && !b->wrong[SIDE_ENGINE]; i++) {
		b->have[SIDE_ENGINE][i] = engine_run(&o->engine, &ops[i]);
		if (b->have[SIDE_ENGINE][i] != b->want[i])
			b->wrong[SIDE_ENGINE] = true;
		else if (b->list[i])
			compare_list(o, b, SIDE_ENGINE, i, o->have,
				     engine_list(&o->engine, o->have, (unsigned)o->pages + 2));
	}
}

static void check_kernel(struct oracle *o, struct batch *b)
{
	for (unsigned i = 0; i < b->n && !b->wrong[SIDE_KERNEL]; i++) {
		const struct row *rows;
		unsigned n;

		if (b->have[SIDE_KERNEL][i] != b->want[i]) {
			b->wrong[SIDE_KERNEL] = true;
		} else if (b->list[i]) {
			n = kernel_rows(o->kernel, i, &rows);
			compare_list(o, b, SIDE_KERNEL, i, rows, n);
			o->lists++;
		}
	}
}

/* The engine's own rules, canonical merging among them: its lists join what meets and may merge, so that only the
 * audit tells. */
static void check_audit(struct oracle *o, struct batch *b)
{
	if (b->wrong[SIDE_ENGINE] || !vmmap_audit(o->engine.map, stdout))
		return;
	b->wrong[SIDE_ENGINE] = b->audit = true;
	strcpy(b->why, "the engine's audit");
}

/* Advices and NORESERVE, which the kernel shows only in smaps. */
static void check_deep(struct oracle *o, struct batch *b)
{
	int n = o->lack & LACK_SMAPS ? -1 : kernel_deep(o->kernel, o->have, (unsigned)o->pages + 2);
	struct compared c = { o->want, o->have, model_list(&o->model, o->want, o->rows), 0, true };

	if (n < 0)
		return;
	o->deep_lists++;
	c.haves = (unsigned)n;
	if (!trial_same(&c, &o->pairing[SIDE_KERNEL], b->why))
		b->wrong[SIDE_KERNEL] = true;
}

/* Runs the seed's program again beside one side, cuts it down, prints it. */
static void report(struct oracle *o, int side, const char *why, bool audit)
{
	struct party party = side == SIDE_ENGINE ? party_engine(&o->engine) : party_kernel(o->kernel);
	struct trial t;
	unsigned n;

	printf("\nDIVERGENCE of %s from the model, policy %s, seed %" PRIu64 ", within the first %" PRIu64 " ops; %s\n",
	       party.name, o->policy, o->seed_now, o->length, why);
	if (o->divergences[side] > PRINTED || trial_open(&t, &party, o->lo, o->lo + o->pages * PAGE))
		return;
	t.audit = audit;
	n = trial_shrink(&t, o->program, (unsigned)o->length);
	if (n) {
		printf("cut down to %u calls%s:\n\n", n, t.late ? ", then its time was up" : "");
		trial_print(&t, o->program, n, stdout);
	} else {
		printf("the program does not differ when it is run again from the start: reproduce with --seed=%" PRIu64
		       " --seeds=1\n", o->seed_now);
	}
	fflush(stdout);
	trial_close(&t);
}

static int run_batch(struct oracle *o, struct batch *b)
{
	const struct op *ops = &o->program[o->length - b->n];
	int err;

	kernel_submit(o->kernel, ops, b->n, b->list);
	run_engine(o, b, ops);
	err = kernel_collect(o->kernel, b->have[SIDE_KERNEL]);
	if (!err)
		check_kernel(o, b);
	return err;
}

static int start_seed(struct oracle *o)
{
	int err = kernel_reset(o->kernel);

	if (!err)
		err = engine_reset(&o->engine);
	model_reset(&o->model);
	for (int side = 0; side < SIDES; side++)
		pairing_clear(&o->pairing[side]);
	o->gen.rng = prng_seed(0, o->seed_now);
	prng_next(&o->gen.rng);
	o->gen.limits = !(o->seed_now & 1);
	o->length = 0;
	return err;
}

/* Frames that the seed before left behind. */
static void check_leak(struct oracle *o)
{
	if (!o->engine.leaked)
		return;
	printf("LEAK: %" PRIu64 " frames have an owner after the map of seed %" PRIu64 " was destroyed\n",
	       o->engine.leaked, o->seed_now - 1);
	o->divergences[SIDE_ENGINE]++;
}

static int run_seed(struct oracle *o, uint64_t calls)
{
	uint64_t end = o->done + calls, deep = o->done + DEEP_EVERY, audit = o->done + AUDIT_EVERY;
	struct batch b;
	int err = start_seed(o);

	check_leak(o);
	while (!err && o->done < end) {
		err = grow_program(o);
		if (err)
			break;
		make_batch(o, &b, end - o->done);
		err = run_batch(o, &b);
		if (!err && (o->done >= audit || o->done >= end)) {
			check_audit(o, &b);
			audit += AUDIT_EVERY;
		}
		if (!err && (o->done >= deep || o->done >= end)) {
			check_deep(o, &b);
			deep += DEEP_EVERY;
		}
		for (int side = 0; side < SIDES && !err; side++) {
			if (!b.wrong[side])
				continue;
			o->divergences[side]++;
			report(o, side, *b.why ? b.why : "a result", b.audit && side == SIDE_ENGINE);
		}
		if (b.wrong[SIDE_ENGINE] || b.wrong[SIDE_KERNEL])
			break;
		if (o->progress)
			o->progress(o);
	}
	return err;
}

int oracle_run(struct oracle *o)
{
	int err = 0;

	for (uint64_t i = 0; i < o->seeds && !err; i++) {
		uint64_t share = o->ops / o->seeds + (i < o->ops % o->seeds);

		o->seed_now = o->seed + i;
		err = run_seed(o, share);
	}
	if (!err)
		err = engine_reset(&o->engine);
	o->seed_now++;
	check_leak(o);
	o->splits = o->model.splits;
	o->merges = o->model.merges;
	o->aimed = o->gen.aimed;
	if (err)
		snprintf(o->error, sizeof(o->error), err == -EPIPE ? "the kernel's child died" : "%s", strerror(-err));
	return err;
}
