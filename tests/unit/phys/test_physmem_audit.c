/* SPDX-License-Identifier: MIT */
/* test_physmem_audit.c - each kind of damage is reported: frames are moved behind the allocator's back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/phys/outside.h"

static struct physmem *pm;
static uint64_t pfn[200];

static int setup(void **state)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct thread_slot *self = thread_self();

	(void)state;
	config.pages = 4096;
	if (physmem_create(&pm, &config))
		return -1;
	for (int i = 0; i < 200; i++)
		pfn[i] = frame_alloc(pm, self);
	for (int i = 0; i < 150; i++)
		frame_defer(pm, self, pfn[i]);
	for (int i = 150; i < 190; i++)
		frame_free(pm, self, pfn[i]);
	return physmem_audit(pm, stderr) != 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 190; i < 200; i++)
		frame_free(pm, thread_self(), pfn[i]);
	physmem_destroy(pm);
	return 0;
}

static struct frame_slot *my_slot(void)
{
	return thread_local_at(&pm->slots, thread_self()->number);
}

static void assert_found(void)
{
	assert_true(physmem_audit(pm, NULL) > 0);
}

static void test_wrong_state(void **state)
{
	atomic_u64 *word = &pm->word[my_slot()->cache[0].loaded - 1];
	uint64_t was = *word;

	(void)state;
	*word = frame_word(was, FRAME_DEFERRED, frame_link(was));
	assert_found();
	*word = was;
	assert_int_equal(physmem_audit(pm, stderr), 0);
}

static void test_lost_frame(void **state)
{
	struct frame_slot *slot = my_slot();
	uint32_t was = slot->cache[0].loaded;

	(void)state;
	slot->cache[0].loaded = frame_link(pm->word[was - 1]);
	slot->cache[0].loaded_n--;
	assert_found();
	slot->cache[0].loaded = was;
	slot->cache[0].loaded_n++;
	assert_int_equal(physmem_audit(pm, stderr), 0);
}

static void test_owned_frame_in_a_chain(void **state)
{
	atomic_u64 *word = &pm->word[my_slot()->cache[0].loaded - 1];
	uint64_t was = *word;

	(void)state;
	*word = frame_word(was, FRAME_OWNED, frame_link(was));
	assert_found();
	*word = was;
}

static void test_frame_in_two_chains(void **state)
{
	struct frame_slot *slot = my_slot();
	uint32_t spare = slot->cache[0].spare, loaded = slot->cache[0].loaded;

	(void)state;
	slot->cache[0].spare = loaded;
	assert_found();
	slot->cache[0].spare = spare;
}

static void test_wrong_counts(void **state)
{
	struct frame_slot *slot = my_slot();

	(void)state;
	slot->cache[0].loaded_n++;
	assert_found();
	slot->cache[0].loaded_n--;
	slot->open_n--;
	assert_found();
	slot->open_n++;
	slot->taken++;
	assert_found();
	slot->taken--;
	slot->late++;
	assert_found();
	slot->late--;
	assert_int_equal(physmem_audit(pm, stderr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_state),
		cmocka_unit_test(test_lost_frame),
		cmocka_unit_test(test_owned_frame_in_a_chain),
		cmocka_unit_test(test_frame_in_two_chains),
		cmocka_unit_test(test_wrong_counts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
