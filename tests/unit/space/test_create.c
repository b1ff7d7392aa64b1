/* SPDX-License-Identifier: MIT */
/* test_create.c - a map comes whole or not at all: vmmap_create fails at each of its allocations and leaves nothing. */
#include "base/mem.h"
#include "base/rcu.h"
#include "tests/unit/space/maps.h"

static uint64_t all_bytes(void)
{
	uint64_t sum = 0;

	rcu_drain();
	for (int purpose = 0; purpose < MEM_PURPOSES; purpose++)
		sum += mem_bytes((enum mem_purpose)purpose);
	return sum;
}

static void create_until_it_fits(struct vmmap_config *config)
{
	struct vmmap *map = NULL;
	uint64_t before;
	unsigned sites = 0;

	assert_int_equal(vmmap_create(&map, config), 0);         /* what a first map of a process leaves stays       */
	vmmap_destroy(map);
	before = all_bytes();
	for (;;) {
		int err;

		map = NULL;
		mem_fail_nth(sites + 1);
		err = vmmap_create(&map, config);
		if (!mem_fail_fired()) {
			mem_fail_nth(0);
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_null(map);
		assert_int_equal(all_bytes(), before);
		sites++;
	}
	assert_true(sites >= 4);
	vmmap_destroy(map);
	assert_int_equal(all_bytes(), before);
}

static void with_memory_of_its_own(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.policy = *state;
	create_until_it_fits(&config);
}

static void with_shared_memory(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.policy = *state;
	assert_int_equal(physmem_create(&config.physmem, NULL), 0);
	create_until_it_fits(&config);
	physmem_destroy(config.physmem);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(with_memory_of_its_own),
	cmocka_unit_test(with_shared_memory),
};

MAPS_MAIN(tests)
