/* SPDX-License-Identifier: MIT */
/*
 * test_physseg_frame.c - byte address to frame and back: against segments, at every edge, in one array and in sections;
 * and with so little address space that there is no choice.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/phys/physseg_tables.h"
#include "vmmap/phys/physseg_impl.h"

#define LIMIT 100000u                                    /* more than 24 sections                                  */

static struct physseg_table *t;

#define each_kind(i) (unsigned i = 0; i < ARRAY_SIZE(kinds) && open_table(&kinds[i]); table_end(t), i++)

static bool open_table(const struct kind *kind)
{
	t = table_of(kind, 0, LIMIT);
	return true;
}

/* The frame is there, is found by each of its ends, and says where it is; or it is not there. */
static void assert_frame(uint64_t pfn, bool there)
{
	struct physseg_frame *frame = physseg_phys_to_frame(t, pfn << PAGE_SHIFT);

	assert_int_equal(frame != NULL, there);
	assert_ptr_equal(physseg_phys_to_frame(t, (pfn << PAGE_SHIFT) + PAGE_BYTES - 1), frame);
	assert_int_equal(physseg_frame_to_phys(t, frame), there ? pfn << PAGE_SHIFT : PHYSSEG_NONE);
}

static void frames_have_addresses(void **state)
{
	(void)state;
	for each_kind(i) {
		plug(t, 4090, 20);                               /* across two sections                            */
		plug(t, LIMIT - 1, 1);
		for (uint64_t pfn = 4000; pfn < 4200; pfn++)
			assert_frame(pfn, pfn >= 4090 && pfn < 4110);
		assert_frame(LIMIT - 1, true);
		assert_frame(LIMIT, false);
		assert_frame(50000, false);                      /* in a section where nothing has ever been       */
		assert_null(physseg_phys_to_frame(t, UINT64_MAX));
		assert_int_equal(physseg_frame_to_phys(t, NULL), PHYSSEG_NONE);
	}
}

static void frames_go_with_their_segment(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_frame *first, *middle;

		plug(t, 0, 1);
		plug(t, 100, 100);
		first = physseg_phys_to_frame(t, 100 * PAGE_BYTES);
		middle = physseg_phys_to_frame(t, 150 * PAGE_BYTES);
		assert_int_equal(physseg_unplug(t, 140, 20), 0);
		assert_int_equal(physseg_frame_to_phys(t, middle), PHYSSEG_NONE);
		for (uint64_t pfn = 90; pfn < 210; pfn++)
			assert_frame(pfn, pfn >= 100 && pfn < 200 && (pfn < 140 || pfn >= 160));
		plug(t, 150, 1);
		assert_ptr_equal(physseg_phys_to_frame(t, 150 * PAGE_BYTES), middle);
		assert_int_equal(physseg_unplug(t, 100, 40), 0);
		assert_int_equal(physseg_frame_to_phys(t, first), PHYSSEG_NONE);
		assert_frame(139, false);
	}
}

/* A frame that boot code has stolen is no frame of ours, unless its segment stays whole. */
static void stolen_frames(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = load(t, BOOT(100, 200, 100, 200, 1));
		uint64_t pfn;

		assert_int_equal(physseg_unload(t, h, 1, &pfn), 0);
		assert_frame(pfn, false);
		assert_int_equal(physseg_set_avail(t, h, 150, 200), 0);
		assert_int_equal(physseg_unload(t, h, 1, &pfn), 0);
		assert_frame(pfn, false);
		assert_int_equal(physseg_unload_force(t, h, &pfn), 0);
		assert_int_equal(pfn, 150);
		assert_frame(pfn, true);
	}
}

static void frames_of_segments(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = plug(t, 100, 50);

		plug(t, 200, 50);
		for (uint64_t n = 0; n < 50; n++)
			assert_ptr_equal(physseg_frame(t, h, n), physseg_phys_to_frame(t, (100 + n) * PAGE_BYTES));
		assert_null(physseg_frame(t, h, 50));
		assert_null(physseg_frame(t, h, UINT64_MAX));
		assert_null(physseg_frame(t, PHYSSEG_INVALID, 0));
		assert_int_equal(physseg_unplug(t, 100, 50), 0);
		assert_true(kinds[i].places || physseg_frame(t, h, 0) == NULL);
	}
}

/* Tables that begin high up keep no words for what is below. */
static void high_tables(void **state)
{
	const uint64_t base = (UINT64_C(1) << 40) - (1 << 20);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		t = table_of(&kinds[i], base, base + (1 << 20));
		assert_true(mem_bytes(MEM_FRAME) < UINT64_C(64) << 20);
		plug(t, base, 1);
		plug(t, base + (1 << 20) - 5, 5);
		assert_frame(base, true);
		assert_frame(base - 1, false);
		assert_frame(base + (1 << 20) - 1, true);
		assert_frame(base + (1 << 20), false);
		assert_frame(0, false);
		table_end(t);
	}
}

/* Every frame of a random machine, against what find says. */
static void frames_and_segments_agree(void **state)
{
	(void)state;
	for each_kind(i) {
		struct prng random = prng_seed(5, i);

		for (unsigned k = 0; k < 600; k++) {
			uint64_t pfn = prng_below(&random, LIMIT), pages = 1 + prng_below(&random, 300);

			if (prng_below(&random, 3))
				(void)physseg_plug(t, pfn, pages, NULL);
			else
				(void)physseg_unplug(t, pfn, pages);
		}
		for (uint64_t pfn = 0; pfn < LIMIT; pfn++) {
			uint64_t offset = 0;
			struct physseg_handle h = physseg_find(t, pfn, &offset);
			struct physseg_frame *frame = physseg_phys_to_frame(t, pfn << PAGE_SHIFT);

			assert_int_equal(physseg_valid(t, h), frame != NULL);
			if (frame != NULL && pfn % 16 == 0)
				assert_ptr_equal(physseg_frame(t, h, offset), frame);
		}
	}
}

/* ---- little address space ---- */

/* In a child: it may map a twentieth of what a table for 4 TiB reserves. */
static int in_little_space(void)
{
	struct rlimit little = { UINT64_C(512) << 20, UINT64_C(512) << 20 };
	struct physseg_config config = PHYSSEG_CONFIG;
	uint64_t phys = UINT64_C(0xabcdef) << PAGE_SHIFT;

	config.limit = 1 << 30;
	if (setrlimit(RLIMIT_AS, &little) != 0 || physseg_create(&t, &config) != 0)
		return 1;
	if (physseg_plug(t, 0xabcd00, 0x1000, NULL) != 0 || t->frame.flat != NULL || t->bitmap.at.flat != NULL)
		return 2;
	if (physseg_frame_to_phys(t, physseg_phys_to_frame(t, phys)) != phys)
		return 3;
	if (!(physseg_find(t, 0xabcdef, NULL).generation & 1) || physseg_phys_to_frame(t, 0) != NULL)
		return 4;
	if (physseg_plug(t, 1 << 26, 1 << 27, NULL) != -ENOMEM || physseg_count(t) != 1)
		return 5;                                        /* records of 512 GiB do not fit                   */
	return physseg_audit(t, stderr) != 0 ? 6 : 0;
}

static void little_address_space(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip();                                                  /* shadows want more than that for themselves      */
#endif
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(in_little_space());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Each allocation of physseg_create fails once: without an array there are sections, else it says so. */
static void creation_wants_for_memory(void **state)
{
	uint64_t before = mem_bytes(MEM_FRAME);
	unsigned failed = 0, sectioned = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct physseg_config config = PHYSSEG_CONFIG;
		bool fired = true;

		config.index = kinds[i].index;
		config.sections = kinds[i].sections;
		for (uint64_t nth = 1; fired; nth++) {
			int err;

			mem_fail_nth(nth);
			err = physseg_create(&t, &config);
			fired = mem_fail_fired();
			mem_fail_nth(0);
			assert_true(err == 0 || (err == -ENOMEM && fired));
			failed += err != 0;
			if (err == 0) {
				sectioned += fired;
				plug(t, 70000, 10);
				assert_frame(70009, true);
				table_end(t);
			}
			assert_int_equal(mem_bytes(MEM_FRAME), before);
		}
	}
	assert_true(failed > 0);
	assert_true(sectioned >= 3);
}

/* ---- two plugs into one section ---- */

static void plug_beside(void *arg)
{
	(void)arg;
	plug(t, 200, 10);
}

static bool both_are_there(void)
{
	bool good;

	open_table(&kinds[1]);
	assert_int_equal(point_call("plug", "physseg_section_made", plug_beside, NULL), 0);
	point_role("plug");
	plug(t, 100, 10);
	point_role(NULL);
	good = physseg_phys_to_frame(t, 100 * PAGE_BYTES) != NULL && physseg_phys_to_frame(t, 205 * PAGE_BYTES) != NULL;
	assert_int_equal(physseg_audit(t, good ? stderr : NULL) == 0, good);
	physseg_destroy(t);
	return good;
}

static void two_make_one_section(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(both_are_there());
	assert_int_equal(point_mutant_select("physseg_section_twice"), 0);
	assert_false(both_are_there());
	point_reset();
}

/* ---- beside changes ---- */

static atomic_u32 over, wrong;

static void *churn(void *arg)
{
	struct prng random = prng_seed(7, 1);

	(void)arg;
	for (unsigned i = 0; i < 4000; i++) {
		uint64_t pfn = 8000 + prng_below(&random, 400), pages = 1 + prng_below(&random, 100);

		if (prng_below(&random, 2))
			(void)physseg_plug(t, pfn, pages, NULL);
		else
			(void)physseg_unplug(t, pfn, pages);
	}
	atomic_store_relaxed(&over, 1);
	return NULL;
}

/* A frame that stays is found; one that comes and goes is not there or where it belongs. */
static void *look_up(void *arg)
{
	struct prng random = prng_seed(8, (uintptr_t)arg);

	while (!atomic_load_relaxed(&over)) {
		uint64_t phys = (8000 + prng_below(&random, 500)) << PAGE_SHIFT;
		uint64_t back = physseg_frame_to_phys(t, physseg_phys_to_frame(t, phys));
		uint64_t stays = (7900 + prng_below(&random, 100)) << PAGE_SHIFT;

		if ((back != PHYSSEG_NONE && back != phys) ||
		    physseg_frame_to_phys(t, physseg_phys_to_frame(t, stays)) != stays)
			atomic_add_relaxed(&wrong, 1);
	}
	return NULL;
}

static void frames_beside_changes(void **state)
{
	(void)state;
	for each_kind(i) {
		pthread_t thread[3];

		atomic_store_relaxed(&over, 0);
		plug(t, 7900, 100);
		for (uintptr_t k = 0; k < 3; k++)
			pthread_create(&thread[k], NULL, k == 0 ? churn : look_up, (void *)k);
		for (unsigned k = 0; k < 3; k++)
			pthread_join(thread[k], NULL);
		assert_int_equal(atomic_load_relaxed(&wrong), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_have_addresses),
		cmocka_unit_test(frames_go_with_their_segment),
		cmocka_unit_test(stolen_frames),
		cmocka_unit_test(frames_of_segments),
		cmocka_unit_test(high_tables),
		cmocka_unit_test(frames_and_segments_agree),
		cmocka_unit_test(little_address_space),
		cmocka_unit_test(creation_wants_for_memory),
		cmocka_unit_test(two_make_one_section),
		cmocka_unit_test(frames_beside_changes),
	};

	return cmocka_run_group_tests_name("physseg_frame", tests, NULL, NULL);
}
