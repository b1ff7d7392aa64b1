/* SPDX-License-Identifier: MIT */
/*
 * test_physmem_veto.c - an unplug, or a plug, that comes to nothing leaves all as it was: R9, a listener says no,
 * beside who frees, takes, unplugs and listens at that moment; and one that fails by itself. By script.
 */
#include <pthread.h>

#include "base/clock.h"
#include "base/point.h"
#include "tests/unit/phys/hotplug_fixture.h"

#define SOON UINT64_C(2000000000)

/* begun, ended: by event, online and offline. */
struct ear { struct physmem_listener l; enum physmem_event vetoes; unsigned begun[2], ended[2]; };

static struct physmem *machine;

static int hear(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	struct ear *e = (struct ear *)l;
	bool offline = event >= PHYSMEM_GOING_OFFLINE, begins = event % 3 == 0;

	(void)pfn;
	(void)pages;
	(*(begins ? &e->begun[offline] : &e->ended[offline]))++;
	return begins && event == e->vetoes ? -EPERM : 0;
}

static bool heard_all(const struct ear *e) { return e->begun[0] == e->ended[0] && e->begun[1] == e->ended[1]; }

/* Ear 1 says no to that, between two others. */
static void listen_three(struct ear ear[3], enum physmem_event vetoes)
{
	for (int i = 0; i < 3; i++) {
		ear[i] = (struct ear){ .l = { .fn = hear, .priority = -i }, .vetoes = PHYSMEM_ONLINE };
		assert_int_equal(physmem_listen(machine, &ear[i].l), 0);
	}
	ear[1].vetoes = vetoes;
}

static void begin(const char *mutant)
{
	machine = two_segments();
	point_reset();
	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
}

/* The mutant is over; what it has left is not looked at. */
static void end(const char *mutant)
{
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	if (!mutant)
		assert_clean(machine);
	physmem_destroy(machine);
}

/* ---- who frees, takes and unplugs when no has been said ---- */

struct meanwhile { struct ear *said; uint64_t held, taken, mapped; bool called; };

static void others(void *arg)
{
	struct meanwhile *m = arg;

	assert_int_equal(unplug(machine, m->held - m->held % 512, 512), -EBUSY);
	m->said->vetoes = PHYSMEM_ONLINE;                /* for this once                                           */
	assert_int_equal(unplug(machine, 4096 + 512, 512), 0);
	assert_int_equal(physmem_frame_free(machine, m->held), 0);
	m->taken = physmem_frame_alloc(machine);
	m->mapped = frame_take(machine, thread_self(), FRAME_OWNER_MAP);
	assert_true(m->taken != PHYSMEM_NONE && m->mapped != PHYSMEM_NONE);
	m->called = true;
}

static bool all_is_as_before(const char *mutant)
{
	struct ear ear[3];
	struct meanwhile m = { .said = &ear[1] };
	bool good;
	int err;

	begin(mutant);
	m.held = physmem_frame_alloc(machine);
	listen_three(ear, PHYSMEM_GOING_OFFLINE);
	assert_int_equal(point_call("unplug", "unplug_vetoed", others, &m), 0);
	point_role("unplug");
	err = unplug(machine, m.held - m.held % 512, 512);
	point_role(NULL);
	good = err == -EPERM && m.called && ear[2].begun[1] == 1;        /* of the other one                        */
	ear[1].vetoes = PHYSMEM_ONLINE;
	if (m.called) {
		frame_give(machine, thread_self(), m.mapped, FRAME_OWNER_MAP);
		assert_int_equal(physmem_frame_free(machine, m.taken), 0);
		good = good && unplug(machine, m.held - m.held % 512, 512) == 0;
	} else {
		assert_int_equal(physmem_frame_free(machine, m.held), 0);
	}
	for (unsigned i = 0; i < 3; i++)
		good = good && heard_all(&ear[i]);
	end(mutant);
	return good;
}

static void a_veto_beside_others(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_true(all_is_as_before(NULL));
	assert_false(all_is_as_before("unplug_ignores_veto"));
	assert_false(all_is_as_before("unplug_veto_keeps"));
	assert_false(all_is_as_before("notify_cancel_untold"));
}

/* ---- who begins to listen between the no and its end ---- */

static struct ear ear[3], late;

static void *is_vetoed(void *arg)
{
	(void)arg;
	point_role("vetoed");
	assert_int_equal(unplug(machine, 512, 512), -EPERM);
	point_role(NULL);
	return NULL;
}

/* A newcomer is told of neither, though it comes first. */
static bool one_end_each(const char *mutant)
{
	pthread_t vetoed;
	bool good;

	begin(mutant);
	listen_three(ear, PHYSMEM_GOING_OFFLINE);
	late = (struct ear){ .l = { .fn = hear, .priority = 1 }, .vetoes = PHYSMEM_ONLINE };
	assert_int_equal(point_stop("vetoed", "notify_vetoed", NULL, NULL), 0);
	assert_int_equal(pthread_create(&vetoed, NULL, is_vetoed, NULL), 0);
	assert_true(point_wait_reached("vetoed", "notify_vetoed", SOON));
	assert_int_equal(physmem_listen(machine, &late.l), 0);
	point_release("vetoed", "notify_vetoed");
	pthread_join(vetoed, NULL);
	good = heard_all(&late) && heard_all(&ear[0]) && heard_all(&ear[1]) && heard_all(&ear[2]);
	assert_int_equal(ear[0].begun[1], 1);
	end(mutant);
	return good;
}

static void a_veto_and_its_end_are_one(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_true(one_end_each(NULL));
	assert_false(one_end_each("notify_cancels_all"));
}

/* ---- a plug ---- */

static bool nothing_came(const char *mutant)
{
	uint64_t frames;
	bool good;

	begin(mutant);
	listen_three(ear, PHYSMEM_GOING_ONLINE);
	good = physmem_plug(machine, 8192, 512, 0) == -EPERM;
	frames = usage(machine).frames;
	good = good && frames == 4096 && unplug(machine, 8192, 512) == -ENXIO;
	ear[1].vetoes = PHYSMEM_ONLINE;
	good = good && physmem_plug(machine, 8192, 512, 0) == 0;
	for (unsigned i = 0; i < 3; i++)
		good = good && heard_all(&ear[i]);
	end(mutant);
	return good;
}

static void a_plug_is_vetoed(void **state)
{
	(void)state;
	assert_true(nothing_came(NULL));
	if (!point_available())
		skip();
	assert_false(nothing_came("plug_ignores_veto"));
	assert_false(nothing_came("notify_cancel_untold"));
}

/* ---- one that fails ---- */

static bool can_go_later(const char *mutant)
{
	uint64_t held;
	bool good;

	begin(mutant);
	held = physmem_frame_alloc(machine);
	assert_int_equal(unplug(machine, held - held % 512, 512), -EBUSY);
	assert_int_equal(physmem_frame_free(machine, held), 0);
	good = unplug(machine, held - held % 512, 512) == 0;
	end(mutant);
	return good;
}

static void a_failure_gives_all_back(void **state)
{
	(void)state;
	assert_true(can_go_later(NULL));
	if (!point_available())
		skip();
	assert_false(can_go_later("unplug_fail_keeps"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_veto_beside_others),
		cmocka_unit_test(a_veto_and_its_end_are_one),
		cmocka_unit_test(a_plug_is_vetoed),
		cmocka_unit_test(a_failure_gives_all_back),
	};

	return cmocka_run_group_tests_name("physmem_veto", tests, NULL, NULL);
}
