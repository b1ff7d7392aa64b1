/* SPDX-License-Identifier: MIT */
/* campaign.c - see campaign.h. */
#include "bench/explore/campaign.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/point.h"
#include "bench/explore/order.h"
#include "bench/explore/shrink.h"
#include "bench/sim/kernel.h"

#define STALE_RUNS  4000                 /* this many in a row, and not one order in 500 new: nothing more comes    */
#define STALE_ONE_IN 500
#define CLOCK_RUNS  8                    /* how often the time is looked at                                        */
#define MUTANTS_MAX 512

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static struct outcome *outcome_new(void)
{
	struct outcome *out = calloc(1, sizeof(*out));

	CHECK(out != NULL);
	return out;
}

/* A child that ends with its parent, and with nothing to say on standard output. */
static pid_t child(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen("/dev/null", "w", stderr) == NULL)   /* the engine's own reports: of each failing run   */
			_exit(4);
	}
	return pid;
}

/* ---- exploring ---- */

static void failed(struct report *r, struct outcome *out)
{
	shrink(out);
	r->failure = out->failure;
	r->preemptions = out->preemptions;
	memcpy(r->text, out->text, sizeof(r->text));
	schedule_print(&out->schedule, r->schedule, sizeof(r->schedule));
}

static _Noreturn void explore_one(const struct settings *s, struct report *r)
{
	struct strategy *strategy = strategy_new(s->strategy, scenario_bodies(r->scenario), s->seed, s->everywhere);
	struct outcome *out = outcome_new();
	uint64_t fresh_before = 0;

	run_prepare(r->scenario, s->policy, s->mutant);
	if (s->coverage)
		coverage_use(&r->coverage);
	while (!r->over) {
		uint64_t began = kernel_real_ns();

		while (!r->over && r->distinct < r->quota) {
			if (!strategy_step(strategy, out)) {
				r->over = true;
				break;
			}
			r->runs++;
			r->accesses += out->accesses;
			r->distinct += out->fresh;
			if (out->failure != FAIL_NONE) {
				failed(r, out);
				r->over = true;
			}
			if (r->runs % CLOCK_RUNS == 0 && kernel_real_ns() > s->until_ns)
				r->over = true;
			if (r->runs % STALE_RUNS == 0) {
				r->over |= r->distinct - fresh_before < STALE_RUNS / STALE_ONE_IN;
				fresh_before = r->distinct;
			}
		}
		r->ns += kernel_real_ns() - began;
		if (!r->over)
			raise(SIGSTOP);
	}
	_exit(0);
}

static void show_progress(const struct report *r, unsigned n, uint64_t wanted)
{
	uint64_t distinct = 0, runs = 0;
	unsigned over = 0;

	for (unsigned i = 0; i < n; i++) {
		distinct += r[i].distinct;
		runs += r[i].runs;
		over += r[i].over;
	}
	fprintf(stderr, "\r%llu of %llu distinct schedules, %llu runs, %u of %u scenarios over ",
		(unsigned long long)distinct, (unsigned long long)wanted, (unsigned long long)runs, over, n);
	fflush(stderr);
}

/* Lets those that are not over run for their quota, `jobs` at a time. */
static void round_of(const struct settings *s, struct report *r, pid_t *pids, unsigned n)
{
	unsigned next = 0, busy = 0;

	while (next < n || busy > 0) {
		int status;
		pid_t pid;

		if (next < n && busy < s->jobs) {
			unsigned i = next++;

			if (r[i].over)
				continue;
			if (pids[i] != 0) {
				kill(pids[i], SIGCONT);
			} else {
				pids[i] = child();
				if (pids[i] == 0)
					explore_one(s, &r[i]);
			}
			busy++;
			continue;
		}
		pid = waitpid(-1, &status, WUNTRACED);
		if (pid < 0 && errno == EINTR)
			continue;
		CHECK(pid > 0);
		for (unsigned i = 0; i < n; i++) {
			if (pids[i] != pid)
				continue;
			busy--;
			if (WIFSTOPPED(status))
				continue;
			r[i].over = true;
			if ((!WIFEXITED(status) || WEXITSTATUS(status) != 0) && r[i].failure == FAIL_NONE) {
				r[i].failure = FAIL_SIGNAL;
				snprintf(r[i].text, sizeof(r[i].text), "its process ended with status %#x", status);
			}
		}
		if (s->progress)
			show_progress(r, n, s->schedules);
	}
}

unsigned campaign_explore(const struct settings *s, const struct scenario *const *scenarios, unsigned n,
			  struct report **reports)
{
	struct report *r = shared(n * sizeof(*r));
	pid_t *pids = calloc(n, sizeof(*pids));
	unsigned bad = 0, alive = n;

	CHECK(pids != NULL);
	for (unsigned i = 0; i < n; i++)
		r[i].scenario = scenarios[i];
	while (alive > 0 && kernel_real_ns() < s->until_ns) {
		uint64_t distinct = 0, share;

		for (unsigned i = 0; i < n; i++)
			distinct += r[i].distinct;
		if (distinct >= s->schedules)
			break;
		share = (s->schedules - distinct + alive - 1) / alive;
		for (unsigned i = 0; i < n; i++)
			r[i].quota = r[i].distinct + share;
		round_of(s, r, pids, n);
		alive = 0;
		for (unsigned i = 0; i < n; i++)
			alive += !r[i].over;
	}
	if (s->progress)
		fputc('\n', stderr);
	for (unsigned i = 0; i < n; i++) {
		if (!r[i].over && pids[i] != 0) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
		bad += r[i].failure != FAIL_NONE;
	}
	free(pids);
	*reports = r;
	return bad;
}

/* ---- hunting ---- */

extern struct point_mutant *__start_vmmap_mutants[] __attribute__((visibility("hidden")));
extern struct point_mutant *__stop_vmmap_mutants[] __attribute__((visibility("hidden")));

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *campaign_mutant(unsigned i)
{
	static const char *names[MUTANTS_MAX];
	static unsigned n;

	if (n == 0) {
		for (struct point_mutant **m = __start_vmmap_mutants; m < __stop_vmmap_mutants; m++)
			if (n < MUTANTS_MAX)
				names[n++] = (*m)->name;
		qsort(names, n, sizeof(*names), by_text);
		unsigned kept = 0;

		for (unsigned k = 0; k < n; k++)         /* one that stands in two places is one mutant             */
			if (kept == 0 || strcmp(names[k], names[kept - 1]) != 0)
				names[kept++] = names[k];
		n = kept;
	}
	return i < n ? names[i] : NULL;
}

static bool names_it(const struct scenario *s, const char *mutant)
{
	size_t length = strlen(mutant);

	for (const char *at = s->mutants; at != NULL && (at = strstr(at, mutant)) != NULL; at += length)
		if ((at == s->mutants || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
			return true;
	return false;
}

/* In a child of its own: true, if this scenario fails within s->schedules runs. */
static bool hunt_in(const struct settings *s, struct find *f, const struct scenario *scenario)
{
	int status;
	pid_t pid = child();

	if (pid == 0) {
		struct strategy *strategy = strategy_new(f->strategy, scenario_bodies(scenario), f->seed,
							 s->everywhere);
		struct outcome *out = outcome_new();
		uint64_t runs = 0;

		run_prepare(scenario, s->policy, f->mutant);
		do {
			if (!strategy_step(strategy, out))
				break;
			runs++;
		} while (out->failure == FAIL_NONE && runs < s->schedules && kernel_real_ns() < s->until_ns);
		f->runs = runs;
		if (out->failure == FAIL_NONE)
			_exit(0);
		shrink(out);
		f->failure = out->failure;
		memcpy(f->text, out->text, sizeof(f->text));
		schedule_print(&out->schedule, f->schedule, sizeof(f->schedule));
		_exit(1);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	f->all_runs += f->runs;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static _Noreturn void hunt_one(const struct settings *s, struct find *f)
{
	const struct scenario *only = f->scenario;
	const struct scenario *scenario;

	f->scenario = NULL;
	for (int turn = 0; turn < (s->named ? 1 : 2); turn++)
		for (unsigned i = 0; (scenario = scenario_at(i)) != NULL; i++) {
			if (only != NULL ? only != scenario || turn == 1 : names_it(scenario, f->mutant) != (turn == 0))
				continue;
			if (hunt_in(s, f, scenario)) {
				f->scenario = scenario;
				_exit(0);
			}
		}
	_exit(0);
}

unsigned campaign_hunt(const struct settings *s, struct find *finds, unsigned n, void (*tell)(const struct find *f))
{
	struct find *f = shared(n * sizeof(*f));
	pid_t *pids = calloc(n, sizeof(*pids)), pid;
	unsigned next = 0, busy = 0, lost = 0;

	CHECK(pids != NULL);
	memcpy(f, finds, n * sizeof(*f));
	while (next < n || busy > 0) {
		if (next < n && busy < s->jobs) {
			unsigned i = next++;

			pids[i] = child();
			if (pids[i] == 0)
				hunt_one(s, &f[i]);
			busy++;
			continue;
		}
		pid = wait(NULL);
		for (unsigned i = 0; i < n && pid > 0; i++)
			if (pids[i] == pid) {
				tell(&f[i]);
				busy--;
			}
	}
	free(pids);
	memcpy(finds, f, n * sizeof(*f));
	for (unsigned i = 0; i < n; i++)
		lost += f[i].scenario == NULL;
	munmap(f, n * sizeof(*f));
	return lost;
}
