/* SPDX-License-Identifier: MIT */
/* nomem_things.h - for test_nomem: calls about things beside the crowded map: objects, other maps, machines, frames. */
#ifndef TESTS_UNIT_SPACE_NOMEM_THINGS_H
#define TESTS_UNIT_SPACE_NOMEM_THINGS_H

#include <vmmap/physmem_host.h>
#include <vmmap/physmem_hotplug.h>
#include <vmmap/physseg.h>

#include "tests/unit/space/nomem_map.h"

static int64_t make_object(struct vmmap *map, uint64_t page)
{
	struct vmmap_object *object;
	int err = vmmap_object_create(&object, maps_memory, "more", page * PAGE, NULL);

	(void)map;
	if (!err)
		vmmap_object_put(object);
	return err;
}

static int64_t read_object(struct vmmap *map, uint64_t page)
{
	return vmmap_fault(map, BASE + (5000 + 530 * page) * PAGE, PROT_READ, NULL);
}

static int64_t cut_object(struct vmmap *map, uint64_t page)
{
	(void)map;
	return vmmap_object_resize(paged, page * PAGE);
}

static int64_t sync_object(struct vmmap *map, uint64_t page)
{
	(void)map;
	return vmmap_object_sync(paged, page * PAGE, UINT64_MAX);
}

static int64_t msync_object(struct vmmap *map, uint64_t page)
{
	return vmmap_msync(map, BASE + (5000 + page) * PAGE, 100 * PAGE, MS_SYNC);
}

static int64_t destroy_map(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	vmmap_destroy(other);
	other = NULL;
	return 0;
}

static int64_t make_map(struct vmmap *map, uint64_t page)
{
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	config.policy = policy_now;
	config.physmem = page ? maps_memory : NULL;
	err = vmmap_create(&other, &config);
	if (!err)
		destroy_map(map, page);
	return err;
}

static void other_map(struct vmmap *map, uint64_t page)
{
	struct vmmap_config config = VMMAP_CONFIG;

	(void)map, (void)page;
	config.policy = policy_now;
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&other, &config), 0);
	assert_true(maps_fixed(other, 0, 1000, RW, NORES) > 0);
	assert_int_equal(maps_touch(other, 700), 0);
	assert_true(vmmap_mmap(other, BASE + 4000 * PAGE, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) > 0);
}

static int64_t fork_map(struct vmmap *map, uint64_t page)
{
	int err = vmmap_fork(&other, map);

	if (!err)
		destroy_map(map, page);
	return err;
}

static uint64_t pinned;

static void other_pin(struct vmmap *map, uint64_t page)
{
	(void)page;
	assert_int_equal(vmmap_pin(map, BASE + 1001 * PAGE, PAGE, &pinned), 0);
}

/* A frame more, for what is pinned. */
static int64_t fork_pinned(struct vmmap *map, uint64_t page)
{
	int64_t err = fork_map(map, page);

	if (!err)
		assert_int_equal(vmmap_unpin(map, &pinned, 1), 0);
	return err;
}

static void other_fork(struct vmmap *map, uint64_t page)
{
	(void)page;
	assert_int_equal(vmmap_fork(&other, map), 0);
}

/* A frame, for a copy; what is shared has its tables. */
static int64_t store_shared(struct vmmap *map, uint64_t page)
{
	ssize_t got = vmmap_write(map, BASE + 1001 * PAGE, &page, sizeof page);

	if (got == sizeof page)
		destroy_map(map, page);
	return got == sizeof page ? 0 : got;
}

static int64_t make_machine(struct vmmap *map, uint64_t page)
{
	static const struct physmem_range segments[] = { { 0, 100 }, { 1000, 100 } };
	struct physmem_config config = PHYSMEM_CONFIG;
	int err;

	(void)map;
	config.bytes = 1;
	config.segments = page ? segments : NULL;
	config.nsegments = page ? 2 : 0;
	err = physmem_create(&machine, &config);
	if (!err)
		physmem_destroy(machine);
	return err;
}

static void other_machine(struct vmmap *map, uint64_t page)
{
	struct physmem_config config = PHYSMEM_CONFIG;

	(void)map, (void)page;
	config.limit = UINT64_C(1) << 20;
	assert_int_equal(physmem_create(&machine, &config), 0);
}

static int64_t plug_segment(struct vmmap *map, uint64_t page)
{
	int err = physmem_plug(machine, 600000, 1000, 1);

	(void)map, (void)page;
	physmem_destroy(machine);
	machine = NULL;
	return err;
}

static int64_t audit_machine(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	if (physmem_audit(machine, NULL) != 0)
		return -ENOMEM;
	physmem_destroy(machine);
	machine = NULL;
	return 0;
}

/* A part in the middle: the table of segments needs one more. */
static int64_t unplug_part(struct vmmap *map, uint64_t page)
{
	int err = physmem_unplug(machine, 1000, 500, NULL, NULL);

	(void)map, (void)page;
	if (err)
		return err;                      /* it is asked again */
	physmem_destroy(machine);
	machine = NULL;
	return 0;
}

/* ---- a frame that moves, because it goes: more maps show it than its mover has room for on its stack ---- */

#define SHARERS 40                               /* MIGRATE_FEW is 32                                              */
#define SHARED_WORD UINT64_C(0x5ee)

static struct vmmap *sharer[SHARERS];
static uint64_t shared_frame;
static bool shared_moved;

static uint64_t frame_shown(struct vmmap *map, uint64_t addr)
{
	struct thread_slot *self = thread_self();
	atomic_u64 *entry;
	uint64_t pfn;

	rcu_enter(self);
	entry = pt_find(&map->pt, addr);
	pfn = entry ? pt_pfn(atomic_load_acquire(entry)) : PHYSMEM_NONE;         /* S2 -> S1 of pt.c */
	rcu_leave(self);
	return pfn;
}

/* The first few hundred frames that are left lie in the block that is offline meanwhile: no room. */
static int64_t unplug_shared(struct vmmap *map, uint64_t page)
{
	struct physmem_unplug_result result;
	int err = physmem_unplug(maps_memory, shared_frame, 1, NULL, &result);

	(void)map, (void)page;
	shared_moved |= result.moved != 0;       /* by an unplug that was refused later, too                       */
	return err;
}

/* All show one frame, the one that they began with unless it was moved, and what was stored there. */
static unsigned sharers_wrong(struct vmmap *map, int64_t got)
{
	uint64_t pfn = frame_shown(sharer[0], BASE), has;
	unsigned wrong = shared_moved == (pfn == shared_frame) || (got >= 0 && !shared_moved);

	(void)map;
	for (unsigned i = 0; i < SHARERS; i++) {
		wrong += vmmap_read(sharer[i], BASE, &has, sizeof has) != sizeof has || has != SHARED_WORD;
		wrong += frame_shown(sharer[i], BASE) != pfn || vmmap_audit(sharer[i], stderr);
	}
	wrong += physmem_audit(maps_memory, stderr) != 0;
	for (unsigned i = 0; i < SHARERS && got >= 0; i++)
		vmmap_destroy(sharer[i]);
	return wrong;
}

/* Pages in a segment for what can be moved: they were written while all other frames were taken. */
static void other_movable(struct vmmap *map, uint64_t page)
{
	static uint64_t taken[NOMEM_FRAMES_MAX];
	uint64_t n = 0, pfn;

	(void)page;
	assert_int_equal(physmem_plug(maps_memory, NOMEM_FRAMES_MAX, 512, 1), 0);
	while ((pfn = physmem_frame_alloc(maps_memory)) != PHYSMEM_NONE)
		taken[n++] = pfn;
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(maps_touch(map, 2900 + i), 0);
		assert_true(frame_shown(map, BASE + (2900 + i) * PAGE) >= NOMEM_FRAMES_MAX);
	}
	while (n)
		assert_int_equal(physmem_frame_free(maps_memory, taken[--n]), 0);
}

/* A frame each, of another kind than a fault's. */
static int64_t pin_movable(struct vmmap *map, uint64_t page)
{
	uint64_t pfns[4];
	int err = vmmap_pin(map, BASE + 2900 * PAGE, 4 * PAGE, pfns);

	(void)page;
	for (unsigned i = 0; i < 4 && !err; i++)
		assert_true(pfns[i] < NOMEM_FRAMES_MAX);
	return err ? err : vmmap_unpin(map, pfns, 4);
}

static void other_sharers(struct vmmap *map, uint64_t page)
{
	struct vmmap_config config = VMMAP_CONFIG;
	uint64_t word = SHARED_WORD;

	(void)map, (void)page;
	config.policy = policy_now;
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&sharer[0], &config), 0);
	assert_true(maps_fixed(sharer[0], 0, 1, RW, NORES) > 0);
	assert_int_equal(vmmap_write(sharer[0], BASE, &word, sizeof word), sizeof word);
	for (unsigned i = 1; i < SHARERS; i++)
		assert_int_equal(vmmap_fork(&sharer[i], sharer[0]), 0);
	shared_frame = frame_shown(sharer[0], BASE);
	shared_moved = false;
	nomem_after = sharers_wrong;
}

/* They take no memory. */
static int hear_nothing(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	(void)l, (void)event, (void)pfn, (void)pages;
	return 0;
}

static int64_t listen_to_machine(struct vmmap *map, uint64_t page)
{
	struct physmem_listener l = { .fn = hear_nothing };
	int err = physmem_listen(machine, &l);

	(void)map, (void)page;
	physmem_unlisten(machine, &l);
	physmem_destroy(machine);
	machine = NULL;
	return err;
}

static int64_t destroy_machine(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	physmem_destroy(machine);
	machine = NULL;
	return 0;
}

static void host_accepts(void *arg, struct physmem_told *told, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		told[i].verdict = PHYSMEM_ACCEPTED;
}

/* A host that is told of the machine's blocks. */
static int64_t begin_reports(struct vmmap *map, uint64_t page)
{
	struct physmem_report_config config = PHYSMEM_REPORT_CONFIG;
	struct physmem_report_result result;
	int err;

	config.tell = host_accepts;
	config.capture = page ? 8 : 0;
	err = physmem_create(&machine, NULL);
	if (err)
		return err;
	err = physmem_report_start(machine, &config);
	if (!err)
		err = physmem_report_pass(machine, PHYSMEM_REPORT_NOW, &result);
	physmem_report_stop(machine);
	(void)destroy_machine(map, page);
	return err;
}

static void host_takes(void *arg, struct physmem_told *run, unsigned n) { host_accepts(arg, run, n); }
static void host_gives(void *arg, const struct physmem_told *run, unsigned n) { (void)arg, (void)run, (void)n; }

/* A balloon that grows and shrinks, and a frame out of use. */
static int64_t grow_balloon(struct vmmap *map, uint64_t page)
{
	struct physmem_balloon_config config = PHYSMEM_BALLOON_CONFIG;
	int err;

	config.inflate = host_takes;
	config.deflate = host_gives;
	err = physmem_create(&machine, NULL);
	if (err)
		return err;
	err = physmem_balloon_start(machine, &config);
	if (!err && physmem_balloon_inflate(machine, UINT64_MAX / 2) != (1 << 18) - config.low)
		err = -ENOMEM;
	if (!err)
		err = physmem_poison(machine, 100);
	if (!err)
		err = physmem_unpoison(machine, 100);
	(void)physmem_balloon_deflate(machine, 10);
	physmem_balloon_stop(machine);
	(void)destroy_machine(map, page);
	return err;
}

/* ---- tables of segments: one of each index, and one in sections ---- */

#define SEGMENT_TABLES 5

static int segment_table(struct physseg_table **t, uint64_t page)
{
	static const char *const indexes[SEGMENT_TABLES] = { "bitmap", "cow-array", "rbtree", "array", "bitmap" };
	struct physseg_config config = PHYSSEG_CONFIG;

	config.index = indexes[page % SEGMENT_TABLES];
	config.limit = 20000;
	config.sections = page == SEGMENT_TABLES - 1;
	return physseg_create(t, &config);
}

/* More segments than a table has slots to begin with. */
static int segments_plugged(struct physseg_table *t)
{
	static const struct physseg_boot boot = { 19000, 19100, 19000, 19100, 1 };
	int err = physseg_load(t, &boot, NULL);

	for (uint64_t i = 0; i < 66 && !err; i++)
		err = physseg_plug(t, 200 * i, 100, NULL);
	return err;
}

static int64_t make_segments(struct vmmap *map, uint64_t page)
{
	struct physseg_table *t = NULL;
	int err = segment_table(&t, page);

	(void)map;
	if (!err)
		err = segments_plugged(t);
	if (!err)
		err = physseg_unplug(t, 40, 20);
	physseg_destroy(t);
	return err;
}

static int64_t change_segments(struct vmmap *map, uint64_t page)
{
	struct physseg_table *t = NULL;
	int err = segment_table(&t, page);
	struct physseg_handle h;
	uint64_t pfn;

	(void)map;
	if (!err)
		err = physseg_plug(t, 100, 100, &h);
	if (!err)
		err = physseg_set_avail(t, h, 100, 150);
	if (!err)
		err = physseg_set_start_hint(t, h, 10);
	if (!err)
		err = physseg_set_md(t, h, t);
	if (!err)
		err = physseg_unload(t, h, 0, &pfn);
	if (!err)
		err = physseg_unload_force(t, h, &pfn);
	physseg_destroy(t);
	return err;
}

static int64_t take_frame(struct vmmap *map, uint64_t page)
{
	uint64_t pfn = physmem_frame_alloc(maps_memory);

	(void)map, (void)page;
	return pfn == PHYSMEM_NONE ? -ENOMEM : physmem_frame_free(maps_memory, pfn);
}

static uint64_t others_frame;

/* Where all frames are used, those that come back lie apart: then one will do. */
static int64_t take_run(struct vmmap *map, uint64_t page)
{
	struct physmem_run run;
	int err = physmem_run_alloc(maps_memory, 2, &run);

	(void)map, (void)page;
	if (err == -ENOMEM)
		err = physmem_run_alloc(maps_memory, 0, &run);
	return err ? err : physmem_run_free(maps_memory, &run);
}

static void other_frame(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	others_frame = physmem_frame_alloc(maps_memory);
	assert_true(others_frame != PHYSMEM_NONE);
}

static int64_t give_frame(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	return physmem_frame_free(maps_memory, others_frame);
}

static void other_object(struct vmmap *map, uint64_t page)
{
	(void)page;
	assert_int_equal(vmmap_object_create(&extra, maps_memory, "extra", 8 * PAGE, NULL), 0);
	assert_true(vmmap_mmap(map, BASE + 8000 * PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, extra, 0) > 0);
	assert_int_equal(maps_touch(map, 8000), 0);
	assert_int_equal(maps_unmap(map, 8000, 1), 0);
}

static int64_t put_object(struct vmmap *map, uint64_t page)
{
	(void)map, (void)page;
	vmmap_object_put(extra);
	extra = NULL;
	return 0;
}

#endif
