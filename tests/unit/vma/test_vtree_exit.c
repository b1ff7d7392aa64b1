/* SPDX-License-Identifier: MIT */
/*
 * test_vtree_exit.c - a process may end while nodes of a finished tree still wait for their grace period:
 * LeakSanitizer (the asan build) must see that they are held, though nothing but a huge slab points at their tree.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/mem.h"
#include "tests/unit/vma/fixture.h"
#include "vmmap/vma/vtree_impl.h"

#define LEAVES ((16u << 20) / sizeof(struct vtree_leaf))         /* half of them in slabs of 2 MiB                    */
#define WAIT   (64 * 8)                                          /* more than a slot's batches hold                   */

static atomic_u32 reading;

static void *reader(void *arg)
{
	rcu_enter(thread_self());
	atomic_store_release(&reading, 1);
	for (;;)
		pause();
	return arg;
}

static void nodes_wait_at_exit(void **state)
{
	struct thread_slot *self = thread_self();
	pthread_t t;

	(void)state;
	assert_int_equal(vtree_nodes_reserve(&tree, self, LEAVES, 0), 0);
	assert_in_range(mem_bytes(MEM_NODE), 15u << 20, 20u << 20);
	assert_int_equal(pthread_create(&t, NULL, reader, NULL), 0);
	pthread_detach(t);
	while (atomic_load_acquire(&reading) == 0)
		sched_yield();
	for (unsigned i = 0; i < WAIT; i++)
		vtree_retire(&tree, self, (uintptr_t)vtree_take_leaf(&tree, self) | VTREE_LEAF);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(nodes_wait_at_exit, setup, teardown) };

	return cmocka_run_group_tests_name("vtree_exit", tests, NULL, NULL);
}
