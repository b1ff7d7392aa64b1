/* SPDX-License-Identifier: MIT */
/* sweep.c - `vmmap-manycore sweep`: policies x profiles x cores, each point in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/options.h"
#include "bench/manycore/points.h"
#include "bench/manycore/run.h"
#include "bench/sim/kernel.h"
#include "stress/profile.h"
#include "vmmap/vmmap.h"

#define BEYOND 1.25                              /* trials come on top of a budget                                  */

extern char **environ;

static const char doc[] =
	"Runs every policy on every profile for 1, 2, 4 ... cores, several processes at a time; writes DIR/points.tsv, "
	"one JSON file for each point, and the plots. Points that DIR/points.tsv has, of this same program, are not "
	"run again. On standard error: each point when it is done, and about how long the others will take. With "
	"--seconds no point takes much longer than that: it has as many operations as fit, and its row says how many.\v"
	"Examples:\n"
	"  vmmap-manycore sweep --seconds 20 --out curves\n"
	"  vmmap-manycore sweep --policies vma,rwsem --profiles fault,local,pf --most 128 --ops 2000 --out curves\n"
	"Exit code: 0; 1 if the cores of some point got stuck or a call failed; 2 if it could not run.";

#define JOBS_MOST 64                             /* as --jobs                                                       */

/* The default one first, then its rivals, the global locks before those that cost most; others after these. */
static const char *const order[] = {
	"vma", "rwsem", "pervma", "vma-count", "spf", "pt-lock", "range-tree", "range-list", "fine-lock", "checked",
};

/* A process that runs. Operations of all its cores stand for what it costs. */
struct job { pid_t pid; const char *policy, *profile; uint32_t cores; uint64_t ops; };

struct sweep {
	const struct options *o;
	struct point *done;
	size_t ndone;
	struct job job[JOBS_MOST];
	unsigned running, finished, all, failed;
	uint64_t ops, all_ops;                   /* finished, all                                                   */
	uint64_t began_ns;
};

static bool have(const struct sweep *s, const char *policy, const char *profile, uint32_t cores)
{
	for (size_t i = 0; i < s->ndone; i++)
		if (s->done[i].cores == cores && strcmp(s->done[i].policy, policy) == 0 &&
		    strcmp(s->done[i].profile, profile) == 0 && strcmp(s->done[i].build, points_build()) == 0)
			return true;
	return false;
}

/* What is left takes as long, an operation, as what is done; with a budget, a point. */
static double left_s(const struct sweep *s, uint64_t took)
{
	if (s->o->seconds > 0)
		return (double)took * (s->all - s->finished) / s->finished;
	return s->ops ? (double)took * (double)(s->all_ops - s->ops) / (double)s->ops : 0;
}

static void tell(const struct sweep *s, const struct job *job, const char *how)
{
	uint64_t took = (kernel_real_ns() - s->began_ns) / 1000000000;
	double left = left_s(s, took);

	fprintf(stderr, "%u of %u  %s, %s, %u cores%s; %lu min %02lu s so far, about %.0f min to go\n", s->finished,
		s->all, job->policy, job->profile, job->cores, how, (unsigned long)(took / 60),
		(unsigned long)(took % 60), left / 60);
}

static void wait_one(struct sweep *s)
{
	int status = 0;
	pid_t pid = wait(&status);
	unsigned i = 0;
	bool dear = WIFEXITED(status) && WEXITSTATUS(status) == RUN_DEAR;
	bool failed = !dear && (!WIFEXITED(status) || WEXITSTATUS(status) != 0);

	if (pid < 0)
		return;
	while (i < s->running && s->job[i].pid != pid)
		i++;
	if (i == s->running)
		return;
	s->finished++;
	s->failed += failed;
	s->ops += s->job[i].ops;
	tell(s, &s->job[i], failed ? ": FAILED" : dear ? ": too dear, left out" : "");
	s->job[i] = s->job[--s->running];
}

static void start(struct sweep *s, const char *policy, const char *profile, uint32_t cores)
{
	const struct options *o = s->o;
	char n[16], ops[24], seed[24], quantum[24], socket[16], seconds[16], warm[16], json[4096], row[4096];
	char *argv[] = { (char *)"vmmap-manycore", (char *)"run", (char *)"--policy", (char *)policy,
			 (char *)"--profile", (char *)profile, (char *)"--cores", n, (char *)"--ops", ops,
			 (char *)"--seed", seed, (char *)"--costs", (char *)o->costs, (char *)"--quantum", quantum,
			 (char *)"--socket", socket, (char *)"--json", json, (char *)"--row", row,
			 (char *)"--warm", warm, o->seconds > 0 ? (char *)"--seconds" : NULL, seconds, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	while (s->running >= o->jobs)
		wait_one(s);
	snprintf(n, sizeof(n), "%u", cores);
	snprintf(ops, sizeof(ops), "%lu", (unsigned long)options_ops(o, cores));
	snprintf(seed, sizeof(seed), "%lu", (unsigned long)o->m.seed);
	snprintf(quantum, sizeof(quantum), "%lu", (unsigned long)(o->m.costs.quantum / TURN_PS));
	snprintf(warm, sizeof(warm), "%u", o->m.warm_most);
	snprintf(seconds, sizeof(seconds), "%.0f", o->seconds);
	snprintf(socket, sizeof(socket), "%u", o->m.costs.line.cores_per_socket);
	snprintf(json, sizeof(json), "%s/%s-%s-%u.json", o->out, policy, profile, cores);
	snprintf(row, sizeof(row), "%s/points.tsv", o->out);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ) != 0)
		cli_die(NULL, "cannot start a process");
	posix_spawn_file_actions_destroy(&actions);
	s->job[s->running++] = (struct job){ pid, policy, profile, cores, cores * options_ops(o, cores) };
}

/* Each combination that is not there yet: their number. */
static unsigned each(struct sweep *s, bool count)
{
	const struct options *o = s->o;
	unsigned n = 0;

	for (size_t p = 0; p < o->npolicies; p++)
		for (size_t c = 0; c < o->ncounts; c++)
			for (size_t f = 0; f < o->nprofiles; f++) {
				uint32_t cores = o->counts[c];

				if (!options_simulated(o->policies[p], cores) ||
				    cores < profile_find(o->profiles[f])->min_threads ||
				    have(s, o->policies[p], o->profiles[f], cores))
					continue;
				n++;
				if (count)
					s->all_ops += cores * options_ops(o, cores);
				else
					start(s, o->policies[p], o->profiles[f], cores);
			}
	return n;
}

static void all_policies(struct options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		o->policies[o->npolicies++] = order[i];
	for (unsigned i = 0; vmmap_policy_name(i) && o->npolicies < OPTIONS_MOST; i++) {
		const char *name = vmmap_policy_name(i);
		bool there = !options_simulated(name, 1);

		for (size_t k = 0; k < o->npolicies; k++)
			there |= strcmp(o->policies[k], name) == 0;
		if (!there)
			o->policies[o->npolicies++] = name;
	}
}

static void set_defaults(struct options *o)
{
	bool all = o->nprofiles == 0;

	if (o->npolicies == 0)
		all_policies(o);
	for (uint32_t cores = o->ncounts == 0 ? 1 : UINT32_MAX; cores <= o->most; cores *= 2)
		o->counts[o->ncounts++] = cores;
	for (unsigned i = 0; all && profile_at(i) && o->nprofiles < OPTIONS_MOST; i++)
		o->profiles[o->nprofiles++] = profile_at(i)->name;
	if (o->out == NULL)
		o->out = "manycore-sweep";
	if (mkdir(o->out, 0777) != 0 && errno != EEXIST)
		cli_die("give a directory that can be made", "--out: %s: %s", o->out, strerror(errno));
}

int sweep_main(int argc, char **argv)
{
	char *plot[] = { (char *)"plot", (char *)"--out", NULL, NULL };
	struct options o;
	struct sweep s = { .o = &o, .began_ns = kernel_real_ns() };
	int code;

	options_parse("PFmNotwckqsjd", doc, argc, argv, &o);
	set_defaults(&o);
	s.ndone = points_read(o.out, &s.done);
	s.all = each(&s, true);
	if (o.seconds > 0)
		fprintf(stderr, "%u points, %u at a time, about %.0f s each: at most some %.0f min\n", s.all, o.jobs,
			o.seconds, s.all * o.seconds * BEYOND / o.jobs / 60);
	(void)each(&s, false);
	while (s.running > 0)
		wait_one(&s);
	free(s.done);
	plot[2] = (char *)o.out;
	code = plot_main(3, plot);
	return s.failed ? CLI_VIOLATION : code;
}
