/* SPDX-License-Identifier: MIT */
/*
 * scenario_words.c - made for memory orders (--weak --weaken), as scenario_order.c: words of the engine that guard
 * plain memory, as in tests/models (pins_drain, rwsem_mixed, rcu_heavy, entry_second_life).
 */
#include "bench/explore/scene.h"

static void no_map(void) { scene_map(); }

/* ---- a holder drains those who are counted in ---- */

static void counted(void)
{
	no_map();
	scene_word_free();
}
static void visit_0(void) { scene_word_visit(0); }
static void visit_1(void) { scene_word_visit(1); }
static void hold(void)    { scene_word_hold(); }

SCENARIO(word_drain, .what = "a holder drains two who are counted in", .set_up = counted,
	 .body = { visit_0, visit_1, hold });
SCENARIO(word_drain_one, .what = "the same, of one", .set_up = counted, .body = { visit_0, hold });

/* ---- plain memory under an rwsem ---- */

static void shared(void)    { (void)scene_sem_shared(); }
static void twice(void)
{
	scene_sem_exclusive(false);
	scene_sem_exclusive(true);
}
static void one_more(void)  { scene_sem_exclusive(false); }

SCENARIO(word_sem, .what = "an exclusive holder, one that downgrades, and a shared one", .set_up = no_map,
	 .body = { twice, shared });
SCENARIO(word_sem_three, .what = "the same, and one that is exclusive", .set_up = no_map,
	 .body = { twice, shared, one_more });

/* Body 1 has been told to look; before it does, it has found the lock passed twice: so it is granted what it is about
 * to try. Whoever grants was a shared holder. */
static void told_and_granted(void)
{
	no_map();
	scene_stop(1, "rwsem_look", THIRD, THIRD);
	scene_stop(1, "rwsem_look", THERE, BACK);
	scene_stop(1, "rwsem_woken", THIRD + 2, FOURTH);
}
static void shared_again(void)
{
	scene_sem_shared_until(FOURTH + 2, THERE);
	scene_sem_shared_until(BACK, THIRD + 2);
	scene_signal(FOURTH);
}
static void exclusive_later(void)
{
	(void)scene_await(FOURTH + 2);
	scene_sem_exclusive(false);
}

SCENARIO(word_sem_granted, .what = "who was woken to try is granted the lock first", .set_up = told_and_granted,
	 .body = { shared_again, exclusive_later });

/* ---- plain memory behind a polled grace period ---- */

static void to_publish(void)
{
	no_map();
	scene_publish();
}
static void to_publish_heavy(void)
{
	scene_no_membarrier();
	to_publish();
}
static void read_it(void)
{
	scene_published();
	scene_published();
}
static void unpublish(void) { scene_unpublish(); }

SCENARIO(word_grace, .what = "memory is given away when a grace period is over", .set_up = to_publish,
	 .body = { read_it, unpublish }, .mutants = "rcu_no_membarrier rcu_poll_blind");
SCENARIO(word_grace_heavy, .what = "the same without membarrier", .set_up = to_publish_heavy,
	 .body = { read_it, unpublish }, .mutants = "rcu_poll_blind");

/* ---- plain memory under a range lock beside the map ---- */

static void thirty_two(void) { scene_pages(32); }
static void change_low(void)
{
	scene_range_change(PAGES(4, 2));
	scene_range_change(PAGES(4, 2));
}
static void change_wide(void) { scene_range_change(PAGES(2, 12)); }
static void look_twice(void)
{
	scene_range_look(PAGES(5, 1));
	scene_range_look(PAGES(5, 4));
}
static void change_high(void) { scene_range_change(PAGES(5, 8)); }

SCENARIO(word_list, .what = "two change what the list guards", .policy = "range-list", .set_up = thirty_two,
	 .body = { change_low, change_high });
SCENARIO(word_list_look, .what = "... and one looks at it", .policy = "range-list", .set_up = thirty_two,
	 .body = { change_low, look_twice });
SCENARIO(word_list_three, .what = "... all three", .policy = "range-list", .set_up = thirty_two,
	 .body = { change_low, look_twice, change_wide });
SCENARIO(word_tree, .what = "the same under the interval tree", .policy = "range-tree", .set_up = thirty_two,
	 .body = { change_low, look_twice, change_wide });
SCENARIO(word_fine, .what = "the same under the fine lock", .policy = "fine-lock", .set_up = thirty_two,
	 .body = { change_low, look_twice, change_wide });

/* ---- plain memory under a table's lock ---- */

static void table_twice(void)
{
	scene_table_change(false, VMMAP_FOREVER);
	scene_table_change(false, VMMAP_FOREVER);
}
static void table_once(void) { scene_table_change(false, VMMAP_FOREVER); }
static void table_soon(void) { scene_table_change(false, scene_soon()); }
static void table_goes(void) { scene_table_change(true, VMMAP_FOREVER); }

SCENARIO(word_table, .what = "three change what a table's lock guards", .set_up = no_map,
	 .body = { table_twice, table_once, table_once });
SCENARIO(word_table_stray, .what = "a table goes, two wait for its lock", .set_up = no_map,
	 .body = { table_goes, table_once, table_once });
SCENARIO(word_table_soon, .what = "the same, and the time of one may be up", .flags = SCENARIO_TIMERS, .set_up = no_map,
	 .body = { table_goes, table_once, table_soon });

/* ---- a VMA's object lives again, and an optimistic visit looks at it ---- */

static void two_leaves(void)
{
	scene_map();
	scene_separate(PAGE(0));
	scene_separate(PAGE(64));                /* the next life is in another leaf                                */
	scene_object(8, false);
}
static void of_object(uint64_t at, uint64_t from, int prot)
{
	expect(vmmap_mmap(scene.map, PAGES(at, 4), prot, MAP_SHARED | MAP_FIXED, scene.object, from * 4096) ==
	       (int64_t)PAGE(at));
}
static void lives_anonymous(void)
{
	two_leaves();
	scene_mmap(PAGES(0, 4), RW);
	scene_living(PAGE(0));
}
static void lives_of_object(void)
{
	two_leaves();
	of_object(0, 0, RW);
	scene_living(PAGE(0));
}
static void look(void) { scene_is_alike(); }
static void lives_again(void)
{
	expect(scene_munmap(1, PAGES(0, 4)) == 0);
	of_object(100, 4, PROT_READ);
}
static void lives_again_later(void)
{
	expect(scene_munmap(1, PAGES(0, 4)) == 0);
	of_object(100, 4, RW);
}

SCENARIO(word_life, .what = "a look at an anonymous VMA, whose object becomes one of an object",
	 .flags = SCENARIO_SHARED, .set_up = lives_anonymous, .body = { look, lives_again });
SCENARIO(word_life_offset, .what = "the same, of an object's VMA at another offset", .flags = SCENARIO_SHARED,
	 .set_up = lives_of_object, .body = { look, lives_again_later });
