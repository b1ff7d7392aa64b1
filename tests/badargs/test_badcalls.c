/* SPDX-License-Identifier: MIT */
/*
 * test_badcalls.c - bad arguments of the calls that Linux has not, or not like this: configurations, objects, frames,
 * placement within a range, the break, faults and accesses, held ranges, queries.
 */
#include <vmmap/physmem_hotplug.h>

#include "tests/badargs/unchanged.h"

#define SPACE (UINT64_C(1) << 47)
#define FAR   (UINT64_C(1) << 63)
#define OLDEST offsetof(struct vmmap_config, placement)  /* the shortest configuration that may be meant            */

static int create(const struct vmmap_config *config)
{
	struct vmmap *const none = (struct vmmap *)(uintptr_t)1;
	struct vmmap *map = none;
	int err = vmmap_create(&map, config);

	if (err) {
		assert_ptr_equal(map, none);             /* a refused call leaves *out alone */
		return err;
	}
	vmmap_destroy(map);
	return 0;
}

#define CONFIG(...) create(&(struct vmmap_config){ .size = sizeof(struct vmmap_config), __VA_ARGS__ })

static void test_config(void **state)
{
	const char *policy = *state;

	assert_int_equal(CONFIG(.policy = policy), 0);
	assert_int_equal(vmmap_create(NULL, NULL), -EINVAL);
	assert_int_equal(create(&(struct vmmap_config){ .size = 0 }), -EINVAL);
	assert_int_equal(create(&(struct vmmap_config){ .size = sizeof(struct vmmap_config) + 8 }), -EINVAL);
	assert_int_equal(create(&(struct vmmap_config){ .size = OLDEST - 1 }), -EINVAL);
	assert_int_equal(create(&(struct vmmap_config){ .size = OLDEST }), 0);
	assert_int_equal(create(&(struct vmmap_config){ .size = offsetof(struct vmmap_config, limit_vmas),
							.limit_as = 1 }), 0);    /* 0.1.0's: limits are not read      */
	assert_int_equal(CONFIG(.policy = policy, .limit_vmas = UINT64_MAX, .limit_as = UINT64_MAX), 0);
	assert_int_equal(CONFIG(.limit_commit = UINT64_MAX, .limit_locked = UINT64_MAX, .limit_stack = UINT64_MAX), 0);
	assert_int_equal(CONFIG(.policy = "no such policy"), -ENOENT);
	assert_int_equal(CONFIG(.policy = ""), -ENOENT);
	assert_int_equal(CONFIG(.policy = policy, .placement = (enum vmmap_placement)7), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .lo = BASE, .hi = BASE), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .lo = BASE + PAGE, .hi = BASE), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .lo = BASE + 1), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .hi = BASE + 1), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .hi = SPACE), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .hi = FAR), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .hi = BASE, .mmap_base = BASE + PAGE), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .lo = BASE, .mmap_base = BASE - PAGE), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .mmap_base = BASE + 8), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .brk_start = BASE + 8), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .hi = BASE, .brk_start = BASE), -EINVAL);
	assert_int_equal(CONFIG(.policy = policy, .lo = BASE, .brk_start = BASE - PAGE), -EINVAL);
	vmmap_destroy(NULL);
	assert_null(vmmap_policy_name(1000));
	assert_null(vmmap_policy_idea(1000));
	assert_int_equal(vmmap_policy_threads(1000), 0);
}

static int memory(const struct physmem_config *config)
{
	struct physmem *pm = NULL;
	int err = physmem_create(&pm, config);

	if (err)
		assert_null(pm);
	physmem_destroy(pm);                             /* NULL is no error */
	return err;
}

#define MEMORY(...) memory(&(struct physmem_config){ .size = sizeof(struct physmem_config), __VA_ARGS__ })

static void test_frames(void **state)
{
	static const struct physmem_range good[] = { { 10, 6 }, { 20, 4 } }, empty[] = { { 10, 0 } };
	static const struct physmem_range overlap[] = { { 10, 6 }, { 15, 4 } }, falling[] = { { 20, 4 }, { 10, 4 } };
	static const struct physmem_range high[] = { { FAR, 4 } }, wraps[] = { { 10, UINT64_MAX } };
	struct physmem_config config = { .size = sizeof config, .segments = good, .nsegments = 2 };
	struct physmem_usage usage;
	struct physmem *pm;
	struct physmem_run run;
	uint64_t pfn;

	(void)state;
	assert_int_equal(physmem_create(NULL, NULL), -EINVAL);
	assert_int_equal(memory(&(struct physmem_config){ .size = sizeof config - 1 }), -EINVAL);
	assert_int_equal(MEMORY(.segments = good, .nsegments = 0), -EINVAL);
	assert_int_equal(MEMORY(.segments = empty, .nsegments = 1), -EINVAL);
	assert_int_equal(MEMORY(.segments = overlap, .nsegments = 2), -EINVAL);
	assert_int_equal(MEMORY(.segments = falling, .nsegments = 2), -EINVAL);
	assert_int_equal(MEMORY(.segments = high, .nsegments = 1), -EINVAL);
	assert_int_equal(MEMORY(.segments = wraps, .nsegments = 1), -EINVAL);
	assert_int_equal(MEMORY(.pages = FAR), -EINVAL);
	assert_int_equal(physmem_create(&pm, &config), 0);
	pfn = physmem_frame_alloc(pm);
	assert_true(pfn >= 10 && pfn < 24);
	/* below, in the hole, above, never handed out */
	assert_int_equal(physmem_frame_free(pm, 9), -EINVAL);
	assert_int_equal(physmem_frame_free(pm, 17), -EINVAL);
	assert_int_equal(physmem_frame_free(pm, 24), -EINVAL);
	assert_int_equal(physmem_frame_free(pm, PHYSMEM_NONE), -EINVAL);
	assert_int_equal(physmem_frame_free(pm, pfn == 23 ? 22 : 23), -EALREADY);
	assert_null(physmem_frame_bytes(pm, pfn));                       /* metadata only */
	assert_int_equal(physmem_frame_free(pm, pfn), 0);
	assert_int_equal(physmem_frame_free(pm, pfn), -EALREADY);        /* twice */
	assert_int_equal(physmem_run_alloc(pm, 10, &run), -EINVAL);
	assert_int_equal(physmem_run_alloc(pm, 1u << 31, &run), -EINVAL);
	run = (struct physmem_run){ 12, 0, 3 };                          /* no multiple of its order */
	assert_int_equal(physmem_run_free(pm, &run), -EALREADY);
	run = (struct physmem_run){ 12, 0, 10 };
	assert_int_equal(physmem_run_free(pm, &run), -EINVAL);
	assert_int_equal(physmem_plug(pm, 16, 0, 0), -EINVAL);
	assert_int_equal(physmem_plug(pm, 24, 1, 0), -EINVAL);           /* above */
	assert_int_equal(physmem_plug(pm, FAR, FAR, 0), -EINVAL);
	assert_int_equal(physmem_unplug(pm, 10, 0, NULL, NULL), -EINVAL);
	assert_int_equal(physmem_unplug(pm, 24, 1, NULL, NULL), -EINVAL);
	assert_int_equal(physmem_unplug(pm, FAR, FAR, NULL, NULL), -EINVAL);
	assert_int_equal(physmem_unplug(pm, 16, 2, NULL, NULL), -ENXIO);
	assert_int_equal(physmem_unplug(pm, 10, 1, &(struct physmem_unplug_options){ 0 }, NULL), -EINVAL);
	assert_int_equal(physmem_listen(pm, &(struct physmem_listener){ .fn = NULL }), -EINVAL);
	physmem_get_usage(pm, &usage);
	assert_int_equal(usage.owned, 0);
	assert_int_equal(usage.frames, 10);
	physmem_destroy(pm);
}

static int half_read(void *self, uint64_t page, void *bytes) { return !self + (int)page + !bytes; }
static int half_write(void *self, uint64_t page, const void *bytes) { return !self + (int)page + !bytes; }

static void test_objects(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_object *object = NULL, *foreign;
	struct vmmap_pager half = { .read_page = half_read };
	struct physmem *other;

	assert_int_equal(vmmap_object_create(NULL, maps_memory, "a", PAGE, NULL), -EINVAL);
	assert_int_equal(vmmap_object_create(&object, NULL, "a", PAGE, NULL), -EINVAL);
	assert_int_equal(vmmap_object_create(&object, maps_memory, "a", SPACE, NULL), -EINVAL);
	assert_int_equal(vmmap_object_create(&object, maps_memory, "a", PAGE, &half), -EINVAL);
	half = (struct vmmap_pager){ .write_page = half_write };
	assert_int_equal(vmmap_object_create(&object, maps_memory, "a", PAGE, &half), -EINVAL);
	assert_null(object);
	assert_int_equal(vmmap_object_create(&object, maps_memory, "", 0, NULL), 0);
	vmmap_object_put(object);
	assert_int_equal(vmmap_object_create(&object, maps_memory, NULL, 1, NULL), 0);
	assert_int_equal(physmem_create(&other, NULL), 0);
	assert_int_equal(vmmap_object_create(&foreign, other, "foreign", PAGE, NULL), 0);
	refuses(map, -EINVAL, vmmap_mmap(map, BASE, PAGE, RW, MAP_SHARED | MAP_FIXED, foreign, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, BASE, SPACE, PAGE, 0, PAGE, RW, MAP_SHARED, foreign, 0));
	vmmap_object_put(foreign);
	vmmap_object_put(NULL);
	vmmap_object_put(object);
	maps_free(map);
	physmem_destroy(other);
}

static void test_within(void **state)
{
	struct vmmap *map = maps_new(*state);
	const uint64_t lo = BASE, hi = BASE + 16 * PAGE, huge = UINT64_C(1) << 21;

	maps_fixed(map, 0, 10, RW, NORES);
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, PAGE, 0, 0, RW, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, 0, 0, PAGE, RW, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, PAGE / 2, 0, PAGE, RW, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, 3 * PAGE, 0, PAGE, RW, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, PAGE, PAGE, PAGE, RW, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, huge, huge + PAGE, PAGE, RW, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, huge, 8, PAGE, RW, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, hi, lo, PAGE, 0, PAGE, RW, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, PAGE, 0, PAGE, RW, NORES | MAP_FIXED, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, PAGE, 0, PAGE, RW, NORES | MAP_FIXED_NOREPLACE, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, PAGE, 0, PAGE, 0x100, NORES, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, PAGE, 0, PAGE, RW, MAP_ANONYMOUS, NULL, 0));
	refuses(map, -EINVAL, vmmap_mmap_within(map, lo, hi, PAGE, 0, PAGE, RW, NORES, NULL, 7));
	refuses(map, -EBADF, vmmap_mmap_within(map, lo, hi, PAGE, 0, PAGE, RW, MAP_PRIVATE, NULL, 0));
	refuses(map, -ENOMEM, vmmap_mmap_within(map, lo, hi, PAGE, 0, UINT64_MAX - 5, RW, NORES, NULL, 0));
	refuses(map, -ENOMEM, vmmap_mmap_within(map, lo, hi, PAGE, 0, FAR, RW, NORES, NULL, 0));
	refuses(map, -ENOMEM, vmmap_mmap_within(map, lo, hi, PAGE, 0, 7 * PAGE, RW, NORES, NULL, 0));
	refuses(map, -ENOMEM, vmmap_mmap_within(map, lo, hi, huge, PAGE, PAGE, RW, NORES, NULL, 0));
	refuses(map, -ENOMEM, vmmap_mmap_within(map, lo, lo, PAGE, 0, PAGE, RW, NORES, NULL, 0));
	refuses(map, -ENOMEM, vmmap_mmap_within(map, lo + 11 * PAGE + 1, lo + 13 * PAGE - 1, PAGE, 0, PAGE, RW, NORES,
						NULL, 0));
	refuses(map, -ENOMEM, vmmap_mmap_within(map, 0, 0x10000, PAGE, 0, PAGE, RW, NORES, NULL, 0));   /* below lo */
	refuses(map, -ENOMEM, vmmap_mmap_within(map, SPACE, UINT64_MAX, PAGE, 0, PAGE, RW, NORES, NULL, 0));
	refuses(map, -ENOMEM, vmmap_mmap_within(map, UINT64_MAX - 7, UINT64_MAX, PAGE, 0, PAGE, RW, NORES, NULL, 0));
	maps_are(map, "0-10rw");
	maps_free(map);
}

static void test_break(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map = maps_new(*state);

	refuses(map, -ENOMEM, vmmap_brk(map, BASE));
	maps_free(map);
	config.policy = *state;
	config.brk_start = BASE;
	config.hi = BASE + 64 * PAGE;
	assert_int_equal(vmmap_create(&map, &config), 0);
	assert_int_equal(vmmap_brk(map, BASE + 3 * PAGE), BASE + 3 * PAGE);
	refuses(map, BASE + 3 * PAGE, vmmap_brk(map, 0));
	refuses(map, BASE + 3 * PAGE, vmmap_brk(map, BASE - 1));
	refuses(map, BASE + 3 * PAGE, vmmap_brk(map, config.hi + 1));
	refuses(map, BASE + 3 * PAGE, vmmap_brk(map, UINT64_MAX));
	vmmap_destroy(map);
}

static int code_of(struct vmmap *map, uint64_t addr, int access)
{
	struct vmmap_fault_info info = { 0 };
	int err = vmmap_fault(map, addr, access, &info);

	assert_int_equal(vmmap_fault(map, addr, access, NULL), err);
	return err == -EFAULT ? (int)info.code : err;
}

static void test_accesses(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_object *object;
	char byte[8] = "abcdefg";

	maps_fixed(map, 0, 1, RW, NORES);
	maps_fixed(map, 1, 1, PROT_READ, NORES);
	maps_fixed(map, 2, 1, PROT_NONE, NORES);
	assert_int_equal(vmmap_object_create(&object, maps_memory, "short", 10, NULL), 0);
	assert_int_equal(vmmap_mmap(map, BASE + 4 * PAGE, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, object, 0),
			 BASE + 4 * PAGE);
	assert_int_equal(vmmap_mmap(map, BASE + 6 * PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, object, 0),
			 BASE + 6 * PAGE);
	vmmap_object_put(object);
	refuses(map, -EINVAL, code_of(map, BASE, 0));
	refuses(map, -EINVAL, code_of(map, BASE, RW));
	refuses(map, -EINVAL, code_of(map, BASE, 8));
	refuses(map, -EINVAL, code_of(map, BASE, -1));
	refuses(map, VMMAP_MAPERR, code_of(map, BASE + 3 * PAGE, PROT_READ));
	refuses(map, VMMAP_MAPERR, code_of(map, 0, PROT_READ));
	refuses(map, VMMAP_MAPERR, code_of(map, SPACE - 1, PROT_WRITE));
	refuses(map, VMMAP_MAPERR, code_of(map, SPACE, PROT_WRITE));
	refuses(map, VMMAP_MAPERR, code_of(map, UINT64_MAX, PROT_EXEC));
	refuses(map, VMMAP_ACCERR, code_of(map, BASE + PAGE, PROT_WRITE));
	refuses(map, VMMAP_ACCERR, code_of(map, BASE, PROT_EXEC));
	refuses(map, VMMAP_ACCERR, code_of(map, BASE + 2 * PAGE, PROT_READ));
	refuses(map, VMMAP_BUS, code_of(map, BASE + 5 * PAGE, PROT_READ));
	refuses(map, VMMAP_BUS, code_of(map, BASE + 5 * PAGE, PROT_WRITE));
	refuses(map, VMMAP_BUS, code_of(map, BASE + 7 * PAGE, PROT_WRITE));
	refuses(map, -EFAULT, vmmap_read(map, BASE + 3 * PAGE, byte, 1));
	refuses(map, -EFAULT, vmmap_read(map, BASE + 2 * PAGE, byte, 1));
	refuses(map, -EFAULT, vmmap_write(map, BASE + PAGE, byte, 1));
	refuses(map, -EFAULT, vmmap_write(map, BASE + 5 * PAGE, byte, 1));
	refuses(map, -EFAULT, vmmap_read(map, SPACE, byte, sizeof byte));
	refuses(map, -EFAULT, vmmap_write(map, UINT64_MAX, byte, sizeof byte));
	refuses(map, -EFAULT, vmmap_write(map, SPACE - 1, byte, SIZE_MAX));
	refuses(map, 0, vmmap_read(map, BASE + 3 * PAGE, byte, 0));
	refuses(map, 0, vmmap_write(map, UINT64_MAX, byte, 0));
	assert_string_equal(byte, "abcdefg");                    /* nothing was copied out */
	assert_int_equal(vmmap_write(map, BASE + PAGE - 3, byte, sizeof byte), 3);      /* up to the read-only page */
	assert_int_equal(vmmap_read(map, BASE + 2 * PAGE - 5, byte, sizeof byte), 5);   /* up to PROT_NONE */
	maps_free(map);
}

static void test_resize_and_sync(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_object *object;
	struct vmmap_vma vma;
	uint64_t at = BASE + 4 * PAGE;

	maps_fixed(map, 0, 2, RW, NORES);
	assert_int_equal(vmmap_object_create(&object, maps_memory, "file", 3 * PAGE, NULL), 0);
	assert_int_equal(vmmap_mmap(map, at, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, object, 0), at);
	assert_int_equal(vmmap_fault(map, at, PROT_WRITE, NULL), 0);
	refuses(map, -EINVAL, vmmap_object_resize(object, SPACE));
	refuses(map, -EINVAL, vmmap_object_resize(object, UINT64_MAX));
	assert_int_equal(vmmap_object_size(object), 3 * PAGE);
	refuses(map, 0, vmmap_object_resize(object, 3 * PAGE));
	refuses(map, 0, vmmap_object_sync(object, 0, UINT64_MAX));
	refuses(map, 0, vmmap_object_sync(object, UINT64_MAX, UINT64_MAX));
	refuses(map, 0, vmmap_object_sync(object, 5, 0));
	refuses(map, -EINVAL, vmmap_msync(map, at + 1, PAGE, MS_SYNC));
	refuses(map, -EINVAL, vmmap_msync(map, at, PAGE, MS_SYNC | MS_ASYNC));
	refuses(map, -EINVAL, vmmap_msync(map, at, PAGE, 8));
	refuses(map, -EINVAL, vmmap_msync(map, at, 0, -1));
	refuses(map, 0, vmmap_msync(map, SPACE, 0, MS_SYNC));
	refuses(map, 0, vmmap_msync(map, at, UINT64_MAX, MS_SYNC));      /* rounds up to nothing */
	refuses(map, -ENOMEM, vmmap_msync(map, at, UINT64_MAX - PAGE, MS_SYNC));
	refuses(map, -ENOMEM, vmmap_msync(map, SPACE, PAGE, MS_SYNC));
	refuses(map, -ENOMEM, vmmap_msync(map, UINT64_MAX - PAGE + 1, PAGE, MS_SYNC));
	refuses(map, -ENOMEM, vmmap_msync(map, BASE, 8 * PAGE, MS_SYNC));
	refuses(map, -ENOMEM, vmmap_msync(map, BASE, 8 * PAGE, MS_ASYNC));
	refuses(map, 0, vmmap_msync(map, at, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
	refuses(map, 0, vmmap_msync(map, at, 4 * PAGE, 0));
	assert_int_equal(vmmap_query(map, at, &vma), 0);
	assert_int_equal(vma.end, at + 4 * PAGE);
	vmmap_object_put(object);
	maps_free(map);
}

static int stop_at_once(const struct vmmap_vma *v, void *arg)
{
	(void)v;
	++*(unsigned *)arg;
	return 5;
}

static void test_looking(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_vma vma = { .start = 77 };
	unsigned calls = 0;

	maps_fixed(map, 0, 4, RW, NORES);
	refuses(map, -ENOENT, vmmap_query(map, BASE + 4 * PAGE, &vma));
	refuses(map, -ENOENT, vmmap_query(map, SPACE, &vma));
	refuses(map, -ENOENT, vmmap_query(map, UINT64_MAX, &vma));
	assert_int_equal(vma.start, 77);
	refuses(map, 0, vmmap_walk(map, BASE + PAGE, BASE + PAGE, stop_at_once, &calls));
	refuses(map, 0, vmmap_walk(map, BASE + PAGE, BASE, stop_at_once, &calls));
	refuses(map, 0, vmmap_walk(map, FAR, UINT64_MAX, stop_at_once, &calls));
	assert_int_equal(calls, 0);
	refuses(map, 5, vmmap_walk(map, BASE + PAGE, UINT64_MAX, stop_at_once, &calls));
	assert_int_equal(calls, 1);
	maps_free(map);
}

static void test_hold(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_held held;
	char *before;

	maps_fixed(map, 0, 8, RW, NORES);
	assert_int_equal(maps_touch(map, 3), 0);
	refuses(map, -EINVAL, vmmap_hold(map, BASE + 1, PAGE, &held));
	refuses(map, -EINVAL, vmmap_hold(map, BASE, 0, &held));
	refuses(map, -EINVAL, vmmap_hold(map, BASE, UINT64_MAX - 5, &held));
	refuses(map, -EINVAL, vmmap_hold(map, UINT64_MAX - PAGE + 1, 2 * PAGE, &held));
	refuses(map, -EINVAL, vmmap_hold(map, SPACE - PAGE, 2 * PAGE, &held));
	refuses(map, -EINVAL, vmmap_hold(map, SPACE, PAGE, &held));
	refuses(map, -EINVAL, vmmap_hold(map, BASE, PAGE, NULL));
	before = listing(map);
	assert_int_equal(vmmap_hold(map, BASE + 2 * PAGE, 10 * PAGE - 1, &held), 0);    /* cuts a VMA, holds a gap */
	assert_int_equal(held.lo, BASE + 2 * PAGE);
	assert_int_equal(held.hi, BASE + 12 * PAGE);
	vmmap_release(map, &held);
	assert_int_equal(changed(map, before, "hold and release"), 0);
	maps_free(map);
}

/* A form with a deadline refuses what the plain one refuses, whatever the deadline, over or not. */
static void test_until(void **state)
{
	static const uint64_t deadlines[] = { VMMAP_TRY, 1, VMMAP_FOREVER - 1, VMMAP_FOREVER };
	struct vmmap *map = maps_new(*state);
	struct vmmap_held held;
	char byte = 'a';
	uint64_t pfn;

	maps_fixed(map, 0, 8, RW, NORES);
	for (unsigned i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
		const uint64_t until = deadlines[i];

		refuses(map, -EINVAL, vmmap_mmap_until(map, BASE + 1, PAGE, RW, NORES | MAP_FIXED, NULL, 0, until));
		refuses(map, -EEXIST,
			vmmap_mmap_until(map, BASE, PAGE, RW, NORES | MAP_FIXED_NOREPLACE, NULL, 0, until));
		refuses(map, -ENOMEM,
			vmmap_mmap_within_until(map, BASE, BASE + 8 * PAGE, PAGE, 0, PAGE, RW, NORES, NULL, 0, until));
		refuses(map, -EINVAL, vmmap_munmap_until(map, BASE, 0, until));
		refuses(map, -EINVAL, vmmap_mprotect_until(map, BASE, PAGE, 0x100, until));
		refuses(map, 0, vmmap_mprotect_until(map, BASE, 0, RW, until));
		refuses(map, -EFAULT, vmmap_mremap_until(map, BASE + 9 * PAGE, PAGE, 2 * PAGE, 0, 0, until));
		refuses(map, -EINVAL, vmmap_mremap_until(map, BASE, PAGE, PAGE, MREMAP_FIXED, BASE, until));
		refuses(map, -EINVAL, vmmap_madvise_until(map, BASE, PAGE, 77, until));
		refuses(map, -EINVAL, vmmap_mlock_until(map, BASE, PAGE, 2, until));
		refuses(map, -ENOMEM, vmmap_mlock_until(map, BASE + 9 * PAGE, PAGE, 0, until));
		refuses(map, -EINVAL, vmmap_munlock_until(map, 0 - PAGE, PAGE, until));
		refuses(map, -ENOMEM, vmmap_munlock_until(map, BASE + 9 * PAGE, PAGE, until));
		refuses(map, -ENOMEM, vmmap_brk_until(map, BASE, until));
		refuses(map, -EINVAL, vmmap_fault_until(map, BASE, RW, NULL, until));
		refuses(map, -EFAULT, vmmap_fault_until(map, BASE + 9 * PAGE, PROT_READ, NULL, until));
		refuses(map, -EFAULT, vmmap_read_until(map, BASE + 9 * PAGE, &byte, 1, until));
		refuses(map, -EFAULT, vmmap_write_until(map, SPACE, &byte, 1, until));
		refuses(map, -EINVAL, vmmap_pin_until(map, BASE, 0, &pfn, until));
		refuses(map, -EFAULT, vmmap_pin_until(map, BASE + 9 * PAGE, PAGE, &pfn, until));
		refuses(map, -EINVAL, vmmap_hold_until(map, BASE, PAGE, NULL, until));
		refuses(map, -EINVAL, vmmap_hold_until(map, BASE, 0, &held, until));
	}
	maps_free(map);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_config), cmocka_unit_test(test_frames), cmocka_unit_test(test_objects),
	cmocka_unit_test(test_resize_and_sync),
	cmocka_unit_test(test_within), cmocka_unit_test(test_break), cmocka_unit_test(test_accesses),
	cmocka_unit_test(test_looking), cmocka_unit_test(test_hold), cmocka_unit_test(test_until),
};
MAPS_MAIN(tests)
