/* SPDX-License-Identifier: MIT */
/* main.c - vmmap-conflicts: the instrument (runner.h) under the program (run.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/conflicts/run.h"
#include "bench/conflicts/runner.h"
#include "bench/sim/debug.h"
#include "bench/sim/kernel.h"

const long kernel_cpus = RUNNER_CORES;

#define NAME_BYTES 256

struct told {
	struct trace_verdict verdict;
	struct run_conflict conflict[TRACE_MEETINGS];
	char label[TRACE_MEETINGS][2 * NAME_BYTES], field[TRACE_MEETINGS][2 * NAME_BYTES];
};

/* "vtree_leaf.first[]" is a type and a field; "rcu.c:rcu_global.epoch" a variable and a field of it. */
static void split(const char *text, char label[NAME_BYTES], char field[NAME_BYTES])
{
	const char *colon = strchr(text, ':'), *dot = strchr(colon != NULL ? colon : text, '.');

	snprintf(label, NAME_BYTES, "%.*s", (int)(dot != NULL ? dot - text : (long)strlen(text)), text);
	snprintf(field, NAME_BYTES, "%s", dot != NULL ? dot + 1 : "");
}

/* Two fields that only share a line are told as one location: "word+spare1". */
static void name(const struct trace_meeting *met, char *label, char *field)
{
	char type[2][NAME_BYTES], part[2][NAME_BYTES];

	for (unsigned who = 0; who < 2; who++)
		split(met->label[who], type[who], part[who]);
	snprintf(label, 2 * NAME_BYTES, "%s", type[0]);
	snprintf(field, 2 * NAME_BYTES, "%s", part[0]);
	if (strcmp(type[0], type[1]) != 0)
		snprintf(label, 2 * NAME_BYTES, "%s+%s", type[0], type[1]);
	if (met->label[0] != met->label[1])
		snprintf(field, 2 * NAME_BYTES, "%s+%s", part[0], part[1]);
}

static int begin(void *self, const char *policy, enum placement placement)
{
	(void)self;
	(void)placement;
	return runner_policy(policy);
}

static int run(void *self, const struct test *t, const struct placed *p, struct run_verdict *out)
{
	struct told *told = self;
	int err = runner_test(p, &told->verdict, out->why);

	(void)t;
	if (err && err != -EILSEQ)
		return err;
	out->proven = !err;
	out->conflict = told->conflict;
	out->n = told->verdict.n;
	for (unsigned i = 0; i < out->n; i++) {
		const struct trace_meeting *met = &told->verdict.met[i];

		name(met, told->label[i], told->field[i]);
		told->conflict[i] = (struct run_conflict){
			.label = told->label[i], .field = told->field[i], .byte = met->same_bytes,
			.at_a = debug_location(met->side[0].pc), .at_b = debug_location(met->side[1].pc),
		};
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct told told;
	static const struct runner runner = { &told, begin, run };

	kernel_same_addresses(argv);
	runner_begin();
	return conflicts_main(argc, argv, &runner);
}
