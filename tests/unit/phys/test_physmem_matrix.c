/* SPDX-License-Identifier: MIT */
/*
 * test_physmem_matrix.c - plug and unplug of ranges in every position to what a machine has, at boot and later, for all
 * memory and for what can be moved: each segment, frame and sum against the model, after each call.
 */
#define MODEL_BASE 2048u
#define MODEL_UNIT 16u

#include <string.h>

#include "tests/unit/phys/physseg_ranges.h"
#include "vmmap/phys/frame.h"
#include "vmmap/physmem_hotplug.h"

static struct model model;
static struct physmem *pm;
static int kind[MODEL_SPAN / 512];                       /* of what a block has: 1 movable, 0 all, -1 nothing      */

static void set_kind(const struct range *r, int movable)
{
	for (uint64_t i = r->pfn - MODEL_BASE; i < r->pfn - MODEL_BASE + r->pages; i++)
		kind[i / 512] = movable;
}

static void forget_kinds(void)
{
	for (unsigned block = 0; block < ARRAY_SIZE(kind); block++) {
		unsigned n = 0;

		for (unsigned i = block * 512; i < block * 512 + 512; i++)
			n += model.segment[i] != 0;
		if (n == 0)
			kind[block] = -1;
	}
}

/* With what there is from the beginning, or one frame of it and the rest plugged. */
static void open_machine(bool running, int movable)
{
	struct physmem_range boot[] = {
		{ present[0].pfn, present[0].pages }, { present[1].pfn, present[1].pages },
		{ present[3].pfn, present[3].pages }, { present[2].pfn, present[2].pages },
	};
	struct physmem_config config = PHYSMEM_CONFIG;
	unsigned n = running ? 1 : 4;

	config.segments = boot;
	config.nsegments = n;
	config.base = MODEL_BASE;
	config.limit = MODEL_BASE + MODEL_SPAN;
	memset(&model, 0, sizeof(model));
	memset(kind, -1, sizeof(kind));
	assert_int_equal(physmem_create(&pm, &config), 0);
	for (unsigned i = 0; i < 4; i++) {
		int its = i == 3 && running ? movable : 0;

		assert_int_equal(model_plug(&model, boot[i].pfn, boot[i].pages), 0);
		set_kind(&(struct range){ boot[i].pfn, boot[i].pages }, its);
		if (i >= n)
			assert_int_equal(physmem_plug(pm, boot[i].pfn, boot[i].pages, its), 0);
	}
}

static int same_as_model(void *arg, const struct physmem_stretch *s)
{
	(void)arg;
	for (uint64_t i = s->pfn - MODEL_BASE; i < s->pfn - MODEL_BASE + s->pages; i++)
		assert_int_equal(s->state, model.segment[i] != 0 ? PHYSMEM_FREE : PHYSMEM_ABSENT);
	return 0;
}

static void compare(void)
{
	struct physmem_usage u;
	unsigned segments = 0;

	physmem_get_usage(pm, &u);
	assert_int_equal(u.frames, frames(&model));
	assert_int_equal(u.free, frames(&model));
	assert_int_equal(physmem_walk(pm, 0, UINT64_MAX, same_as_model, NULL), 0);
	for (unsigned i = 0; i < MODEL_SPAN; i++)
		if (model.segment[i] && (i == 0 || model.segment[i - 1] != model.segment[i])) {
			struct ends e = model_ends(&model, i);
			struct physseg_handle h = physseg_find(pm->segments, MODEL_BASE + i, NULL);

			assert_int_equal(physseg_start(pm->segments, h), MODEL_BASE + e.start);
			assert_int_equal(physseg_end(pm->segments, h), MODEL_BASE + e.end);
			segments++;
		}
	assert_int_equal(physseg_count(pm->segments), segments);
	assert_int_equal(physmem_audit(pm, stderr), 0);
}

/* Memory of two kinds in a block at one of the ends: -EINVAL, where the model knows one kind. */
static bool kinds_clash(const struct range *r, int movable)
{
	int first, last;

	if (!within(r->pfn, r->pages))
		return false;
	first = kind[(r->pfn - MODEL_BASE) / 512];
	last = kind[(r->pfn + r->pages - 1 - MODEL_BASE) / 512];
	return (first >= 0 && first != movable) || (last >= 0 && last != movable);
}

static void do_plug(const struct range *r, int movable)
{
	bool clash = kinds_clash(r, movable);
	int got = physmem_plug(pm, r->pfn, r->pages, movable);

	if (clash) {
		assert_true(got == -EINVAL || got == -EEXIST);
		return;
	}
	assert_int_equal(got, model_plug(&model, r->pfn, r->pages));
	if (got == 0)
		set_kind(r, movable);
}

static void do_unplug(const struct range *r)
{
	assert_int_equal(physmem_unplug(pm, r->pfn, r->pages, NULL, NULL), model_unplug(&model, r->pfn, r->pages));
	forget_kinds();
}

static void one_range(const struct range *r, unsigned how)
{
	int movable = how & 4 ? 1 : 0;

	open_machine(how & 1, movable);
	for (unsigned turn = 0; turn < 2; turn++) {
		if ((how >> 1 & 1) == turn)
			do_plug(r, movable);
		else
			do_unplug(r);
		compare();
	}
	physmem_destroy(pm);
}

static void ranges_in_every_position(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 8; how++)
		for (unsigned r = 0; r < ARRAY_SIZE(ranges); r++)
			one_range(&ranges[r], how);
}

/* Everything but one frame can go; that one cannot. It can all come again. */
static void the_last_frame_stays(void **state)
{
	const struct range all = { AT(0, 0), OF(256, 0) };

	(void)state;
	open_machine(false, 0);
	for (unsigned i = 0; i < 3; i++)
		do_unplug(&present[i]);
	do_unplug(&present[3]);
	compare();
	assert_int_equal(frames(&model), 1);
	do_plug(&(struct range){ AT(120, 1), OF(136, -1) }, 0);
	do_unplug(&present[3]);
	compare();
	do_unplug(&(struct range){ AT(120, 1), OF(136, -2) });
	compare();
	do_plug(&(struct range){ AT(0, 0), OF(256, -1) }, 0);
	compare();
	do_unplug(&all);
	compare();
	physmem_destroy(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_in_every_position),
		cmocka_unit_test(the_last_frame_stays),
	};

	return cmocka_run_group_tests_name("physmem_matrix", tests, NULL, NULL);
}
