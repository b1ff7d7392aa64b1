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
#include "base/tool/cli.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/options.h"
#include "bench/manycore/points.h"
#include "bench/sim/kernel.h"
#include "stress/profile.h"
#include "vmmap/vmmap.h"

extern char **environ;

static const char doc[] =
	"Runs every policy on every profile for 1, 2, 4 ... cores, several processes at a time; writes DIR/points.tsv, "
	"one JSON file for each point, and the plots. Points that DIR/points.tsv has, of this same program, are not "
	"run again. On standard error: each point when it is done, and about how long the others will take.\v"
	"Examples:\n"
	"  vmmap-manycore sweep --out curves\n"
	"  vmmap-manycore sweep --policies vma,rwsem --profiles fault,local,pf --most 128 --ops 2000 --out curves\n"
	"Exit code: 0; 1 if the cores of some point got stuck or a call failed; 2 if it could not run.";

#define JOBS_MOST 64                             /* as --jobs                                                       */

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

/* What is left takes as long, an operation, as what is done. Rivals on many cores come last, and take longer. */
static void tell(const struct sweep *s, const struct job *job, bool failed)
{
	uint64_t took = (kernel_real_ns() - s->began_ns) / 1000000000;
	double left = s->ops ? (double)took * (double)(s->all_ops - s->ops) / (double)s->ops : 0;

	fprintf(stderr, "%u of %u  %s, %s, %u cores%s; %lu min %02lu s so far, about %.0f min to go\n", s->finished,
		s->all, job->policy, job->profile, job->cores, failed ? ": FAILED" : "", (unsigned long)(took / 60),
		(unsigned long)(took % 60), left / 60);
}

static void wait_one(struct sweep *s)
{
	int status = 0;
	pid_t pid = wait(&status);
	unsigned i = 0;
	bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;

	if (pid < 0)
		return;
	while (i < s->running && s->job[i].pid != pid)
		i++;
	if (i == s->running)
		return;
	s->finished++;
	s->failed += failed;
	s->ops += s->job[i].ops;
	tell(s, &s->job[i], failed);
	s->job[i] = s->job[--s->running];
}

static void start(struct sweep *s, const char *policy, const char *profile, uint32_t cores)
{
	const struct options *o = s->o;
	char n[16], ops[24], seed[24], quantum[24], socket[16], json[4096], row[4096];
	char *argv[] = { (char *)"vmmap-manycore", (char *)"run", (char *)"--policy", (char *)policy,
			 (char *)"--profile", (char *)profile, (char *)"--cores", n, (char *)"--ops", ops,
			 (char *)"--seed", seed, (char *)"--costs", (char *)o->costs, (char *)"--quantum", quantum,
			 (char *)"--socket", socket, (char *)"--json", json, (char *)"--row", row, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	while (s->running >= o->jobs)
		wait_one(s);
	snprintf(n, sizeof(n), "%u", cores);
	snprintf(ops, sizeof(ops), "%lu", (unsigned long)options_ops(o, cores));
	snprintf(seed, sizeof(seed), "%lu", (unsigned long)o->m.seed);
	snprintf(quantum, sizeof(quantum), "%lu", (unsigned long)(o->m.costs.quantum / TURN_PS));
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

	for (uint32_t cores = 1; cores <= o->most; cores *= 2)
		for (size_t f = 0; f < o->nprofiles; f++)
			for (size_t p = 0; p < o->npolicies; p++) {
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

static void set_defaults(struct options *o)
{
	bool all = o->npolicies == 0;

	for (unsigned i = 0; all && vmmap_policy_name(i) && o->npolicies < OPTIONS_MOST; i++)
		if (options_simulated(vmmap_policy_name(i), 1))
			o->policies[o->npolicies++] = vmmap_policy_name(i);
	all = o->nprofiles == 0;
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

	options_parse("PFmockqsjd", doc, argc, argv, &o);
	set_defaults(&o);
	s.ndone = points_read(o.out, &s.done);
	s.all = each(&s, true);
	(void)each(&s, false);
	while (s.running > 0)
		wait_one(&s);
	free(s.done);
	plot[2] = (char *)o.out;
	code = plot_main(3, plot);
	return s.failed ? CLI_VIOLATION : code;
}
