/* SPDX-License-Identifier: MIT */
/* test_show.c - what is told of a map: print_maps, dump, and the process-wide counters. */
#include "base/thread.h"
#include "tests/unit/base/crew.h"
#include "tests/unit/space/maps.h"

static char *text;
static size_t text_bytes;

static FILE *text_open(void)
{
	free(text);
	text = NULL;
	return open_memstream(&text, &text_bytes);
}

static struct vmmap *some_map(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_object *file;

	assert_int_equal(vmmap_object_create(&file, maps_memory, "some file", 16 * PAGE, NULL), 0);
	assert_true(maps_fixed(map, 0, 4, RW, ANON) > 0);
	assert_true(maps_fixed(map, 4, 1, PROT_NONE, ANON) > 0);
	assert_true(vmmap_mmap(map, BASE + 16 * PAGE, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, file,
			       3 * PAGE) > 0);
	vmmap_object_put(file);
	return map;
}

/* As proc_pid_maps(5) has it: the name begins in column 74. */
static void maps_as_proc_prints_them(void **state)
{
	struct vmmap *map = some_map(state);
	char expected[512];
	struct vmmap_vma vma;
	FILE *out = text_open();

	assert_int_equal(vmmap_query(map, BASE + 16 * PAGE, &vma), 0);
	assert_int_equal(vmmap_print_maps(map, out), 0);
	fclose(out);
	snprintf(expected, sizeof expected,
		 "100000000-100004000 rw-p 00000000 00:00 0 \n"
		 "100004000-100005000 ---p 00000000 00:00 0 \n"
		 "100010000-100012000 r-xs 00003000 00:00 %-33llusome file\n",
		 (unsigned long long)vma.object);
	assert_string_equal(text, expected);
	maps_free(map);
}

static void a_full_device_is_told(void **state)
{
	struct vmmap *map = some_map(state);
	FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(vmmap_print_maps(map, full), -EIO);
	fclose(full);
	maps_free(map);
}

static void dump_names_policy_and_holder(void **state)
{
	struct vmmap *map = some_map(state);
	struct vmmap_held held;
	size_t quiet;
	FILE *out = text_open();

	vmmap_dump(map, out);
	fclose(out);
	quiet = text_bytes;
	assert_non_null(strstr(text, *state));
	assert_non_null(strstr(text, "some file"));
	assert_int_equal(vmmap_hold(map, BASE + PAGE, PAGE, &held), 0);
	out = text_open();
	vmmap_dump(map, out);
	fclose(out);
	vmmap_release(map, &held);
	assert_true(strcmp(*state, "none") == 0 || text_bytes != quiet);
	maps_free(map);
}

static void *wait_for_it(void *arg)
{
	uint64_t before = vmmap_blocked_self();

	if (vmmap_munmap(arg, BASE, 4 * PAGE))
		return NULL;
	return (void *)(uintptr_t)(vmmap_blocked_self() - before);
}

/* A thread that waits for a range is counted, for itself and for all. */
static void who_waits_is_counted(void **state)
{
	struct vmmap *map = some_map(state);
	uint64_t blocked = vmmap_blocked_total(), waits = vmmap_grace_period_waits();
	struct vmmap_held held;
	void *by_itself = NULL;
	pthread_t t;

	if (strcmp(*state, "none") != 0) {
		assert_int_equal(vmmap_hold(map, BASE, PAGE, &held), 0);
		t = crew_start(wait_for_it, map);
		while (vmmap_blocked_total() == blocked)
			crew_sleep(MS);
		vmmap_release(map, &held);
		assert_int_equal(pthread_join(t, &by_itself), 0);
		assert_true((uintptr_t)by_itself > 0);
		assert_true(vmmap_blocked_total() >= blocked + (uintptr_t)by_itself);
	}
	assert_int_equal(vmmap_grace_period_waits(), waits);
	maps_free(map);
	assert_true(vmmap_grace_period_waits() > waits);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(maps_as_proc_prints_them),
	cmocka_unit_test(a_full_device_is_told),
	cmocka_unit_test(dump_names_policy_and_holder),
	cmocka_unit_test(who_waits_is_counted),
};

MAPS_MAIN(tests)
