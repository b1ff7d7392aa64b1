/* SPDX-License-Identifier: MIT */
/*
 * test_until_parts.c - deadlines where a call has parts: bytes of a copy, the break's own lock, frames that wait for
 * readers; and that a deadline ends with its call.
 */
#include "base/rcu.h"
#include "tests/unit/space/until.h"

/* Bytes that are done are told, also when the next page would have to wait. */
static void test_part_of_a_copy(void **state)
{
	struct vmmap *map = until_map(*state);
	unsigned char bytes[2 * PAGE];
	struct holder holder;

	holder_start(&holder, map, (struct spot){ 2, 3 });
	assert_int_equal(vmmap_read_until(map, AT(1), bytes, 2 * PAGE, VMMAP_TRY), PAGE);
	assert_int_equal(vmmap_write_until(map, AT(1) + 8, bytes, 2 * PAGE, clock_ns() + SOME_MS), PAGE - 8);
	assert_int_equal(vmmap_read_until(map, AT(2), bytes, 1, VMMAP_TRY), -EAGAIN);
	holder_end(&holder);
	assert_int_equal(vmmap_read_until(map, AT(1), bytes, 2 * PAGE, VMMAP_TRY), 2 * PAGE);
	maps_free(map);
}

struct caller { pthread_t thread; struct vmmap *map; int64_t result; };

static void *brk_main(void *arg)
{
	struct caller *c = arg;

	c->result = vmmap_brk(c->map, BREAK + 2 * PAGE);
	return NULL;
}

/* A break that another thread is moving is waited for, too. */
static void test_brk_lock(void **state)
{
	struct vmmap *map = until_map(*state);
	struct caller other = { .map = map };
	struct holder holder;
	int64_t got;

	holder_start(&holder, map, (struct spot){ 1004, 1005 });
	assert_int_equal(pthread_create(&other.thread, NULL, brk_main, &other), 0);
	do                                       /* 0 asks: it needs the word alone                                */
		got = vmmap_brk_until(map, 0, VMMAP_TRY);
	while (got == BREAK + 8 * PAGE);
	assert_int_equal(got, -EAGAIN);
	assert_int_equal(vmmap_brk_until(map, 0, clock_ns() + SOME_MS), -ETIMEDOUT);
	holder_end(&holder);
	pthread_join(other.thread, NULL);
	assert_int_equal(other.result, BREAK + 2 * PAGE);
	assert_int_equal(vmmap_brk_until(map, 0, VMMAP_TRY), BREAK + 2 * PAGE);
	maps_free(map);
}

struct reader { pthread_t thread; struct vmmap *map; unsigned pages; atomic_u32 state; };

static void *reader_main(void *arg)
{
	struct reader *r = arg;
	struct thread_slot *self;
	unsigned char byte;

	for (unsigned i = 0; i < r->pages; i++)
		vmmap_read(r->map, AT(i), &byte, 1);     /* two threads have touched them: they will be deferred   */
	self = thread_self();
	rcu_enter(self);
	atomic_store_release(&r->state, HOLDER_HOLDS);
	while (atomic_load_acquire(&r->state) == HOLDER_HOLDS)
		atomic_pause();
	rcu_leave(self);
	return NULL;
}

/* All frames are left, but a reader holds them back: no grace period is waited for longer than the deadline. */
static void test_deferred_frames(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct reader reader = { .pages = 64 };
	uint64_t until, waits;
	struct vmmap *map;

	memory.pages = 64;
	memory.bytes = 1;
	assert_int_equal(physmem_create(&maps_memory, &memory), 0);
	config.policy = *state;
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&map, &config), 0);
	reader.map = map;
	maps_fixed(map, 0, 64, RW, NORES);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(maps_touch(map, i), 0);
	maps_fixed(map, 100, 8, RW, NORES);
	assert_int_equal(vmmap_fault_until(map, AT(100), PROT_WRITE, NULL, VMMAP_TRY), -ENOMEM);
	assert_int_equal(pthread_create(&reader.thread, NULL, reader_main, &reader), 0);
	while (!atomic_load_acquire(&reader.state))
		atomic_pause();
	assert_int_equal(maps_unmap(map, 0, 64), 0);
	waits = vmmap_grace_period_waits();
	assert_int_equal(vmmap_fault_until(map, AT(100), PROT_WRITE, NULL, VMMAP_TRY), -EAGAIN);
	assert_int_equal(vmmap_grace_period_waits(), waits);
	until = clock_ns() + SOME_MS;
	assert_int_equal(vmmap_fault_until(map, AT(100), PROT_WRITE, NULL, until), -ETIMEDOUT);
	assert_true(clock_ns() >= until);
	atomic_store_release(&reader.state, HOLDER_LETS_GO);
	pthread_join(reader.thread, NULL);
	assert_int_equal(vmmap_fault_until(map, AT(100), PROT_WRITE, NULL, VMMAP_TRY), 0);
	maps_free(map);
}

/* The deadline is the call's: what comes after it waits as ever. */
static void test_plain_after(void **state)
{
	struct vmmap *map = until_map(*state);
	struct caller other = { .map = map };

	assert_int_equal(vmmap_munmap_until(map, AT(2), PAGE, VMMAP_TRY), 0);
	assert_true(thread_self()->deadline_ns == VMMAP_FOREVER);
	assert_int_equal(vmmap_munmap_until(map, AT(2) + 1, PAGE, VMMAP_TRY), -EINVAL);
	assert_true(thread_self()->deadline_ns == VMMAP_FOREVER);
	assert_int_equal(vmmap_hold_until(map, AT(2), PAGE, NULL, 7), -EINVAL);
	assert_true(thread_self()->deadline_ns == VMMAP_FOREVER);
	assert_int_equal(pthread_create(&other.thread, NULL, brk_main, &other), 0);
	pthread_join(other.thread, NULL);
	assert_int_equal(other.result, BREAK + 2 * PAGE);
	maps_free(map);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_part_of_a_copy),
	cmocka_unit_test(test_brk_lock),
	cmocka_unit_test(test_deferred_frames),
	cmocka_unit_test(test_plain_after),
};
UNTIL_MAIN(tests)
