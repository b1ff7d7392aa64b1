/* SPDX-License-Identifier: MIT */
/* parts_machine.c - what a scenario needs of its machine's host, of who listens to it, and of single frames of it.
 * Compiled as parts.c is. */
#include "bench/explore/scenario.h"

#include "vmmap/phys/frame_bits.h"
#include "vmmap/phys/frame_record.h"
#include "vmmap/physmem_host.h"
#include "vmmap/physmem_hotplug.h"

#define MACHINE 64u

/* ---- the host ---- */

static void takes(void *arg, struct physmem_told *told, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		told[i].verdict = PHYSMEM_ACCEPTED;
	scene_asleep(1);
}

static void gives(void *arg, const struct physmem_told *told, unsigned n)
{
	(void)arg;
	(void)told;
	(void)n;
	scene_pause();
}

void scene_host(void)
{
	struct physmem_report_config report = PHYSMEM_REPORT_CONFIG;
	struct physmem_balloon_config balloon = PHYSMEM_BALLOON_CONFIG;

	report.tell = takes;
	report.low = 0;
	expect(physmem_report_start(scene.physmem, &report) == 0);
	balloon.inflate = takes;
	balloon.deflate = gives;
	balloon.order = FRAME_BLOCK_ORDER;
	balloon.low = 0;
	expect(physmem_balloon_start(scene.physmem, &balloon) == 0);
}

uint64_t scene_told(void)
{
	struct physmem_report_state state;

	for (unsigned i = 0; i < 2; i++)
		expect(physmem_report_pass(scene.physmem, PHYSMEM_REPORT_ALL, NULL) == 0);
	physmem_get_report(scene.physmem, &state);
	return state.reported;
}

/* ---- a listener ---- */

static int hear(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	(void)l;
	(void)pfn;
	(void)pages;
	scene.word[event != PHYSMEM_GOING_OFFLINE]++;
	return 0;
}

static struct physmem_listener listener = { .fn = hear };

void scene_listen(void)
{
	expect(physmem_listen(scene.physmem, &listener) == 0);
}

/* ---- names ---- */

static uint64_t named;
static bool anew;

void scene_named(void)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	named = frame_alloc_named(scene.physmem, self, FRAME_OWNER_MAP, 8, 5);
	rcu_leave(self);
	anew = false;
}

void scene_named_anew(void)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	frame_free(scene.physmem, self, named);
	expect(frame_alloc_named(scene.physmem, self, FRAME_OWNER_OBJECT, 16, 6) == named);
	rcu_leave(self);
	anew = true;
}

void scene_name(void)
{
	struct frame_name name;
	bool first;

	if (!frame_name(scene.physmem, named, &name))
		return;
	first = frame_owner(name.word) == FRAME_OWNER_MAP;
	expect(name.where == (first ? 8 : 16) && name.page == (first ? 5 : 6));
}

void scene_named_ends(void)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	frame_free_by(scene.physmem, self, named, anew ? FRAME_OWNER_OBJECT : FRAME_OWNER_MAP);
	rcu_leave(self);
}

bool scene_has_name(uint64_t pfn)
{
	struct frame_name name;

	return frame_name(scene.physmem, pfn, &name);
}

/* ---- the last frames ---- */

void scene_nine_left(void)
{
	struct frame_bits *bits = &scene.physmem->bits;
	uint64_t index;

	for (unsigned i = 0; i < MACHINE; i++)
		expect(frame_bits_take_in(bits, 0, 0, FRAME_CLASS_UNMOVABLE, false, &index));
	expect(frame_bits_give(bits, 0, 3) == 0);
	expect(frame_bits_give(bits, MACHINE - 1, 0) == 0);
}

void scene_take_left(void)
{
	uint64_t index = 0;

	scene.word[0] = frame_bits_take_in(&scene.physmem->bits, 0, 0, FRAME_CLASS_UNMOVABLE, false, &index);
	scene.word[1] = index;
}

/* Nobody has what was taken so: the audit would miss it. */
void scene_left_back(void)
{
	struct frame_bits *bits = &scene.physmem->bits;

	for (uint64_t index = 8; index < MACHINE - 1; index++)
		expect(frame_bits_give(bits, index, 0) == 0);
	expect(scene.word[0] == 0 || frame_bits_give(bits, scene.word[1], 0) == 0);
}
