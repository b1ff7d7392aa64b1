/* SPDX-License-Identifier: MIT */
/* test_physmem_notify.c - who is told when memory comes and goes: their order, vetoes, one end for each beginning. */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "tests/unit/phys/hotplug_fixture.h"

#define LISTENERS 4u

struct ear {
	struct physmem_listener l;
	enum physmem_event vetoes;
	unsigned told[6], last;
	bool open[2];                            /* a GOING without its end: online, offline                       */
};

static unsigned calls;
static struct ear late_ear;

static int hear(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	struct ear *e = (struct ear *)l;
	bool *open = &e->open[event >= PHYSMEM_GOING_OFFLINE], begins = event % 3 == 0;

	assert_int_equal(pfn, 512);
	assert_int_equal(pages, 512);
	assert_true(*open == !begins || e == &late_ear);
	*open = begins;
	e->told[event]++;
	e->last = ++calls;
	return begins && e->vetoes == event ? -EPERM : 0;
}

static void listeners_are_told(void **state)
{
	static const int priority[LISTENERS] = { 5, 20, 5, -3 };
	static const unsigned place[LISTENERS] = { 2, 1, 3, 4 };
	struct ear ear[LISTENERS];
	struct physmem *pm = two_segments();

	(void)state;
	for (unsigned i = 0; i < LISTENERS; i++) {
		ear[i] = (struct ear){ .l = { .fn = hear, .priority = priority[i] }, .vetoes = PHYSMEM_ONLINE };
		assert_int_equal(physmem_listen(pm, &ear[i].l), 0);
		assert_int_equal(physmem_listen(pm, &ear[i].l), -EEXIST);
	}
	assert_int_equal(physmem_listen(pm, &(struct physmem_listener){ .fn = NULL }), -EINVAL);
	calls = 0;
	assert_int_equal(unplug(pm, 512, 512), 0);
	for (unsigned i = 0; i < LISTENERS; i++) {
		assert_int_equal(ear[i].last, LISTENERS + place[i]);
		assert_int_equal(ear[i].told[PHYSMEM_OFFLINE], 1);
	}
	assert_int_equal(physmem_plug(pm, 512, 512, 0), 0);
	/* A veto of each: those that were told are told that it is off. */
	for (unsigned who = 0; who < LISTENERS; who++) {
		unsigned online = ear[3].told[PHYSMEM_GOING_ONLINE], offline = ear[3].told[PHYSMEM_GOING_OFFLINE];

		ear[who].vetoes = PHYSMEM_GOING_OFFLINE;
		assert_int_equal(fails(pm, 512, 512, NULL, -EPERM).reason, PHYSMEM_REASON_VETO);
		assert_int_equal(ear[3].told[PHYSMEM_GOING_OFFLINE], offline + (who == 3));
		ear[who].vetoes = PHYSMEM_GOING_ONLINE;
		assert_int_equal(unplug(pm, 512, 512), 0);
		assert_int_equal(physmem_plug(pm, 512, 512, 0), -EPERM);
		assert_int_equal(ear[3].told[PHYSMEM_GOING_ONLINE], online + (who == 3));
		ear[who].vetoes = PHYSMEM_ONLINE;
		assert_int_equal(physmem_plug(pm, 512, 512, 0), 0);
		for (unsigned i = 0; i < LISTENERS; i++)
			assert_false(ear[i].open[0] || ear[i].open[1]);
	}
	assert_int_equal(physmem_plug(pm, 512, 512, 0), -EEXIST);        /* begun, and cancelled */
	for (unsigned i = 0; i < LISTENERS; i++) {
		assert_false(ear[i].open[0]);
		assert_int_equal(ear[i].told[PHYSMEM_GOING_ONLINE],
				 ear[i].told[PHYSMEM_ONLINE] + ear[i].told[PHYSMEM_CANCEL_ONLINE]);
		physmem_unlisten(pm, &ear[i].l);
		physmem_unlisten(pm, &ear[i].l);
	}
	calls = 0;
	assert_int_equal(unplug(pm, 512, 512), 0);
	assert_int_equal(calls, 0);
	assert_clean(pm);
	physmem_destroy(pm);
}

static int listen_late(void *arg)
{
	struct asked *a = arg;

	assert_int_equal(physmem_listen(a->pm, &late_ear.l), 0);
	assert_int_equal(physmem_frame_free(a->pm, a->pfn), 0);
	return 0;
}

/* Who has begun to listen in between is told of no end without a beginning. */
static unsigned late_calls(void)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem *pm = two_segments();
	struct physmem_run run;
	struct asked asked = { .pm = pm };

	late_ear = (struct ear){ .l = { .fn = hear } };
	do
		assert_int_equal(physmem_run_alloc(pm, 0, &run), 0);
	while (run.pfn != 512 + 17);
	asked.pfn = run.pfn;
	for (uint64_t pfn = 0; pfn < 1024; pfn++)
		if (pfn != run.pfn)
			(void)!physmem_frame_free(pm, pfn);
	how.mode = PHYSMEM_UNPLUG_WAIT;
	how.cancelled = listen_late;
	how.arg = &asked;
	calls = 0;
	assert_int_equal(physmem_unplug(pm, 512, 512, &how, NULL), 0);
	physmem_unlisten(pm, &late_ear.l);
	assert_clean(pm);
	physmem_destroy(pm);
	return calls;
}

static void late_listeners_hear_no_end(void **state)
{
	(void)state;
	assert_int_equal(late_calls(), 0);
	if (!point_available())
		skip();
	assert_int_equal(point_mutant_select("notify_ends_only"), 0);
	assert_int_equal(late_calls(), 1);
	point_mutant_select(NULL);
}

/* ---- beside others: what follows is done by another thread, while a listener is called ---- */

static struct physmem *machine;
static struct physmem_listener first, second;
static struct { unsigned begins, ends; } heard[2];
static pthread_t other;
static atomic_u32 other_done;
static bool there;                               /* `other` has been begun                                         */
static void (*meanwhile)(void);                  /* what it does                                                   */
static enum physmem_event at, vetoed;

static void *do_meanwhile(void *arg)
{
	(void)arg;
	(void)thread_self();
	meanwhile();
	atomic_store_release(&other_done, 1);
	return NULL;
}

/* Returns when the other thread sleeps, or has ended: true. */
static bool beside(void)
{
	uint64_t before = park_blocked_total();

	there = true;
	atomic_store_relaxed(&other_done, 0);
	assert_int_equal(pthread_create(&other, NULL, do_meanwhile, NULL), 0);
	while (atomic_load_acquire(&other_done) == 0 && park_blocked_total() == before)
		sched_yield();
	return atomic_load_acquire(&other_done) != 0;
}

static bool was_done;

static int hear_beside(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	unsigned i = l == &second;

	if (pfn != 512)
		return 0;
	assert_int_equal(pages, 512);
	heard[i].begins += event % 3 == 0;
	heard[i].ends += event % 3 != 0;
	if (!there && i == 0 && event == at)
		was_done = beside();
	return i == 0 && event == vetoed ? -EPERM : 0;
}

/* An unplug of [512, 1024), of which `first` is told; at `event` fn begins. */
static int unplug_beside(enum physmem_event event, enum physmem_event veto, void (*fn)(void))
{
	int err;

	at = event;
	vetoed = veto;
	meanwhile = fn;
	there = was_done = false;
	memset(heard, 0, sizeof(heard));
	err = unplug(machine, 512, 512);
	assert_true(there);
	pthread_join(other, NULL);
	return err;
}

static void start(void)
{
	machine = two_segments();
	first = (struct physmem_listener){ .fn = hear_beside, .priority = 20 };
	second = (struct physmem_listener){ .fn = hear_beside, .priority = 10 };
	assert_int_equal(physmem_listen(machine, &first), 0);
}

static void end(void)
{
	assert_clean(machine);
	physmem_destroy(machine);
}

static atomic_u32 go_on;

/* It sleeps until the other's memory is gone and back; were it the lock's holder meanwhile, that would not come. */
static int sleeps(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	uint64_t until = clock_ns() + UINT64_C(10000000000);

	(void)l;
	(void)pages;
	if (pfn != 512 || event != at)
		return 0;
	atomic_store_relaxed(&other_done, 0);
	assert_int_equal(pthread_create(&other, NULL, do_meanwhile, NULL), 0);
	while (atomic_load_acquire(&other_done) == 0 && clock_ns() < until)
		(void)park_wait(&go_on, 0, clock_ns() + 1000000);
	was_done = atomic_load_acquire(&other_done) != 0;
	return 0;
}

static void go_and_come(void)
{
	assert_int_equal(unplug(machine, 4096, 1000), 0);
	assert_int_equal(physmem_plug(machine, 4096, 1000, 0), 0);
}

/* Two unplugs of disjoint ranges overlap, also while a listener of one sleeps. */
static void a_listener_sleeps(void **state)
{
	(void)state;
	start();
	first.fn = sleeps;
	meanwhile = go_and_come;
	for (at = PHYSMEM_GOING_ONLINE; at <= PHYSMEM_OFFLINE; at++) {
		if (at == PHYSMEM_CANCEL_ONLINE)
			continue;
		was_done = false;
		assert_int_equal(unplug(machine, 512, 512), 0);
		assert_int_equal(physmem_plug(machine, 512, 512, 0), 0);
		assert_true(was_done);
		pthread_join(other, NULL);
	}
	end();
}

static void leave_first(void) { physmem_unlisten(machine, &first); }

/* Who does not listen any more is not being called. Returns whether that was said too early. */
static bool leaves_early(const char *mutant)
{
	start();
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(unplug_beside(PHYSMEM_GOING_OFFLINE, PHYSMEM_ONLINE, leave_first), 0);
	point_mutant_select(NULL);
	assert_int_equal(heard[0].begins, 1);
	assert_int_equal(heard[0].ends, 0);
	assert_int_equal(physmem_listen(machine, &first), 0);
	physmem_unlisten(machine, &first);
	end();
	return was_done;
}

static void who_leaves_is_not_called(void **state)
{
	(void)state;
	assert_false(leaves_early(NULL));
	if (point_available())
		assert_true(leaves_early("notify_leaves_early"));
}

static void second_comes(void) { assert_int_equal(physmem_listen(machine, &second), 0); }

/* Who comes in the middle of a beginning is told neither of that nor of its end. */
static unsigned told_second(const char *mutant)
{
	start();
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(unplug_beside(PHYSMEM_GOING_OFFLINE, PHYSMEM_ONLINE, second_comes), 0);
	point_mutant_select(NULL);
	assert_true(was_done && heard[0].begins == 1 && heard[0].ends == 1);
	assert_int_equal(heard[1].ends, 0);
	assert_int_equal(physmem_plug(machine, 512, 512, 0), 0);
	assert_int_equal(heard[1].ends, 1);
	end();
	return heard[1].begins;
}

static void who_comes_late_hears_no_beginning(void **state)
{
	(void)state;
	assert_int_equal(told_second(NULL), 1);
	if (point_available())
		assert_int_equal(told_second("notify_begins_only"), 2);
}

static struct physmem_listener zero;             /* in front of the first                                          */

static int hear_zero(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	(void)l;
	(void)pfn;
	(void)pages;
	calls += event == PHYSMEM_GOING_OFFLINE ? 1 : 100;
	return 0;
}

static void leave_zero(void) { physmem_unlisten(machine, &zero); }

/* Of a veto: one in front of it that has left meanwhile is told no more; who said it is, even if it wants to leave; and
 * nobody behind it. */
static void a_veto_and_who_leaves(void **state)
{
	void (*const leave[])(void) = { leave_zero, leave_first };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start();
		calls = 0;
		zero = (struct physmem_listener){ .fn = hear_zero, .priority = 30 };
		assert_int_equal(physmem_listen(machine, &zero), 0);
		second_comes();
		assert_int_equal(unplug_beside(PHYSMEM_GOING_OFFLINE, PHYSMEM_GOING_OFFLINE, leave[i]), -EPERM);
		assert_int_equal(was_done, i == 0);
		assert_int_equal(calls, i == 0 ? 1 : 101);
		assert_true(heard[0].begins == 1 && heard[0].ends == 1);
		assert_true(heard[1].begins == 0 && heard[1].ends == 0);
		end();
	}
}

/* ---- many at once ---- */

#define GUESTS 3u

static struct guest { struct physmem_listener l; atomic_u32 out; atomic_u64 begins, ends; } guest[GUESTS + 1];
static atomic_u64 wrong;
static atomic_u32 over;

static int hear_as_guest(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	struct guest *g = (struct guest *)l;

	(void)pages;
	if (event % 3 == 0)
		(void)atomic_add_relaxed(&g->begins, 1);
	sched_yield();
	(void)atomic_add_relaxed(&wrong, atomic_load_relaxed(&g->out));
	if (event % 3 != 0)
		(void)atomic_add_relaxed(&g->ends, 1);
	return event == PHYSMEM_GOING_OFFLINE && g != &guest[GUESTS] && pfn % 7 == 0 ? -EPERM : 0;
}

static void *come_and_leave(void *arg)
{
	struct guest *g = arg;

	while (atomic_load_relaxed(&over) == 0) {
		atomic_store_relaxed(&g->out, 0);
		if (physmem_listen(machine, &g->l) != 0)
			(void)atomic_add_relaxed(&wrong, 1);
		sched_yield();
		physmem_unlisten(machine, &g->l);
		atomic_store_relaxed(&g->out, 1);
		sched_yield();
		if (atomic_load_relaxed(&g->ends) > atomic_load_relaxed(&g->begins))
			(void)atomic_add_relaxed(&wrong, 1);
	}
	return NULL;
}

static void *go_and_come_often(void *arg)
{
	uint64_t lo = (uintptr_t)arg;

	for (unsigned i = 0; i < 300; i++) {
		int err = unplug(machine, lo + i % 50, 300);

		if (err == 0)
			err = physmem_plug(machine, lo + i % 50, 300, 0);
		(void)atomic_add_relaxed(&wrong, err != 0 && err != -EPERM);
	}
	return NULL;
}

static void many_at_once(void **state)
{
	pthread_t going[2], coming[GUESTS];

	(void)state;
	machine = two_segments();
	memset(guest, 0, sizeof(guest));
	for (unsigned i = 0; i <= GUESTS; i++)
		guest[i].l = (struct physmem_listener){ .fn = hear_as_guest, .priority = (int)(i * 7 % 4) };
	assert_int_equal(physmem_listen(machine, &guest[GUESTS].l), 0);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&going[i], NULL, go_and_come_often, (void *)(i * 4096)), 0);
	for (unsigned i = 0; i < GUESTS; i++)
		assert_int_equal(pthread_create(&coming[i], NULL, come_and_leave, &guest[i]), 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(going[i], NULL);
	atomic_store_relaxed(&over, 1);
	for (unsigned i = 0; i < GUESTS; i++)
		pthread_join(coming[i], NULL);
	assert_int_equal(atomic_load_relaxed(&wrong), 0);
	assert_true(atomic_load_relaxed(&guest[GUESTS].begins) >= 600);
	assert_int_equal(atomic_load_relaxed(&guest[GUESTS].begins), atomic_load_relaxed(&guest[GUESTS].ends));
	assert_clean(machine);
	physmem_destroy(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_are_told),
		cmocka_unit_test(late_listeners_hear_no_end),
		cmocka_unit_test(a_listener_sleeps),
		cmocka_unit_test(who_leaves_is_not_called),
		cmocka_unit_test(who_comes_late_hears_no_beginning),
		cmocka_unit_test(a_veto_and_who_leaves),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
