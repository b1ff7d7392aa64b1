/* SPDX-License-Identifier: MIT */
/*
 * run.c - see run.h. The listener of accesses, the scheduler of cores, and the end of a run.
 *
 * A run that fails on a core is left there (core_abandon), one that fails in the checks by longjmp: undo_back makes
 * either good. So a broken engine costs no process, and shrinking is as fast as exploring.
 */
#include "bench/explore/run.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/point.h"
#include "base/prng.h"
#include "base/thread.h"
#include "bench/explore/coverage.h"
#include "bench/explore/lifetime.h"
#include "bench/explore/lockorder.h"
#include "bench/explore/order.h"
#include "bench/explore/seen.h"
#include "bench/explore/turn.h"
#include "bench/explore/weak.h"
#include "bench/explore/words.h"
#include "bench/sim/access.h"
#include "bench/sim/core.h"
#include "bench/sim/undo.h"

const long kernel_cpus = 1;              /* base/park never spins before it sleeps                                  */
void (*run_listener)(const struct run_event *e);

static const struct scenario *scenario;
static struct outcome *outcome;
static uint32_t bodies;
static struct undo_mark mark;            /* where each run begins                                                   */
static struct seen states;               /* in which runs have ended and nothing was wrong                          */
static bool running;                     /* the bodies are at work; else: set-up, checks                           */
static struct scene scene_before;
static jmp_buf checks_failed;
static bool checking;

const char *failure_name(enum failure f)
{
	static const char *const name[FAILURES] = {
		"none", "expected", "check", "deadlock", "livelock", "lifetime", "overtaken", "asleep inside", "signal",
		"lock order", "race",
	};

	return name[f];
}

_Noreturn void run_fail(enum failure f, const char *fmt, ...)
{
	va_list args;

	if (outcome == NULL || (!running && !checking)) {        /* a set-up */
		fprintf(stderr, "vmmap-explore: %s: set-up fails: ", scenario ? scenario->name : "");
		va_start(args, fmt);
		vfprintf(stderr, fmt, args);
		va_end(args);
		fputc('\n', stderr);
		_Exit(3);
	}
	outcome->failure = f;
	va_start(args, fmt);
	vsnprintf(outcome->text, sizeof(outcome->text), fmt, args);
	va_end(args);
	turn_failed();
	if (core_current->number != CORE_MAIN)
		core_abandon();
	longjmp(checks_failed, 1);
}

_Noreturn void __wrap_assert_failed(const char *what, const char *file, int line, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
_Noreturn void __wrap_assert_failed(const char *what, const char *file, int line, const char *fmt, ...)
{
	char why[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	run_fail(FAIL_CHECK, "%s:%d: check failed: %s%s%s", file, line, what, why[0] ? ": " : "", why);
}

static void on_signal(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (outcome == NULL || (!running && !checking)) {
		signal(number, SIG_DFL);
		raise(number);
	}
	outcome->failure = FAIL_SIGNAL;
	turn_failed();
	snprintf(outcome->text, sizeof(outcome->text), "%s", strsignal(number));
	longjmp(checks_failed, 1);
}

/* ---- accesses ---- */

static uint64_t value_at(uintptr_t at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, (const void *)at, bytes < 8 ? bytes : 8);
	return value;
}

static ALWAYS_INLINE void note(struct word *w, uint32_t self, bool writes)
{
	uint8_t bit = (uint8_t)(1u << self);

	if (w->run != words_run) {
		w->run = words_run;
		w->cores = w->writers = 0;
		if (unlikely(w->number == 0))
			word_first_touch(w);
	}
	w->cores |= bit;
	if (writes)
		w->writers |= bit;
	if (w->conflict) {
		order_note(w, self, writes);
		return;
	}
	w->ever_cores |= bit;
	if (writes)
		w->ever_writers |= bit;
	if (unlikely(w->ever_writers != 0 && (w->ever_cores & (w->ever_cores - 1)) != 0)) {
		w->conflict = true;
		order_learned();
		order_note(w, self, writes);
	}
}

static bool conflicts(const struct word *first, const struct word *last)
{
	for (; first <= last; first++)
		if (first->conflict)
			return true;
	return false;
}

/* Of set-ups and checks, on CORE_MAIN: the engine's stores are undone, those to the stack are not. */
static void before_in_main(const struct access *a)
{
	if (a->op != ACCESS_LOAD && undo_word(a->at) != UNDO_NOWHERE)
		undo_store(a->at, a->bytes);
}

static uint64_t value_before;            /* of the atomic access under way                                         */

static void before(const struct access *a)
{
	struct word *w = word_of(a->at), *last;
	uint32_t self = core_current->number;
	bool writes = a->op != ACCESS_LOAD, point;

	if (core_on_stack(core_current, a->at) || w == NULL || w->ignored)
		return;
	last = w + ((a->at & 7) + a->bytes - 1) / 8;
	point = likely(w == last) ? w->conflict : conflicts(w, last);
	turn_point(point);
	for (; w <= last; w++) {
		if (unlikely(w->freed_in == words_run))
			run_fail(FAIL_LIFETIME, "core %u touches freed memory at %#lx, from %p", self,
				 (unsigned long)a->at, a->pc);
		note(w, self, writes);
	}
	if (writes) {
		undo_store(a->at, a->bytes);
		if (!a->atomic)
			turn_changed(self);
	}
	if (unlikely(weak_on()))
		weak_before(a, self);
	if (likely(run_listener == NULL))
		return;
	value_before = value_at(a->at, a->bytes);
	if (!a->atomic)
		run_listener(&(struct run_event){
			writes ? EVENT_STORE : EVENT_LOAD, self, 0, false, point, false, a->order, a->at, a->bytes,
			a->pc, value_before, value_before });
}

static void after(const struct access *a, uint64_t seen, uint64_t stored)
{
	uint32_t self = core_current->number;

	if (core_on_stack(core_current, a->at)) {
		if (weak_on())                   /* a record that lies there, and that others write to            */
			weak_after(a, self, stored);
		return;
	}
	if (undo_word(a->at) == UNDO_NOWHERE)
		return;
	if (unlikely(coverage_on()))
		coverage_note(a->at, a->pc, seen);
	if (unlikely(weak_on()))
		weak_after(a, self, stored);
	if (a->op != ACCESS_LOAD && seen != stored)
		turn_changed(self);
	if (unlikely(run_listener != NULL))
		run_listener(&(struct run_event){
			a->op == ACCESS_LOAD ? EVENT_LOAD : a->op == ACCESS_STORE ? EVENT_STORE : EVENT_RMW, self, 0,
			true, word_of(a->at)->conflict, false, a->order, a->at, a->bytes, a->pc, seen, stored });
}

/* ---- what cores ask of the kernel ---- */

static void event(int what, uint32_t core, uint32_t to, const void *at)
{
	if (run_listener != NULL)
		run_listener(&(struct run_event){ .what = what, .core = core, .to = to, .at = (uintptr_t)at,
						  .conflict = true });
}

static void call(enum core_call what, struct core *about, const void *at)
{
	uint32_t self = core_current->number;

	if (self >= RUN_CORES)
		return;
	/* After the bodies, too: the engine's thread goes on from where they left it while the checks wait for it. */
	if (what == CORE_CALL_SECTION_BEGIN || what == CORE_CALL_SECTION_END || what == CORE_CALL_LOST)
		lifetime_section(what == CORE_CALL_LOST ? about->number : self, what == CORE_CALL_SECTION_BEGIN);
	if (!running)
		return;
	switch (what) {
	case CORE_CALL_WAIT:
		if (thread_current != NULL && thread_current->rcu_nest != 0 && !core_current->forks)
			run_fail(FAIL_ASLEEP_INSIDE, "core %u sleeps inside a read section", self);
		lockorder_waits(self);
		turn_point(true);
		note(word_of((uintptr_t)at), self, false);
		event(EVENT_WAIT, self, 0, at);
		break;
	case CORE_CALL_WAKE:
		turn_point(true);
		note(word_of((uintptr_t)at), self, true);
		event(EVENT_WAKE, self, 0, at);
		break;
	case CORE_CALL_WOKEN:
		turn_changed(RUN_CORES);
		event(EVENT_WOKEN, self, about->number, at);
		break;
	case CORE_CALL_YIELD:
	case CORE_CALL_NAP:
		lockorder_waits(self);
		break;
	case CORE_CALL_BARRIER:
		turn_point(weak_on());           /* without it, others see the store before at once                  */
		break;
	default:
		break;
	}
	if (weak_on())
		weak_call(what, self, about->number);
}

/* ---- one run ---- */

static const struct core_scheduler scheduler = { .next = turn_next, .now = turn_now, .call = call };
static const struct access_listener listener_strong = { .before = before, .after = after };
static const struct access_listener listener_weak = { .before = before, .after = after, .load = weak_load };
static const struct access_listener listener_in_main = { .before = before_in_main, .deaf_to_loads = true };

void run_begin(void)
{
	static char stack[65536];

	undo_begin();
	words_begin();
	core_begin(SCENARIO_CORES);
	CHECK(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof(stack) }, NULL) == 0);
	for (unsigned i = 0; i < 3; i++)
		sigaction((const int[]){ SIGSEGV, SIGBUS, SIGFPE }[i],
			  &(struct sigaction){ .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER }, NULL);
}

static void deadlock(struct outcome *out)
{
	int at = snprintf(out->text, sizeof(out->text), "asleep, and nobody to wake them:");

	out->failure = FAIL_DEADLOCK;
	for (uint32_t i = 0; i < bodies && at < (int)sizeof(out->text); i++)
		if (core_at(i)->state != CORE_IDLE)
			at += snprintf(out->text + at, sizeof(out->text) - (size_t)at, " core %u", i);
}

static void body(void *arg)
{
	((void (*)(void))arg)();
}

void run_prepare(const struct scenario *s, const char *policy, const char *mutant)
{
	scenario = s;
	bodies = scenario_bodies(s);
	core_scheduler = &scheduler;
	scenario_prepare(s, policy);
	CHECK(point_mutant_select(mutant) == 0);
	undo_take(&mark);
	words_next_run();
	order_begin();
	lifetime_save();
	lockorder_save();
	scene_before = scene;
}

static void restore(void)
{
	access_listener = NULL;
	running = checking = false;
	turn_running(false);
	undo_back(&mark);
	words_next_run();
	lifetime_restore();
	lockorder_restore();
	scene = scene_before;
}

/* All that the checks look at. */
static uint64_t state(void)
{
	uint64_t sum = undo_sum(&mark);

	for (size_t at = 0; at < sizeof(scene); at += 8)
		sum = prng_mix(sum ^ value_at((uintptr_t)&scene + at, sizeof(scene) - at));
	return sum;
}

/* What they have found good once they find good again. */
static void check(const struct chooser *c)
{
	uint64_t now = state();

	if (!c->again && seen_has(&states, now))
		return;
	checking = true;
	outcome->checked = true;
	outcome->overtakes = scenario_check(scenario);
	seen_add(&states, now);
}

/* All bodies have ended, or none can go on. */
static void look_back(const struct chooser *c, struct outcome *out, bool stuck)
{
	access_listener = &listener_in_main;
	if (stuck && out->failure == FAIL_NONE)
		deadlock(out);
	if (order_hash(&out->order))
		out->fresh = order_is_new(out->order);
	if (out->failure == FAIL_NONE)
		check(c);
}

void run_once(const struct chooser *c, struct outcome *out)
{
	outcome = out;
	out->failure = FAIL_NONE;
	out->fresh = out->checked = false;
	out->text[0] = 0;
	out->overtakes = 0;
	out->points = out->accesses = out->preemptions = 0;
	schedule_clear(&out->schedule);
	turn_begin(c, out, scenario->flags & SCENARIO_TIMERS);
	lifetime_begin();
	if (weak_on())
		weak_begin(c, out);
	order_run();
	if (setjmp(checks_failed) == 0) {
		bool stuck;

		access_listener = weak_on() ? &listener_weak : &listener_strong;
		for (uint32_t i = 0; i < bodies; i++)
			core_give(i, body, (void *)(uintptr_t)scenario->body[i]);
		running = true;
		turn_running(true);
		stuck = core_run() != 0;
		running = false;
		turn_running(false);
		look_back(c, out, stuck);
	}
	for (uint32_t i = 0; i < RUN_CORES; i++)
		out->accesses += turn_accesses(i);
	restore();
	outcome = NULL;
}
