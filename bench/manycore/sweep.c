/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - `vmmap-manycore sweep`: policies x profiles x cores, each point in a process of its own.
 *
 * STOP   SIGINT, SIGTERM and SIGHUP are blocked and waited for together with SIGCHLD, in one place: what is measured by
 *        then stands in points.json, what runs is ended (each point is a process group), and is run the next time.
 * TWO    sweeps of one directory would lose each other's points: the directory is locked.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "base/tool/json.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/options.h"
#include "bench/manycore/points.h"
#include "bench/manycore/report.h"
#include "bench/manycore/run.h"
#include "bench/sim/kernel.h"
#include "stress/profile.h"
#include "vmmap/vmmap.h"

#define BEYOND    1.25                           /* trials come on top of a budget                                  */
#define JOBS_MOST 64                             /* as --jobs                                                       */

extern char **environ;

static const char doc[] =
	"Runs every policy on every profile for 1, 2, 4 ... cores, several processes at a time; writes DIR/points.json "
	"after each point, a JSON file for each with its hottest lines, and the plots. It may be stopped at any time "
	"(SIGINT, SIGTERM): the same command goes on. Points of another --costs, --quantum, --socket or --seed stand "
	"beside. Those that DIR/points.json has are not run again, unless --ops asks for more than they were asked "
	"for, or --fresh or --better says so; and none gives way to one with fewer operations, or to one that is not "
	"steady if it is, but with --fresh to that of another program. "
	"On standard error: each point when it is done, and about how long the others will take. With --seconds no "
	"point takes much longer than that: it has as many operations as fit, and its row says how many.\v"
	"Examples:\n"
	"  vmmap-manycore sweep --seconds 20 --out curves\n"
	"  vmmap-manycore sweep --seconds 120 --better --out curves       what 20 s were too short for\n"
	"  vmmap-manycore sweep --seconds 20 --fresh --out curves         the engine has changed\n"
	"  vmmap-manycore sweep --policies vma,rwsem --profiles fault,local,pf --most 128 --ops 2000 --out curves\n"
	"Exit code: 0; 1 if the cores of some point got stuck or a call failed; 2 if it could not run; 128 + the "
	"signal that stopped it.";

/* A process that runs. Operations of all its cores stand for what it costs. */
struct job { pid_t pid; struct point point; uint64_t ops; };

struct sweep {
	const struct options *o;
	struct points points;
	struct job job[JOBS_MOST];
	unsigned running, finished, all, failed;
	uint64_t ops, all_ops;                   /* finished, all                                                   */
	uint64_t began_ns;
	sigset_t awaited, before;                /* signals; what was blocked before                                */
};

/* ---- what is to be run ---- */

/* Beside what this sweep asks for. */
static bool lacking(const struct point *p, const struct point *now)
{
	return points_ops(p) < POINTS_WHOLE * (double)now->terms.ops || !p->steady;
}

/* It could have as much time and warm-up as this sweep gives. */
static bool had_as_much(const struct point *p, const struct point *now)
{
	bool as_long = p->seconds == 0 || (now->seconds > 0 && p->seconds >= now->seconds);

	return as_long && p->warm_most >= now->warm_most;
}

static bool of_this_program(const struct point *p)
{
	return strcmp(p->build, points_build()) == 0;
}

static bool wanted(const struct sweep *s, const struct point *now)
{
	const struct point *p = points_find(&s->points.done, now), *dear = points_find(&s->points.dear, now);
	bool fresh = s->o->fresh;

	if (dear != NULL && had_as_much(dear, now) && (!fresh || of_this_program(dear)))
		return false;
	if (p == NULL || p->terms.ops < now->terms.ops || (fresh && !of_this_program(p)))
		return true;
	return s->o->better && lacking(p, now) && !had_as_much(p, now);
}

/*
 * What stands there is kept where the new one is worse: with more time it may have less, since the machine was busy or
 * the budget's steps fell otherwise. It is not asked for again with as much. With --fresh that of another program goes.
 */
static void put(struct sweep *s, const struct point *p)
{
	struct point *old = points_find(&s->points.done, p);

	if (p->ops == 0 || old == NULL || !points_worse(p, old) || (s->o->fresh && !of_this_program(old))) {
		points_put(&s->points, p);
		return;
	}
	old->terms.ops = p->terms.ops > old->terms.ops ? p->terms.ops : old->terms.ops;
	old->seconds = p->seconds;
	old->warm_most = p->warm_most;
}

/* ---- processes ---- */

static void result_path(const struct sweep *s, const struct point *p, char *path, size_t bytes)
{
	const struct point_terms *t = &p->terms;
	char model[96] = "";

	if (!points_plain(p))
		snprintf(model, sizeof(model), "-costs%s-quantum%lu-socket%u-seed%s", t->costs,
			 (unsigned long)t->quantum_ns, t->socket, t->seed);
	snprintf(path, bytes, "%s/%s-%s-%u%s.json", s->o->out, p->policy, p->profile, p->cores, model);
}

static void end_all(struct sweep *s)
{
	for (unsigned i = 0; i < s->running; i++)
		kill(-s->job[i].pid, SIGKILL);
	for (unsigned i = 0; i < s->running; i++)
		(void)waitpid(s->job[i].pid, NULL, 0);
	s->running = 0;
}

static void write_points(struct sweep *s)
{
	int err = points_write(&s->points, s->o->out);

	if (err == 0)
		return;
	end_all(s);
	cli_die("what it has stays as it was", "%s/points.json: %s", s->o->out, strerror(-err));
}

/* What the process has measured. False: there is nothing to read. */
static bool read_result(const struct sweep *s, struct point *p)
{
	struct json *row;
	char path[4096];

	result_path(s, p, path, sizeof(path));
	if (json_read(&row, path) != 0)
		return false;
	p->ops = (uint64_t)json_real_at(row, "ops", 0);
	p->ops_per_s = json_real_at(row, "ops_per_s", 0);
	p->transfers = json_real_at(row, "transfers_per_op", 0);
	p->cold = json_real_at(row, "first_touches_per_op", 0);
	p->warm = (unsigned)json_real_at(row, "warm_blocks", 0);
	p->steady = json_bool_at(row, "steady", false);
	json_free(row);
	return p->ops > 0;
}

/* What is left takes as long, an operation, as what is done; with a budget, a point. */
static double left_s(const struct sweep *s, uint64_t took)
{
	if (s->o->seconds > 0)
		return (double)took * (s->all - s->finished) / s->finished;
	return s->ops ? (double)took * (double)(s->all_ops - s->ops) / (double)s->ops : 0;
}

static void tell(const struct sweep *s, const struct point *p, const char *how)
{
	uint64_t took = (kernel_real_ns() - s->began_ns) / 1000000000;
	double left = left_s(s, took);

	fprintf(stderr, "%u of %u  %s, %s, %u cores%s; %lu min %02lu s so far, about %.0f min to go\n", s->finished,
		s->all, p->policy, p->profile, p->cores, how, (unsigned long)(took / 60), (unsigned long)(took % 60),
		left / 60);
}

static void finish(struct sweep *s, unsigned i, int status)
{
	struct point p = s->job[i].point;
	bool dear = WIFEXITED(status) && WEXITSTATUS(status) == RUN_DEAR;
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0 && read_result(s, &p);

	s->finished++;
	s->failed += !good && !dear;
	s->ops += s->job[i].ops;
	s->job[i] = s->job[--s->running];
	if (good || dear) {
		put(s, &p);
		write_points(s);
	}
	tell(s, &p, good ? "" : dear ? ": too dear, left out" : ": FAILED");
}

static _Noreturn void stop(struct sweep *s, int signal)
{
	end_all(s);
	fprintf(stderr, "stopped after %u of %u points; the same command goes on\n", s->finished, s->all);
	exit(128 + signal);
}

/* Until at least one process has ended. */
static void wait_some(struct sweep *s)
{
	unsigned before = s->finished;

	while (s->finished == before) {
		int status, signal = sigwaitinfo(&s->awaited, NULL);

		if (signal > 0 && signal != SIGCHLD)
			stop(s, signal);
		for (unsigned i = s->running; i-- > 0;)
			if (waitpid(s->job[i].pid, &status, WNOHANG) == s->job[i].pid)
				finish(s, i, status);
	}
}

/* One that is ignored (nohup, a shell's background) stays so. */
static void listen_for_signals(struct sweep *s)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };

	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&s->awaited);
	sigaddset(&s->awaited, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
		struct sigaction now;

		if (sigaction(stops[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&s->awaited, stops[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &s->awaited, &s->before);
}

/* A group of its own, so that what it starts ends with it; its signals as ours were. */
static int spawn(const struct sweep *s, char *const argv[], pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &s->before);
	err = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static void start(struct sweep *s, const struct point *p)
{
	const struct options *o = s->o;
	char n[16], ops[24], quantum[24], socket[16], seconds[16], warm[16], json[4096];
	struct job *job;
	char *argv[] = { (char *)"vmmap-manycore", (char *)"run", (char *)"--policy", (char *)p->policy,
			 (char *)"--profile", (char *)p->profile, (char *)"--cores", n, (char *)"--ops", ops,
			 (char *)"--seed", (char *)p->terms.seed, (char *)"--costs", (char *)p->terms.costs,
			 (char *)"--quantum", quantum, (char *)"--socket", socket, (char *)"--json", json,
			 (char *)"--warm", warm, o->seconds > 0 ? (char *)"--seconds" : NULL, seconds, NULL };

	while (s->running >= o->jobs)
		wait_some(s);
	snprintf(n, sizeof(n), "%u", p->cores);
	snprintf(ops, sizeof(ops), "%lu", (unsigned long)p->terms.ops);
	snprintf(quantum, sizeof(quantum), "%lu", (unsigned long)p->terms.quantum_ns);
	snprintf(warm, sizeof(warm), "%u", p->warm_most);
	snprintf(seconds, sizeof(seconds), "%.0f", p->seconds);
	snprintf(socket, sizeof(socket), "%u", p->terms.socket);
	result_path(s, p, json, sizeof(json));
	job = &s->job[s->running];
	*job = (struct job){ .point = *p, .ops = p->cores * p->terms.ops };
	if (spawn(s, argv, &job->pid) != 0) {
		end_all(s);
		cli_die(NULL, "cannot start a process");
	}
	s->running++;
}

/* ---- the sweep ---- */

/* Each place on a curve that is to be run: their number. */
static unsigned each(struct sweep *s, bool count)
{
	const struct options *o = s->o;
	unsigned n = 0;

	for (size_t p = 0; p < o->npolicies; p++)
		for (size_t c = 0; c < o->ncounts; c++)
			for (size_t f = 0; f < o->nprofiles; f++) {
				uint32_t cores = o->counts[c];
				struct point now = points_new(o, o->policies[p], o->profiles[f], cores);

				if (!options_simulated(o->policies[p], cores) ||
				    cores < profile_find(o->profiles[f])->min_threads || !wanted(s, &now))
					continue;
				n++;
				if (count)
					s->all_ops += cores * options_ops(o, cores);
				else
					start(s, &now);
			}
	return n;
}

static void set_defaults(struct options *o)
{
	bool all = o->nprofiles == 0;

	if (o->npolicies == 0)
		options_all_policies(o, 1);
	for (uint32_t cores = o->ncounts == 0 ? 1 : UINT32_MAX; cores <= o->most; cores *= 2)
		o->counts[o->ncounts++] = cores;
	for (unsigned i = 0; all && profile_at(i) && o->nprofiles < OPTIONS_MOST; i++)
		o->profiles[o->nprofiles++] = profile_at(i)->name;
	if (o->out == NULL)
		o->out = "manycore-sweep";
	if (mkdir(o->out, 0777) != 0 && errno != EEXIST)
		cli_die("give a directory that can be made", "--out: %s: %s", o->out, strerror(errno));
}

/* Held until the program ends. */
static void lock_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
		cli_die(errno == EWOULDBLOCK ? "another sweep works there: wait for it, or give another directory" :
			NULL, "--out: %s: %s", dir, strerror(errno));
}

int sweep_main(int argc, char **argv)
{
	char *plot[] = { (char *)"plot", (char *)"--out", NULL, NULL }, validation[256];
	struct options o;
	struct sweep s = { .o = &o, .began_ns = kernel_real_ns() };
	int code, err;

	options_parse("PFmNotwckqsjdxb", doc, argc, argv, &o);
	set_defaults(&o);
	lock_directory(o.out);
	err = points_read(&s.points, o.out);
	if (err)
		cli_die("mend it or move it away", "%s/points.json: %s", o.out, strerror(-err));
	s.all = each(&s, true);
	if (o.seconds > 0)
		fprintf(stderr, "%u points, %u at a time, about %.0f s each: at most some %.0f min\n", s.all, o.jobs,
			o.seconds, s.all * o.seconds * BEYOND / o.jobs / 60);
	listen_for_signals(&s);
	(void)each(&s, false);
	while (s.running > 0)
		wait_some(&s);
	(void)sigprocmask(SIG_SETMASK, &s.before, NULL);
	points_free(&s.points);
	fprintf(stderr, "%s\n", report_validation(o.out, validation, sizeof(validation)));
	plot[2] = (char *)o.out;
	code = plot_main(3, plot);
	return s.failed ? CLI_VIOLATION : code;
}
