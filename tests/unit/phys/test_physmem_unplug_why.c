/* SPDX-License-Identifier: MIT */
/*
 * test_physmem_unplug_why.c - what an unplug says when nothing could be begun, and how it waits for a block that
 * another unplug has, or a poison: by script.
 */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/point.h"
#include "tests/unit/phys/hotplug_fixture.h"

#define SOON UINT64_C(2000000000)

/* Whatever the answer is: of a call that was refused, why, by which frame and how many; and that nothing was begun. */
static void a_refusal_is_told(void **state)
{
	struct physmem_unplug_options wrong = PHYSMEM_UNPLUG_OPTIONS, how = PHYSMEM_UNPLUG_OPTIONS;
	const struct {
		uint64_t pfn, pages;
		const struct physmem_unplug_options *how;
		int err;
		enum physmem_reason reason;
		uint64_t first, n;
	} call[] = {
		{ 0, 0, NULL, -EINVAL, PHYSMEM_REASON_NONE, 0, 0 },
		{ LIMIT, 1, NULL, -EINVAL, PHYSMEM_REASON_NONE, 0, 0 },
		{ 0, 1, &wrong, -EINVAL, PHYSMEM_REASON_NONE, 0, 0 },
		{ 0, 1, &how, -EINVAL, PHYSMEM_REASON_NONE, 0, 0 },
		{ 2048, 1, NULL, -ENXIO, PHYSMEM_REASON_ABSENT, 2048, 1 },
		{ 2000, 2200, NULL, -ENXIO, PHYSMEM_REASON_ABSENT, 2048, 2048 },
		{ 6000, 10000, NULL, -ENXIO, PHYSMEM_REASON_ABSENT, 6144, 9856 },
		{ 100, 20, NULL, 0, PHYSMEM_REASON_NONE, 0, 0 },
		{ 90, 100, NULL, -ENXIO, PHYSMEM_REASON_ABSENT, 100, 20 },
		{ 0, 3000, NULL, -ENXIO, PHYSMEM_REASON_ABSENT, 100, 972 },
		{ 0, 100, NULL, 0, PHYSMEM_REASON_NONE, 0, 0 },
		{ 120, 1928, NULL, 0, PHYSMEM_REASON_NONE, 0, 0 },
		{ 4096, 2048, NULL, -ENOMEM, PHYSMEM_REASON_ALL, 4096, 2048 },
	};
	struct physmem *pm = two_segments();

	(void)state;
	wrong.size--;
	how.mode = PHYSMEM_UNPLUG_REVOKE;                /* and nobody to ask */
	for (unsigned i = 0; i < sizeof(call) / sizeof(call[0]); i++) {
		struct physmem_unplug_result result;

		memset(&result, 0xa5, sizeof(result));
		assert_int_equal(physmem_unplug(pm, call[i].pfn, call[i].pages, call[i].how, &result), call[i].err);
		assert_int_equal(result.moved, 0);
		assert_int_equal(result.attempts, 0);
		assert_int_equal(result.reason, call[i].reason);
		assert_int_equal(result.first, call[i].first);
		for (unsigned why = 0; why < PHYSMEM_REASONS; why++)
			assert_int_equal(result.left[why], why == call[i].reason ? call[i].n : 0);
	}
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- what was in the way goes ---- */

struct full { struct physmem *pm; uint64_t *pfn, n; };

static void all_are_freed(void *arg)
{
	struct full *f = arg;

	while (f->n > 0)
		assert_int_equal(physmem_frame_free(f->pm, f->pfn[--f->n]), 0);
}

/* ... between the look whether there is room and the look what has none: nothing is in the way any more. */
static void a_reason_that_is_gone(void **state)
{
	struct physmem *pm = two_segments();
	struct full full = { .pm = pm, .pfn = calloc(LIMIT, sizeof(uint64_t)) };

	(void)state;
	while ((full.pfn[full.n] = physmem_frame_alloc(pm)) != PHYSMEM_NONE)
		full.n++;
	assert_int_equal(fails(pm, 0, 2048, NULL, -EBUSY).left[PHYSMEM_REASON_HELD], 2048);
	if (point_available()) {
		point_reset();
		assert_int_equal(point_call("unplug", "unplug_without_room", all_are_freed, &full), 0);
		point_role("unplug");
		assert_int_equal(unplug(pm, 0, 2048), 0);
		point_role(NULL);
		assert_int_equal(full.n, 0);
		assert_int_equal(usage(pm).frames, 2048);
		point_reset();
	}
	all_are_freed(&full);
	free(full.pfn);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- a block that another one has ---- */

static int give_up(void *arg) { return ++((struct asked *)arg)->times == 3; }

static void assert_taken(const struct physmem_unplug_result *r, uint64_t first, uint64_t n, uint64_t attempts)
{
	assert_int_equal(r->reason, PHYSMEM_REASON_TAKEN);
	assert_int_equal(r->first, first);
	for (unsigned why = 0; why < PHYSMEM_REASONS; why++)
		assert_int_equal(r->left[why], why == PHYSMEM_REASON_TAKEN ? n : 0);
	assert_int_equal(r->attempts, attempts);
	assert_int_equal(r->moved, 0);
}

/* Blocks 1 and 3 are: it fails, or waits as long as it was told, and then no block is its own. */
static void a_block_that_is_taken(void **state)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem_unplug_result result;
	struct physmem *pm = two_segments();
	struct asked asked = { .pm = pm };

	(void)state;
	assert_true(frame_bits_step(&pm->bits, 1, frame_block_offline));
	assert_true(frame_bits_step(&pm->bits, 3, frame_block_offline));
	result = fails(pm, 500, 1500, &how, -EBUSY);
	assert_taken(&result, 512, 512 + 2000 - 1536, 0);
	result = fails(pm, 600, 10, &how, -EBUSY);
	assert_taken(&result, 600, 10, 0);
	how.mode = PHYSMEM_UNPLUG_WAIT;
	how.attempts = 5;
	result = fails(pm, 500, 1000, &how, -EBUSY);
	assert_taken(&result, 512, 512, 5);
	how.attempts = 0;
	how.deadline_ns = 0;
	result = fails(pm, 500, 1000, &how, -EAGAIN);
	assert_taken(&result, 512, 512, 1);
	how.deadline_ns = clock_ns() + 3000000;
	result = fails(pm, 500, 1000, &how, -ETIMEDOUT);
	assert_true(result.attempts > 1);
	assert_taken(&result, 512, 512, result.attempts);
	how.deadline_ns = UINT64_MAX;
	how.cancelled = give_up;
	how.arg = &asked;
	result = fails(pm, 500, 1000, &how, -ECANCELED);
	assert_taken(&result, 512, 512, 3);
	assert_true(frame_bits_step(&pm->bits, 1, frame_block_online));
	assert_true(frame_bits_step(&pm->bits, 3, frame_block_online));
	assert_int_equal(physmem_unplug(pm, 500, 1500, &how, &result), 0);
	assert_int_equal(result.reason, PHYSMEM_REASON_NONE);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- ... for a while ---- */

struct other { uint64_t pfn, pages; const char *role; int err; struct physmem_unplug_result result; };

static struct physmem *machine;

static void *waits(void *arg)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct other *o = arg;

	how.mode = PHYSMEM_UNPLUG_WAIT;
	point_role(o->role);
	o->err = physmem_unplug(machine, o->pfn, o->pages, &how, &o->result);
	point_role(NULL);
	return NULL;
}

static void *poisons(void *arg)
{
	struct other *o = arg;

	point_role(o->role);
	o->err = physmem_poison(machine, o->pfn);
	point_role(NULL);
	return NULL;
}

/* `has` stops at that point, with block 1; `wants` comes meanwhile, and holds no block while it waits. With the mutant
 * it waits for nothing. Its answer. */
static int answer_beside(const char *mutant, void *(*who)(void *), const char *point, struct other *has,
			 struct other *wants)
{
	pthread_t first, second;

	machine = two_segments();
	point_reset();
	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
	has->role = "has";
	wants->role = "wants";
	assert_int_equal(point_stop("has", point, NULL, NULL), 0);
	assert_int_equal(point_stop("wants", "unplug_blocked", NULL, NULL), 0);
	assert_int_equal(pthread_create(&first, NULL, who, has), 0);
	assert_true(point_wait_reached("has", point, SOON));
	assert_int_equal(pthread_create(&second, NULL, waits, wants), 0);
	if (mutant) {
		pthread_join(second, NULL);
	} else {
		assert_true(point_wait_reached("wants", "unplug_blocked", SOON));
		assert_true(frame_bits_word(&machine->bits, 1) & FRAME_BLOCK_OFFLINE);
		assert_false(frame_bits_word(&machine->bits, 0) & FRAME_BLOCK_OFFLINE);
	}
	point_release("has", point);
	pthread_join(first, NULL);
	assert_int_equal(has->err, 0);
	point_release("wants", "unplug_blocked");
	if (!mutant)
		pthread_join(second, NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	assert_clean(machine);
	physmem_destroy(machine);
	return wants->err;
}

/* Of one block, and from the block below on. */
static void another_part_of_it_goes(void **state)
{
	struct other has = { .pfn = 700, .pages = 100 }, here = { .pfn = 512, .pages = 188 };
	struct other below = { .pfn = 200, .pages = 500 };

	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(answer_beside(NULL, waits, "unplug_found", &has, &here), 0);
	assert_int_equal(here.result.reason, PHYSMEM_REASON_NONE);
	assert_int_equal(here.result.left[PHYSMEM_REASON_TAKEN], 0);
	assert_int_equal(answer_beside(NULL, waits, "unplug_found", &has, &below), 0);
	assert_int_equal(answer_beside("unplug_tries_once", waits, "unplug_found", &has, &here), -EBUSY);
}

/* The same frames, or some of them: they are gone then. */
static void the_same_goes(void **state)
{
	struct other has = { .pfn = 512, .pages = 512 }, same = has, more = { .pfn = 400, .pages = 1000 };

	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(answer_beside(NULL, waits, "unplug_found", &has, &same), -ENXIO);
	assert_int_equal(same.result.reason, PHYSMEM_REASON_ABSENT);
	assert_int_equal(same.result.first, 512);
	assert_int_equal(same.result.left[PHYSMEM_REASON_ABSENT], 512);
	assert_int_equal(answer_beside(NULL, waits, "unplug_found", &has, &more), -ENXIO);
	assert_int_equal(more.result.first, 512);
	assert_int_equal(more.result.left[PHYSMEM_REASON_ABSENT], 512);
}

static void a_frame_of_it_is_poisoned(void **state)
{
	struct other frame = { .pfn = 1000 }, beside = { .pfn = 512, .pages = 100 };

	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(answer_beside(NULL, poisons, "physmem_poison_offline", &frame, &beside), 0);
	assert_int_equal(answer_beside("unplug_tries_once", poisons, "physmem_poison_offline", &frame, &beside),
			 -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_told),
		cmocka_unit_test(a_reason_that_is_gone),
		cmocka_unit_test(a_block_that_is_taken),
		cmocka_unit_test(another_part_of_it_goes),
		cmocka_unit_test(the_same_goes),
		cmocka_unit_test(a_frame_of_it_is_poisoned),
	};

	return cmocka_run_group_tests_name("physmem_unplug_why", tests, NULL, NULL);
}
