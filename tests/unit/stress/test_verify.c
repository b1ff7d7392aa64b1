/* SPDX-License-Identifier: MIT */
/*
 * test_verify.c - no false alarm: what the verifier holds an answer against is the state in which it was given.
 *
 * mutant: verify_content_late
 * mutant: verify_tracks_shared
 * mutant: verify_probe_owns
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/point.h"
#include "stress/profile.h"
#include "stress/verify_in.h"
#include "vmmap/vmmap.h"

#define PLACE  (UINT64_C(1) << 32)
#define SECOND UINT64_C(1000000000)

extern const struct profile profile_race, profile_stack_threads;

static struct verify *verify;
static struct physmem *pm;
static struct vmmap *map;

static int setup(void **state)
{
	struct verify_config config = { .stamps = true, .plant = SIN_NONE, .threads = 2, .seed = 1 };
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config c = VMMAP_CONFIG;

	(void)state;
	memory.pages = 1 << 10;
	memory.bytes = 1;
	if (physmem_create(&pm, &memory))
		return -1;
	c.physmem = pm;
	verify = verify_create(&config);
	if (!verify || vmmap_create(&map, &c))
		return -1;
	verify_attach(verify, map, pm, &profile_race);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vmmap_destroy(map);
	verify_gone(verify);
	verify_destroy(verify);
	physmem_destroy(pm);
	return 0;
}

/* ---- a page is dropped between a load of it and the verdict ---- */

static void *reader(void *arg)
{
	(void)arg;
	verify_write(verify_thread_at(verify, 0), PLACE);
	point_role("reader");
	verify_read(verify_thread_at(verify, 0), PLACE);
	point_role(NULL);
	return NULL;
}

static void a_drop_after_the_load_is_no_breach(void **state)
{
	struct verify_thread *other = verify_thread_at(verify, 1);
	pthread_t t;

	(void)state;
	if (!point_available())
		skip();
	verify_mmap(other, PLACE, VMMAP_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
	point_stop("reader", "verify_read_looked", NULL, NULL);
	pthread_create(&t, NULL, reader, NULL);
	assert_true(point_wait_reached("reader", "verify_read_looked", 2 * SECOND));
	verify_madvise(other, PLACE, VMMAP_PAGE_SIZE, MADV_DONTNEED);
	point_release("reader", "verify_read_looked");
	pthread_join(t, NULL);
	assert_int_equal(verify_violations(verify), 0);
	assert_int_equal(point_timeouts(), 0);
}

/* ---- a shared page has a second address ---- */

/* A piece of a shared mapping is moved away and grows there: over a page of the object that was not moved, and is
 * written through its new address. */
static void an_alias_is_no_breach(void **state)
{
	struct verify_thread *t = verify_thread_at(verify, 0);
	const uint64_t page = VMMAP_PAGE_SIZE, alias = PLACE + 64 * page;
	struct verify_remap move = { PLACE, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, alias },
			    grow = { alias, page, 4 * page, 0, 0 };

	(void)state;
	verify_mmap(t, PLACE, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
	assert_int_equal(verify_mremap(t, move), alias);
	assert_int_equal(verify_mremap(t, grow), alias);
	assert_int_equal(verify_write(t, alias + 2 * page), 0);
	for (unsigned i = 0; i < 64; i++)                /* now and then the whole page                            */
		assert_int_equal(verify_read(t, PLACE + 2 * page), 0);
	assert_int_equal(verify_violations(verify), 0);
}

/* ---- a page unmapped by one thread is another's before the first has probed it ---- */

static void a_probe_of_anothers_page_is_no_breach(void **state)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	int64_t got;

	(void)state;
	verify_attach(verify, map, pm, &profile_stack_threads);  /* pages have owners there                    */
	got = verify_mmap(verify_thread_at(verify, 1), 0, VMMAP_PAGE_SIZE, PROT_READ | PROT_WRITE, flags);
	assert_true(got > 0);
	verify_probe_ghost(verify_thread_at(verify, 0), (uint64_t)got);
	assert_int_equal(verify_violations(verify), 0);
	assert_int_equal(verify_read(verify_thread_at(verify, 0), (uint64_t)got), 0);
	assert_int_equal(verify_violations(verify), 1);          /* but for a probe it is one                  */
}

/* ---- the run as a whole ---- */

/* A run above the bound of overtakes is a violation, named so; one at the bound is none. */
static void above_the_bound(void **state)
{
	const struct verify_config config = { .stamps = true, .plant = SIN_NONE, .threads = 4, .seed = 1 };
	struct verify *v = verify_create(&config);

	(void)state;
	assert_non_null(v);
	verify_overtakes(v, 6);
	assert_int_equal(verify_violations(v), 0);
	verify_overtakes(v, 7);
	assert_int_equal(verify_violations(v), 1);
	assert_string_equal(verify_sin_name[verify_first(v)], "overtaken");
	verify_destroy(v);
}

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_drop_after_the_load_is_no_breach, setup, teardown),
		cmocka_unit_test_setup_teardown(an_alias_is_no_breach, setup, teardown),
		cmocka_unit_test_setup_teardown(a_probe_of_anothers_page_is_no_breach, setup, teardown),
		cmocka_unit_test(above_the_bound),
	};

	if (mutant && *mutant && point_mutant_select(mutant))
		return 99;
	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
