/* SPDX-License-Identifier: MIT */
/* loop.c - `vmmap-bench loop`: one operation, again and again, and nothing else: for callgrind and perf. */
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/commands.h"
#include "bench/loop.h"
#include "bench/op.h"
#include "bench/options.h"

static const short keys[] = { OPT_OP, OPT_POLICY, OPT_COUNT, OPT_VMAS, 0 };
static const struct options_command command = {
	keys,
	"Does one operation --count times in one thread, without looking at a clock. Only the function "
	"loop_measured does the operation; what makes its ground anew between batches is outside of it.\v"
	"Examples:\n"
	"  vmmap-bench loop --op=help\n"
	"  vmmap-bench loop --op fault-hit --policy vma --count 100k\n"
	"  valgrind --tool=callgrind --toggle-collect=loop_measured vmmap-bench loop --op mmap --policy vma "
	"--count 10k\n"
	"  perf record vmmap-bench loop --op local --policy rwsem --count 10M\n"
	"Exit code: 0; 2 if it could not run, or the operation failed.",
};

NOINLINE int loop_measured(const struct op *op, struct op_env *env, uint64_t n)
{
	return op->run(env, &env->thread[0], n);
}

int loop_main(int argc, char **argv)
{
	static struct op_env env;
	struct options o = { .policy = "vma", .count = 100000, .vmas = { 65536 }, .nvmas = 1 };
	const struct op *op;
	int err;

	options_parse(&command, argc, argv, &o);
	if (!o.op)
		cli_die("--op=help lists them", "which operation?");
	op = op_find(o.op);
	env.policy = o.policy;
	env.threads = 1;
	env.vmas = o.vmas[0];
	err = op_open(op, &env);
	for (uint64_t left = o.count; left && !err;) {
		uint64_t n = left < op->batch ? left : op->batch;

		err = loop_measured(op, &env, n);
		if (!err && op->again)
			err = op->again(&env, &env.thread[0], n);
		left -= n;
	}
	if (err)
		cli_complain(NULL, "%s under %s: %s", op->name, o.policy, strerror(-err));
	op_close(&env);
	return err ? CLI_USAGE : CLI_OK;
}
