/* SPDX-License-Identifier: MIT */
/* campaign_hunt.c - the second half of campaign.h: mutants and weakened uses of atomics are looked for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/point.h"
#include "bench/explore/campaign_in.h"
#include "bench/explore/guide.h"
#include "bench/explore/text.h"
#include "bench/explore/weak.h"
#include "bench/explore/weaken.h"
#include "bench/sim/kernel.h"

#define GUIDE_PART 4                     /* of the runs: with many places weakened                                  */

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

const char *campaign_mutant_find(const char *name)
{
	for (unsigned i = 0; campaign_mutant(i) != NULL; i++)
		if (strcmp(campaign_mutant(i), name) == 0)
			return campaign_mutant(i);
	return NULL;
}

enum hunted { HUNTED_FOUND, HUNTED_IN_VAIN };
static uint8_t (*guide)[MUTANTS_MAX];    /* what each scenario says of each find; NULL: not asked                   */

/* In a child of its own: looks for it in this scenario. */
static _Noreturn void hunt_here(const struct settings *s, struct find *f, const struct scenario *scenario)
{
	struct strategy *strategy = strategy_new(f->strategy, scenario_bodies(scenario), f->seed, s->everywhere);
	struct outcome *out = campaign_outcome();

	if (f->place != NULL)
		CHECK(weaken_set(weaken_add(f->place), f->order));
	if (f->weak)
		weak_use();
	run_prepare(scenario, s->policy, f->mutant);
	f->runs = 0;
	do {
		if (!strategy_step(strategy, out))
			break;
		f->runs++;
		if (out->failure == FAIL_NONE || (!s->again && !campaign_shrunk(out, f->schedule)))
			continue;
		f->failure = out->failure;
		memcpy(f->text, out->text, sizeof(f->text));
		_exit(HUNTED_FOUND);
	} while (f->runs < s->schedules && kernel_real_ns() < s->until_ns);
	_exit(HUNTED_IN_VAIN);
}

static bool hunt_in(const struct settings *s, struct find *f, const struct scenario *scenario)
{
	int status;
	pid_t pid = campaign_child();

	if (pid == 0)
		hunt_here(s, f, scenario);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	f->all_runs += f->runs;
	return WIFEXITED(status) && WEXITSTATUS(status) == HUNTED_FOUND;
}

static bool is_wanted(const struct settings *s, const struct scenario *scenario)
{
	unsigned i = 0;

	if (s->only == NULL)
		return true;
	while (s->only[i] != NULL && s->only[i] != scenario)
		i++;
	return s->only[i] != NULL;
}

/* All scenarios are asked about all places, each in a child. */
static void ask_all(const struct settings *s, const struct find *finds, unsigned n)
{
	unsigned next = 0, busy = 0;

	CHECK(n <= MUTANTS_MAX);
	guide = campaign_shared(SCENARIOS_MAX * sizeof(*guide));
	while (scenario_at(next) != NULL || busy > 0) {
		if (scenario_at(next) != NULL && !is_wanted(s, scenario_at(next))) {
			next++;
		} else if (scenario_at(next) != NULL && busy < s->jobs) {
			if (campaign_child() == 0) {
				guide_scenario(s, scenario_at(next), finds, n, s->schedules / GUIDE_PART + 1,
					       guide[next]);
				_exit(0);
			}
			next++;
			busy++;
		} else if (wait(NULL) > 0) {
			busy--;
		}
		if (s->progress)
			fprintf(stderr, "\r%u scenarios asked ", next);
	}
}

/* Is it looked for in this scenario, in this of two turns? */
static bool turn_for(const struct settings *s, const struct find *f, const struct scenario *only,
		     const struct scenario *scenario, int turn, enum guide says)
{
	if (only != NULL)
		return only == scenario && turn == 1;
	if (f->place != NULL)
		return says == GUIDE_FAILED && turn == 1;
	if (f->mutant != NULL)
		return text_has_word(scenario->mutants, f->mutant) == (turn == 0) && (turn == 0 || !s->named);
	return true;
}

static _Noreturn void hunt_one(const struct settings *s, struct find *f, unsigned number)
{
	const struct scenario *only = f->scenario;
	const struct scenario *scenario;

	f->scenario = NULL;
	for (int turn = 0; turn < 2; turn++)
		for (unsigned i = 0; (scenario = scenario_at(i)) != NULL; i++) {
			enum guide says = guide != NULL ? (enum guide)guide[i][number] : GUIDE_ELSEWHERE;

			f->reached += turn == 0 && says != GUIDE_ELSEWHERE;
			if (!is_wanted(s, scenario) || !turn_for(s, f, only, scenario, turn, says) ||
			    !hunt_in(s, f, scenario))
				continue;
			f->scenario = scenario;
			_exit(0);
		}
	_exit(0);
}

unsigned campaign_hunt(const struct settings *s, struct find *finds, unsigned n, void (*tell)(const struct find *f))
{
	struct find *f = campaign_shared(n * sizeof(*f));
	pid_t *pids = calloc(n, sizeof(*pids)), pid;
	unsigned next = 0, busy = 0, lost = 0;

	CHECK(pids != NULL);
	memcpy(f, finds, n * sizeof(*f));
	if (n > 0 && f[0].place != NULL && f[0].scenario == NULL)
		ask_all(s, f, n);
	while (next < n || busy > 0) {
		if (next < n && busy < s->jobs) {
			unsigned i = next++;

			pids[i] = campaign_child();
			if (pids[i] == 0)
				hunt_one(s, &f[i], i);
			busy++;
			continue;
		}
		pid = wait(NULL);
		for (unsigned i = 0; i < n && pid > 0; i++)
			if (pids[i] == pid) {
				if (tell != NULL)
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
