/* SPDX-License-Identifier: MIT */
/* test_physmem_notify.c - who is told when memory comes and goes: their order, vetoes, one end for each beginning. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_are_told),
		cmocka_unit_test(late_listeners_hear_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
