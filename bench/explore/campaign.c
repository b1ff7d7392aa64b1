/* SPDX-License-Identifier: MIT */
/* campaign.c - see campaign.h: exploring, and what hunting (campaign_hunt.c) shares with it. */
#include "bench/explore/campaign_in.h"

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
#include "bench/explore/shrink.h"
#include "bench/sim/kernel.h"

#define STALE_RUNS  4000                 /* this many in a row, and not one order in 500 new: nothing more comes    */
#define STALE_ONE_IN 500
#define CLOCK_RUNS  8                    /* how often the time is looked at                                        */
#define VAIN_RUNS   500                  /* the same: this many in a row, and not one new,                          */
#define VAIN_EACH   10                   /* and so many more for each that it has shown                             */
#define RUN_WORK    1000                 /* what a run costs beside its accesses, in accesses                       */
#define CHECK_WORK  5000                 /* ... and a look at what it has left                                      */
#define FIRST_SHARE 100                  /* distinct schedules of each scenario in the first round                 */
#define FIRST_WORK  2000000
#define ASKED_PART  4                    /* who yields less than one in so many of the mean is left out of a round   */

void *campaign_shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

struct outcome *campaign_outcome(void)
{
	struct outcome *out = calloc(1, sizeof(*out));

	CHECK(out != NULL);
	return out;
}

pid_t campaign_child(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)setpgid(0, 0);                     /* a group that nobody waits for is hung up while one stops */
		if (freopen("/dev/null", "w", stderr) == NULL)   /* the engine's own reports: of each failing run   */
			_exit(4);
	}
	return pid;
}

bool campaign_shrunk(struct outcome *out, char text[FOUND_TEXT])
{
	struct schedule *schedule = calloc(1, sizeof(*schedule));
	struct outcome *again = campaign_outcome();
	bool same;

	CHECK(schedule != NULL);
	shrink(out);
	same = schedule_print(&out->schedule, text, FOUND_TEXT) < FOUND_TEXT && schedule_parse(schedule, text);
	if (same)
		strategy_replay(schedule, again);
	same = same && again->failure == out->failure;
	free(schedule);
	free(again);
	return same;
}

/* ---- exploring ---- */

static void failed(struct report *r, struct outcome *out)
{
	r->again = campaign_shrunk(out, r->schedule);
	r->failure = out->failure;
	r->preemptions = out->preemptions;
	memcpy(r->text, out->text, sizeof(r->text));
}

static void explore_more(const struct settings *s, struct report *r, struct strategy *strategy, struct outcome *out)
{
	static uint64_t fresh_before;

	while (!r->over && r->distinct < r->quota && r->work < r->limit) {
		if (!strategy_step(strategy, out)) {
			r->over = true;
			return;
		}
		r->runs++;
		r->accesses += out->accesses;
		r->work += out->accesses + RUN_WORK + (out->checked ? CHECK_WORK : 0);
		r->distinct += out->fresh;
		if (out->overtakes > r->max_overtakes)
			r->max_overtakes = out->overtakes;
		r->vain = out->fresh ? 0 : r->vain + 1;
		if (out->failure != FAIL_NONE) {
			failed(r, out);
			r->over = true;
		}
		r->over |= r->vain >= VAIN_RUNS + VAIN_EACH * r->distinct;
		if (r->runs % CLOCK_RUNS == 0 && kernel_real_ns() > s->until_ns)
			r->over = true;
		if (r->runs % STALE_RUNS == 0) {
			r->over |= r->distinct - fresh_before < STALE_RUNS / STALE_ONE_IN;
			fresh_before = r->distinct;
		}
	}
}

static _Noreturn void explore_one(const struct settings *s, struct report *r)
{
	struct strategy *strategy = strategy_new(s->strategy, scenario_bodies(r->scenario), s->seed, s->everywhere);
	struct outcome *out = campaign_outcome();

	run_prepare(r->scenario, s->policy, s->mutant);
	if (s->coverage)
		coverage_use(&r->coverage);
	for (;;) {
		explore_more(s, r, strategy, out);
		r->cpu_ns = kernel_cpu_ns();
		if (r->over)
			_exit(0);
		raise(SIGSTOP);
	}
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

			if (r[i].over || r[i].limit == r[i].work)
				continue;
			if (pids[i] != 0) {
				kill(pids[i], SIGCONT);
			} else {
				pids[i] = campaign_child();
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

/* What it showed for its work; of one that has not begun, and of one that showed nothing, a little. */
static double yield(const struct report *r)
{
	return ((double)r->last_distinct + 0.5) / ((double)r->last_work + 1.0);
}

/* The least that one has to yield to be asked: as the others have nothing new any more, it falls. */
static double yield_asked(const struct report *r, unsigned n)
{
	double distinct = 0, work = 1;

	for (unsigned i = 0; i < n; i++) {
		distinct += r[i].over ? 0 : (double)r[i].last_distinct;
		work += r[i].over ? 0 : (double)r[i].last_work;
	}
	return distinct / work / ASKED_PART;
}

/* Everybody's share of a round of `all` distinct schedules: work is given out as it yields. */
static void share_out(struct report *r, unsigned n, uint64_t all, bool first)
{
	double sum = 0, least = yield_asked(r, n);

	for (unsigned i = 0; i < n; i++)
		sum += r[i].over || yield(&r[i]) < least ? 0 : yield(&r[i]) * yield(&r[i]);
	for (unsigned i = 0; i < n; i++) {
		double part = sum > 0 ? yield(&r[i]) * yield(&r[i]) / sum * (double)all : 0;

		r[i].quota = r[i].distinct + (first ? (all + n - 1) / n : (uint64_t)part + 1);
		r[i].limit = r[i].work;
		if (yield(&r[i]) >= least)
			r[i].limit += first ? FIRST_WORK : 2 * (uint64_t)(part / yield(&r[i])) + FIRST_WORK / 20;
	}
}

static void round_over(struct report *r, unsigned n, const struct report *before)
{
	for (unsigned i = 0; i < n; i++) {
		if (r[i].work == before[i].work)
			continue;
		r[i].last_work = r[i].work - before[i].work;
		r[i].last_distinct = r[i].distinct - before[i].distinct;
	}
}

static unsigned end_all(struct report *r, unsigned n, const pid_t *pids)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!r[i].over && pids[i] != 0) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
		bad += r[i].failure != FAIL_NONE;
	}
	return bad;
}

unsigned campaign_explore(const struct settings *s, const struct scenario *const *scenarios, unsigned n,
			  struct report **reports)
{
	struct report *r = campaign_shared(n * sizeof(*r)), *before = calloc(n, sizeof(*before));
	pid_t *pids = calloc(n, sizeof(*pids));
	unsigned bad, alive = n;
	uint64_t distinct = 0, all = (uint64_t)n * FIRST_SHARE;

	CHECK(pids != NULL && before != NULL);
	for (unsigned i = 0; i < n; i++)
		r[i].scenario = scenarios[i];
	for (bool first = true; alive > 0 && distinct < s->schedules && kernel_real_ns() < s->until_ns; first = false) {
		share_out(r, n, all < s->schedules - distinct ? all : s->schedules - distinct, first);
		memcpy(before, r, n * sizeof(*r));
		round_of(s, r, pids, n);
		round_over(r, n, before);
		alive = 0;
		distinct = 0;
		for (unsigned i = 0; i < n; i++) {
			alive += !r[i].over;
			distinct += r[i].distinct;
		}
		all = distinct;
	}
	if (s->progress)
		fputc('\n', stderr);
	bad = end_all(r, n, pids);
	free(before);
	free(pids);
	*reports = r;
	return bad;
}
