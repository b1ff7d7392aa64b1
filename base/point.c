/* SPDX-License-Identifier: MIT */
/*
 * point.c - scripts, yields and mutants (builds with VMMAP_POINTS).
 *
 * `active` (relaxed) is the only word that an idle point reads. A1 it is set -> A2 a hit sees it: what was done before.
 * While a script runs, everything else is under one mutex: a point in a script is slow, and its lock orders the threads
 * that pass points; so a data race that a script passes may be hidden from ThreadSanitizer by that lock. Races are
 * looked for in runs with yields alone, which take no lock.
 * STOP    armed -> stopped (at) -> fired, by its partner's passing, point_release, point_reset or the time-out. Who
 *         changes anything bumps `changed` under the mutex and wakes all; sleepers look at their condition again.
 * PASSING a role passes a point when it leaves it, stops and calls of that point done.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "base/thread.h"

#ifdef VMMAP_POINTS

#define RULES         64
#define PASSES        512
#define ROLE_CHARS    32
#define STOP_LIMIT_NS UINT64_C(5000000000)
#define MUTANT_NS     UINT64_C(2000000000)

extern struct point_site *__start_vmmap_points[] __attribute__((visibility("hidden")));
extern struct point_site *__stop_vmmap_points[] __attribute__((visibility("hidden")));
extern struct point_mutant *__start_vmmap_mutants[] __attribute__((visibility("hidden")));
extern struct point_mutant *__stop_vmmap_mutants[] __attribute__((visibility("hidden")));

/* The sections exist, and with them the symbols above, even in a program without any point. */
static struct point_site *no_point[0] POINT_LIST("vmmap_points");
static struct point_mutant *no_mutant[0] POINT_LIST("vmmap_mutants");

enum rule_state { RULE_ARMED, RULE_STOPPED, RULE_FIRED };

struct rule {
	char role[ROLE_CHARS], until_role[ROLE_CHARS];   /* "": any thread; "": until release                        */
	const char *at, *until_point;                    /* the sites' own names                                     */
	uint32_t until_n;
	enum rule_state state;
	bool released;
	void (*fn)(void *arg);
	void *arg;
};
struct pass { char role[ROLE_CHARS]; const char *at; uint32_t times; };

static struct park_mutex mutex;
static atomic_u32 active;                /* bit 0: rules or passings wanted; bit 1: yields                           */
static atomic_u32 changed;               /* under mutex; slept on                                                   */
static atomic_u32 mutant_chosen;
static atomic_u32 yield_one_in, yield_sleep_in;
static atomic_u64 yield_seed;
static atomic_u64 timeouts;
static struct rule rules[RULES];         /* under mutex, as all below                                               */
static uint32_t rules_used;
static struct pass passes[PASSES];
static uint32_t passes_used;
static uint32_t generation;              /* point_reset makes sleepers of an older one leave                        */

/* A mutant may have lost what is waited for: with one chosen, 2 s at most. */
static uint64_t patience(uint64_t ns)
{
	return atomic_load_relaxed(&mutant_chosen) && ns > MUTANT_NS ? MUTANT_NS : ns;
}

static const char *known_point(const char *name)
{
	for (struct point_site **s = __start_vmmap_points; s < __stop_vmmap_points; s++)
		if (strcmp((*s)->name, name) == 0)
			return (*s)->name;
	return NULL;
}

static const char *known_or_report(const char *name)
{
	const char *known = known_point(name);

	if (known == NULL) {
		fprintf(stderr, "vmmap: a script names the unknown point '%s'\n", name);
		atomic_add_relaxed(&timeouts, 1);
	}
	return known;
}

static void copy_role(char *to, const char *role)
{
	snprintf(to, ROLE_CHARS, "%s", role ? role : "");
}

/* Under mutex. */
static void tell(void)
{
	atomic_bump(&changed, 1);
	park_wake(&changed, INT32_MAX);
}

/* Drops the mutex while it sleeps until something changed or the deadline. */
static int sleep_for_change(uint64_t deadline_ns)
{
	uint32_t seen = atomic_load_relaxed(&changed);
	int rc;

	park_unlock(&mutex);
	rc = park_stall(&changed, seen, deadline_ns);
	park_stall_lock(&mutex);
	return rc;
}

/* ---- hits ---- */

static struct pass *pass_of(const char *role, const char *at)
{
	for (uint32_t i = 0; i < passes_used; i++)
		if (passes[i].at == at && strcmp(passes[i].role, role) == 0)
			return &passes[i];
	if (passes_used == PASSES)
		return NULL;
	passes[passes_used].at = at;
	passes[passes_used].times = 0;
	copy_role(passes[passes_used].role, role);
	return &passes[passes_used++];
}

static uint32_t times_passed(const char *role, const char *at)
{
	for (uint32_t i = 0; i < passes_used; i++)
		if (passes[i].at == at && strcmp(passes[i].role, role) == 0)
			return passes[i].times;
	return 0;
}

static bool may_go_on(const struct rule *r)
{
	return r->released || (r->until_point != NULL && times_passed(r->until_role, r->until_point) >= r->until_n);
}

/* Under mutex; drops it while it sleeps. */
static void stop_here(struct rule *r)
{
	uint64_t deadline = clock_ns() + patience(STOP_LIMIT_NS);
	uint32_t mine = generation;

	r->state = RULE_STOPPED;
	tell();
	while (mine == generation && !may_go_on(r)) {
		if (sleep_for_change(deadline) != -ETIMEDOUT || mine != generation || may_go_on(r))
			continue;
		fprintf(stderr, "vmmap: script: '%s' waited too long at '%s' for '%s' to pass '%s'\n", r->role, r->at,
			r->until_role, r->until_point ? r->until_point : "(a release)");
		atomic_add_relaxed(&timeouts, 1);
		break;
	}
	if (mine == generation)
		r->state = RULE_FIRED;
}

/* Under mutex; drops it while the test's function runs: that may pass points itself. */
static void call_here(struct rule *r)
{
	void (*fn)(void *arg) = r->fn;
	void *arg = r->arg;

	r->state = RULE_FIRED;
	park_unlock(&mutex);
	fn(arg);
	park_stall_lock(&mutex);
}

static void script_hit(struct thread_slot *self, const char *name)
{
	const char *role = self->point_role ? self->point_role : "";
	struct pass *p;
	uint32_t mine, set;

	park_stall_lock(&mutex);
	mine = generation;
	set = rules_used;                        /* a rule that is set while this hit lasts is for the next one       */
	for (uint32_t i = 0; mine == generation && i < set; i++) {
		struct rule *r = &rules[i];

		if (r->state != RULE_ARMED || strcmp(r->at, name) != 0)
			continue;
		if (r->role[0] != 0 && strcmp(r->role, role) != 0)
			continue;
		if (r->fn != NULL)
			call_here(r);
		else
			stop_here(r);
	}
	if (mine == generation && role[0] != 0) {
		p = pass_of(role, known_point(name));
		if (p != NULL) {
			p->times++;
			tell();
		}
	}
	park_unlock(&mutex);
}

/* Mostly as long as a call takes; one in eight as long as a time slice. */
static void random_sleep(struct prng *random)
{
	uint64_t below = prng_below(random, 8) ? 60000 : 3000000;

	nanosleep(&(struct timespec){ 0, (long)prng_below(random, below) }, NULL);
}

static void random_yield(struct thread_slot *self, uint32_t one_in)
{
	struct prng random = { self->point_random };

	if (self->point_random == 0)
		random = prng_seed(atomic_load_relaxed(&yield_seed), self->number);
	if (prng_below(&random, one_in) == 0) {
		uint32_t sleep_in = atomic_load_relaxed(&yield_sleep_in);

		if (sleep_in != 0 && prng_below(&random, sleep_in) == 0)
			random_sleep(&random);
		else
			sched_yield();
	}
	self->point_random = random.state;
}

void point_hit(struct point_site *site)
{
	struct thread_slot *self = thread_current;
	uint32_t one_in;

	if (likely(atomic_load_relaxed(&active) == 0)) {
		if (unlikely(atomic_load_relaxed(&site->hits) == 0))
			atomic_store_relaxed(&site->hits, 1);
		return;
	}
	atomic_add_relaxed(&site->hits, 1);
	if (self == NULL)
		return;          /* the thread is just coming or going */
	one_in = atomic_load_relaxed(&yield_one_in);
	if (one_in != 0)
		random_yield(self, one_in);
	if ((atomic_load_acquire(&active) & 1) != 0)                            /* A2 -> A1 */
		script_hit(self, site->name);
}

/* ---- the test's side ---- */

bool point_available(void)
{
	return true;
}

int point_mutant_select(const char *name)
{
	bool found = name == NULL;

	for (struct point_mutant **m = __start_vmmap_mutants; m < __stop_vmmap_mutants; m++) {
		bool chosen = name != NULL && strcmp((*m)->name, name) == 0;

		atomic_store_relaxed(&(*m)->on, chosen);
		found |= chosen;
	}
	atomic_store_relaxed(&mutant_chosen, found && name != NULL);
	return found ? 0 : -ENOENT;
}

static void set_active(uint32_t bit, bool on)
{
	if (on)
		atomic_or_acqrel(&active, bit);                                 /* A1 -> A2 */
	else
		atomic_and_acqrel(&active, ~bit);                               /* A1 -> A2 */
}

void point_yield(uint32_t one_in, uint64_t seed)
{
	atomic_store_relaxed(&yield_seed, seed);
	atomic_store_relaxed(&yield_one_in, one_in);
	set_active(2, one_in != 0);
}

void point_doze(uint32_t one_in)
{
	atomic_store_relaxed(&yield_sleep_in, one_in);
}

void point_role(const char *role)
{
	struct thread_slot *self = thread_self();

	self->point_role = role;
	self->point_random = 0;
	if (role != NULL)
		set_active(1, true);
}

static int add_rule(const struct rule *r)
{
	int rc = -ENOSPC;

	park_stall_lock(&mutex);
	if (rules_used < RULES) {
		rules[rules_used++] = *r;
		set_active(1, true);
		rc = 0;
	}
	park_unlock(&mutex);
	return rc;
}

int point_stop_nth(const char *role, const char *at, const char *until_role, const char *until_point, uint32_t n)
{
	struct rule r = { .at = known_or_report(at), .until_n = n };

	if (until_role != NULL)
		r.until_point = known_or_report(until_point);
	if (r.at == NULL || (until_role != NULL && r.until_point == NULL))
		return -ENOENT;
	copy_role(r.role, role);
	copy_role(r.until_role, until_role);
	return add_rule(&r);
}

int point_stop(const char *role, const char *at, const char *until_role, const char *until_point)
{
	return point_stop_nth(role, at, until_role, until_point, 1);
}

int point_call(const char *role, const char *at, void (*fn)(void *arg), void *arg)
{
	struct rule r = { .at = known_or_report(at), .fn = fn, .arg = arg };

	if (r.at == NULL)
		return -ENOENT;
	copy_role(r.role, role);
	return add_rule(&r);
}

static bool reached(const char *role, const char *at)
{
	for (uint32_t i = 0; i < rules_used; i++)
		if (rules[i].state == RULE_STOPPED && rules[i].at == at && strcmp(rules[i].role, role) == 0)
			return true;
	return times_passed(role, at) != 0;
}

bool point_wait_reached(const char *role, const char *at, uint64_t timeout_ns)
{
	const char *known = known_or_report(at);
	uint64_t deadline = clock_ns() + patience(timeout_ns);
	bool yes;

	if (known == NULL)
		return false;
	set_active(1, true);
	park_stall_lock(&mutex);
	for (;;) {
		yes = reached(role, known);
		if (yes || sleep_for_change(deadline) == -ETIMEDOUT)
			break;
	}
	yes = yes || reached(role, known);
	park_unlock(&mutex);
	return yes;
}

void point_release(const char *role, const char *at)
{
	const char *known = known_or_report(at);

	park_stall_lock(&mutex);
	for (uint32_t i = 0; known != NULL && i < rules_used; i++)
		if (rules[i].at == known && rules[i].fn == NULL && strcmp(rules[i].role, role ? role : "") == 0)
			rules[i].released = true;
	tell();
	park_unlock(&mutex);
}

void point_reset(void)
{
	park_stall_lock(&mutex);
	generation++;
	rules_used = 0;
	passes_used = 0;
	set_active(1, false);
	for (struct point_site **s = __start_vmmap_points; s < __stop_vmmap_points; s++)
		atomic_store_relaxed(&(*s)->hits, 0);
	tell();
	park_unlock(&mutex);
	point_yield(0, 0);
	point_doze(0);
	(void)point_mutant_select(NULL);
	atomic_store_relaxed(&timeouts, 0);
}

uint64_t point_timeouts(void)
{
	return atomic_load_relaxed(&timeouts);
}

void point_fork_prepare(void)
{
	park_stall_lock(&mutex);
}

void point_fork_done(void)
{
	park_unlock(&mutex);
}

uint64_t point_hits(const char *name)
{
	uint64_t sum = 0;

	for (struct point_site **s = __start_vmmap_points; s < __stop_vmmap_points; s++)
		if (strcmp((*s)->name, name) == 0)
			sum += atomic_load_relaxed(&(*s)->hits);
	return known_point(name) ? sum : UINT64_MAX;
}

void point_list(FILE *out)
{
	for (struct point_site **s = __start_vmmap_points; s < __stop_vmmap_points; s++)
		fprintf(out, "point %s %s:%d %llu\n", (*s)->name, (*s)->file, (*s)->line,
			(unsigned long long)atomic_load_relaxed(&(*s)->hits));
	for (struct point_mutant **m = __start_vmmap_mutants; m < __stop_vmmap_mutants; m++)
		fprintf(out, "mutant %s %s:%d %u\n", (*m)->name, (*m)->file, (*m)->line,
			(unsigned)atomic_load_relaxed(&(*m)->on));
}

#endif
