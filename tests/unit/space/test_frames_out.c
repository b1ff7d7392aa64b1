/* SPDX-License-Identifier: MIT */
/*
 * test_frames_out.c - no frame left: said only if it is so. What is freed comes back, from wherever it is: caches of
 * this slot, depot, grace periods, objects that died; and nobody gets more than there is.
 */
#include <pthread.h>

#include "base/park.h"
#include "base/point.h"
#include "base/thread.h"
#include "tests/unit/space/maps.h"
#include "tests/unit/phys/outside.h"

#define FEW 256

static struct vmmap *small_map(const char *policy, uint64_t frames)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap *map;

	memory.pages = frames;
	assert_int_equal(physmem_create(&maps_memory, &memory), 0);
	config.policy = policy;
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&map, &config), 0);
	return map;
}

static uint64_t touched(struct vmmap *map, uint64_t page, uint64_t pages)
{
	uint64_t n = 0;

	while (n < pages && maps_touch(map, page + n) == 0)
		n++;
	return n;
}

/* All frames, again and again, freed in each way: unmapped, replaced, dropped. */
static void test_all_of_them(void **state)
{
	struct vmmap *map = small_map(*state, FEW);

	for (unsigned round = 0; round < 4; round++) {
		assert_true(maps_fixed(map, 0, FEW + 1, RW, NORES) > 0);
		assert_int_equal(touched(map, 0, FEW + 1), FEW);
		assert_int_equal(maps_touch(map, FEW), -ENOMEM);
		if (round == 1)
			assert_int_equal(vmmap_madvise(map, BASE, (FEW + 1) * PAGE, MADV_DONTNEED), 0);
		if (round == 2)
			assert_int_equal(maps_unmap(map, 0, FEW + 1), 0);
	}
	maps_free(map);
}

/* An object has all frames, and dies. Returns how many of them others get. */
static uint64_t after_death(struct vmmap *map, bool anonymous)
{
	int flags = anonymous ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	struct vmmap_object *object;
	uint64_t got;

	assert_int_equal(vmmap_object_create(&object, maps_memory, "object", FEW * PAGE, NULL), 0);
	assert_true(vmmap_mmap(map, BASE, FEW * PAGE, RW, flags | MAP_FIXED, object, 0) > 0);
	vmmap_object_put(object);
	assert_int_equal(touched(map, 0, FEW), FEW);
	assert_int_equal(maps_unmap(map, 0, FEW), 0);
	assert_true(maps_fixed(map, 0, FEW, RW, NORES) > 0);
	got = touched(map, 0, FEW);
	assert_int_equal(maps_unmap(map, 0, FEW), 0);
	return got;
}

/* Its frames come back behind a round of retired items that nobody else would ask for. */
static void test_dead_object(void **state)
{
	struct vmmap *map = small_map(*state, FEW);
	unsigned short_of = 0;

	for (unsigned round = 0; round < 4; round++)
		assert_int_equal(after_death(map, round & 1), FEW);
	point_mutant_select("refill_no_drain");
	for (unsigned round = 0; round < 100 && !short_of; round++)      /* a round may come by itself             */
		short_of += after_death(map, round & 1) < FEW;
	point_mutant_select(NULL);
	assert_true(short_of);
	maps_free(map);
}

/* With a deadline: what waits for its round is left, and told as such; with time it comes, from the thread that runs
 * the rounds. Returns how many frames. */
static uint64_t after_round(struct vmmap *map, unsigned *tries)
{
	uint64_t got;

	assert_true(maps_fixed(map, 0, FEW, RW, MAP_SHARED | MAP_ANONYMOUS) > 0);
	assert_int_equal(touched(map, 0, FEW), FEW);
	assert_int_equal(maps_unmap(map, 0, FEW), 0);
	assert_true(maps_fixed(map, 0, FEW, RW, NORES) > 0);
	*tries += vmmap_fault_until(map, BASE, PROT_WRITE, NULL, VMMAP_TRY) == -EAGAIN;
	assert_int_equal(vmmap_fault_until(map, BASE, PROT_WRITE, NULL, UINT64_MAX - 1), 0);
	got = touched(map, 0, FEW);
	assert_int_equal(maps_unmap(map, 0, FEW), 0);
	return got;
}

static void test_dead_object_until(void **state)
{
	struct vmmap *map = small_map(*state, FEW);
	unsigned tries = 0;
	bool kept = false;

	for (unsigned round = 0; round < 100 && !tries; round++)
		assert_int_equal(after_round(map, &tries), FEW);
	assert_true(tries);
	point_mutant_select("frame_flush_keeps");
	for (unsigned round = 0; round < 100 && !kept; round++)
		kept = after_round(map, &tries) < FEW;
	point_mutant_select(NULL);
	assert_true(kept);
	maps_free(map);
}

/* ---- one has in its hands what another looks for ---- */

#define SOME UINT64_C(16)                        /* two batches of deferred frames in a machine of FEW              */
#define SOON UINT64_C(2000000000)
#define PATIENT 100                              /* looks: more than LOOKS in frame_refill.c                        */

static struct physmem *machine;
static uint64_t taken[FEW];

static void take_and_give(unsigned n, void (*give)(struct physmem *pm, struct thread_slot *self, uint64_t pfn))
{
	uint64_t pfn[SOME];

	for (unsigned i = 0; i < n; i++)
		pfn[i] = frame_alloc(machine, thread_self());
	for (unsigned i = 0; i < n; i++)
		give(machine, thread_self(), pfn[i]);
}

static void *defer_some(void *arg)
{
	(void)arg;
	point_role("owner");
	take_and_give(SOME, frame_defer);
	point_role(NULL);
	return NULL;
}

static void *ask(void *role)
{
	uint64_t pfn;

	point_role(role);
	pfn = physmem_frame_alloc(machine);
	point_role(NULL);
	return (void *)(uintptr_t)(pfn + 1);
}

static uint64_t answer(pthread_t thread)
{
	void *pfn;

	assert_int_equal(pthread_join(thread, &pfn), 0);
	return (uint64_t)(uintptr_t)pfn - 1;
}

/* The same beside another thread, which has stopped at a point: a mutant asks without waiting for that one. */
static uint64_t answer_beside(pthread_t thread, const char *role, const char *point, const char *mutant)
{
	uint64_t pfn;

	if (!mutant)
		point_release(role, point);
	pfn = answer(thread);
	if (mutant)
		point_release(role, point);
	return pfn;
}

static unsigned take_all(unsigned n)
{
	while (n < FEW && (taken[n] = physmem_frame_alloc(machine)) != PHYSMEM_NONE)
		n++;
	return n;
}

static void machine_make(void)
{
	struct physmem_config memory = PHYSMEM_CONFIG;

	memory.pages = FEW;
	assert_int_equal(physmem_create(&machine, &memory), 0);
}

static void machine_end(unsigned n)
{
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	while (n--)
		assert_int_equal(physmem_frame_free(machine, taken[n]), 0);
	assert_int_equal(physmem_audit(machine, stderr), 0);
	physmem_destroy(machine);
}

/* SOME frames are deferred, on the late stack, their readers gone. The first stops with all of it in its hands; what
 * does the second get? */
static bool second_gets(const char *mutant)
{
	pthread_t first, second, deferrer;
	uint64_t a, b;
	unsigned n;

	machine_make();
	rcu_enter(thread_self());
	assert_int_equal(pthread_create(&deferrer, NULL, defer_some, NULL), 0);
	pthread_join(deferrer, NULL);
	n = take_all(0);
	assert_int_equal(n, FEW - SOME);
	rcu_leave(thread_self());
	point_mutant_select(mutant);
	point_stop("first", "frame_refill_late_in_hand", NULL, NULL);
	pthread_create(&first, NULL, ask, (void *)(uintptr_t)"first");
	assert_true(point_wait_reached("first", "frame_refill_late_in_hand", SOON));
	pthread_create(&second, NULL, ask, (void *)(uintptr_t)"second");
	assert_true(point_wait_reached("second", "frame_refill_before_lock", SOON));
	b = answer_beside(second, "first", "frame_refill_late_in_hand", mutant);
	a = answer(first);
	assert_true(a != PHYSMEM_NONE && a != b);
	taken[n++] = a;
	if (b != PHYSMEM_NONE)
		taken[n++] = b;
	machine_end(n);
	return b != PHYSMEM_NONE;
}

static void test_two_search(void **state)
{
	(void)state;
	assert_true(second_gets(NULL));
	assert_false(second_gets("refill_no_lock"));
}

/* Fills its shelf of free chains and takes one from there. */
static void *take_spare(void *arg)
{
	(void)arg;
	point_role("owner");
	take_and_give(SOME, frame_free);
	take_and_give(SOME / 2, frame_free);
	point_role(NULL);
	return NULL;
}

/* The owner of a shelf stops at `point` with what was on it in its hands, for longer than a search looks at what
 * moves. */
static bool asker_gets(void *(*own)(void *arg), const char *point, const char *mutant)
{
	pthread_t owner, asker;
	uint64_t pfn;
	unsigned n;

	machine_make();
	machine->spare_max = 8;
	rcu_enter(thread_self());
	point_mutant_select(mutant);
	point_stop_nth("owner", point, NULL, NULL, 1);
	pthread_create(&owner, NULL, own, NULL);
	assert_true(point_wait_reached("owner", point, SOON));
	point_mutant_select(NULL);
	n = take_all(0);
	rcu_leave(thread_self());
	assert_int_equal(n, FEW - SOME);
	point_mutant_select(mutant);
	if (!mutant)
		point_stop_nth("asker", "frame_refill_looked", NULL, NULL, PATIENT);
	pthread_create(&asker, NULL, ask, (void *)(uintptr_t)"asker");
	if (!mutant) {
		assert_true(point_wait_reached("asker", "frame_refill_looked", SOON));
		point_release("asker", "frame_refill_looked");
	}
	pfn = answer_beside(asker, "owner", point, mutant);
	pthread_join(owner, NULL);
	if (pfn != PHYSMEM_NONE)
		taken[n++] = pfn;
	machine_end(n);
	return pfn != PHYSMEM_NONE;
}

static void test_shelf_in_hand(void **state)
{
	(void)state;
	assert_true(asker_gets(defer_some, "frame_close_before_shelf", NULL));
	assert_false(asker_gets(defer_some, "frame_close_before_shelf", "refill_one_look"));
	assert_false(asker_gets(defer_some, "frame_close_before_shelf", "refill_patience_ends"));
	assert_true(asker_gets(take_spare, "frame_spare_in_hand", NULL));
	assert_false(asker_gets(take_spare, "frame_spare_in_hand", "refill_untold"));
}

int main(void)
{
	struct CMUnitTest each[] = { cmocka_unit_test(test_all_of_them), cmocka_unit_test(test_dead_object),
				     cmocka_unit_test(test_dead_object_until) };
	const struct CMUnitTest once[] = { cmocka_unit_test(test_two_search), cmocka_unit_test(test_shelf_in_hand) };
	int bad = 0;

	for (unsigned p = 0; vmmap_policy_name(p); p++)
		bad += maps_run(vmmap_policy_name(p), each);
	return bad + cmocka_run_group_tests_name("searches", once, NULL, NULL);
}
