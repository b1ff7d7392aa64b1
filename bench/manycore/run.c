/* SPDX-License-Identifier: MIT */
/* run.c - `vmmap-manycore run`: one point, with its hottest lines. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/tool/cli.h"
#include "base/tool/machine.h"
#include "bench/manycore/budget.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/report.h"
#include "bench/manycore/run.h"

#define RUN_COLD 4                               /* exit code of the child                                          */

static const char doc[] =
	"Runs a profile under a policy on N logical cores: throughput in virtual time, line transfers per operation, "
	"the hottest lines with both code locations.\v"
	"Examples:\n"
	"  vmmap-manycore run --policy vma --profile local --cores 64\n"
	"  vmmap-manycore run --policy rwsem --profile pf --cores 16 --costs 250 --json -\n"
	"Exit code: 0; 1 if the cores got stuck or a call of the profile failed; 2 if it could not run; 3 if it would "
	"take much longer than --seconds.";

static int write_json(const struct options *o, const struct measure_result *r)
{
	struct json *object = json_object();
	struct machine machine;
	int err;

	machine_read(&machine);
	json_text(object, "command", "run");
	machine_json(&machine, object, "machine");
	report_json(object, o, r);
	report_limits(object);
	err = json_write(object, o->json);
	json_free(object);
	if (err)
		cli_complain("give a file that can be written", "--json: %s: %s", o->json, strerror(-err));
	return err ? CLI_USAGE : CLI_OK;
}

int run_point(struct options *o, int (*fn)(const struct measure_params *p, struct measure_result *result))
{
	struct measure_result *r = calloc(1, sizeof(*r));
	int err, code;

	if (!options_simulated(o->m.policy, o->m.cores))
		cli_die("rwlock is pthread's own code, none is for one core", "--policy: '%s' cannot run on %u "
			"logical cores", o->m.policy, o->m.cores);
	if (r == NULL)
		cli_die(NULL, "no memory");
	err = fn(&o->m, r);
	if (err) {
		cli_complain(NULL, "%s, %s, %u cores: %s", o->m.policy, o->m.profile, o->m.cores, r->error);
		free(r);
		return err == -EAGAIN ? RUN_COLD : err == -EDEADLK || err == -EIO ? CLI_VIOLATION : CLI_USAGE;
	}
	if (o->json == NULL || strcmp(o->json, "-") != 0)
		report_print(stdout, o, r);
	code = o->json != NULL ? write_json(o, r) : CLI_OK;
	free(r);
	return code;
}

/* Fewer operations than wanted, and frames still come from where no core has touched them: what all policies have in
 * common would be measured. */
static int measure_warm(const struct measure_params *p, struct measure_result *r)
{
	int err = measure(p, r);

	if (!err && r->cold > MEASURE_COLD) {
		snprintf(r->error, sizeof(r->error), "%.2f first touches an operation: more --seconds", r->cold);
		return -EAGAIN;
	}
	return err;
}

/* The point in a child that may take two budgets. */
static int try_point(struct options *o, bool all)
{
	unsigned limit = 2 * (unsigned)o->seconds;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		cli_die(NULL, "cannot start a process");
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CPU, &(struct rlimit){ limit, limit + 1 });
		exit(run_point(o, all ? measure : measure_warm));
	}
	if (waitpid(pid, &status, 0) != pid)
		return CLI_USAGE;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return RUN_DEAR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_VIOLATION;
}

static int run_budgeted(struct options *o)
{
	uint64_t wanted = o->m.ops;
	int err = options_simulated(o->m.policy, o->m.cores) ? budget_fit(o) : 0, code = RUN_DEAR;

	if (err && err != -E2BIG)
		cli_die(NULL, "%s, %s, %u cores: a trial of few operations failed", o->m.policy, o->m.profile,
			o->m.cores);
	while (!err && code == RUN_DEAR) {
		code = try_point(o, o->m.ops == wanted);
		if (code == RUN_DEAR && !budget_less(o))
			break;
	}
	if (code == RUN_COLD)
		return RUN_DEAR;
	if (code == RUN_DEAR)
		cli_complain("more --seconds, or fewer --cores", "%s, %s, %u cores: too dear", o->m.policy,
			     o->m.profile, o->m.cores);
	return code;
}

int run_main(int argc, char **argv)
{
	struct options o;

	options_parse("pfnotckqzwsRJ", doc, argc, argv, &o);
	o.m.ops = options_ops(&o, o.m.cores);
	return o.seconds > 0 ? run_budgeted(&o) : run_point(&o, measure);
}
