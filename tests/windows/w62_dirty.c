/* SPDX-License-Identifier: MIT */
/*
 * Window: a sync takes a page's dirty mark and WRITE out of its entries while a fault makes an entry writable.
 * Rule: the fault marks the page between locking the entry and storing it. Broken: a page is stored to and not dirty;
 * the next sync leaves it out.
 * mutant: dirty_before_lock
 * mutant: dirty_after_store
 */
#include "tests/windows/objects.h"

/* The fault stops before its CAS; a whole sync comes by; the store after the fault must reach the next sync's copy. */
static void mark_then_sync(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };

	object_of(map, 1, true);
	object_at(map, BASE, 1, 0);
	object_at(map, BASE + MIB, 1, 0);
	expect(put_word(map, BASE + MIB, 1) == 8);
	window_start_to(&fault, "fault_before_cas");
	expect(vmmap_object_sync(object, 0, PAGE) == 0);
	expect(pager_word(0) == 1);
	point_release("fault", "fault_before_cas");
	window_join(&fault);
	expect(fault.result == 0);
	expect(put_word(map, BASE, 2) == 8);
	expect(vmmap_object_sync(object, 0, PAGE) == 0);
	expect(pager_word(0) == 2);
	object_close(map);
	point_reset();
}

/* The fault stops where the entry may be seen already. */
static void store_then_sync(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };

	object_of(map, 1, true);
	object_at(map, BASE, 1, 0);
	expect(word_at(map, BASE) == pager_word(0));
	if (getenv("VMMAP_MUTANT"))                      /* without the mutant nobody comes there */
		expect(point_stop("fault", "fault_after_store", NULL, NULL) == 0);
	window_start(&fault);
	if (getenv("VMMAP_MUTANT"))
		point_wait_reached("fault", "fault_after_store", SOON);
	else
		window_join(&fault);
	expect(put_word(map, BASE, 3) == 8);             /* through the entry that is there */
	expect(vmmap_object_sync(object, 0, PAGE) == 0);
	expect(pager_word(0) == 3);
	point_release("fault", "fault_after_store");
	if (getenv("VMMAP_MUTANT"))
		window_join(&fault);
	object_close(map);
}

static void script(const char *policy)
{
	const char *mutant = getenv("VMMAP_MUTANT");

	mark_then_sync(policy);
	expect(point_mutant_select(mutant && *mutant ? mutant : NULL) == 0);
	store_then_sync(policy);
}

int main(void)
{
	return window_run_in_table(false, script);
}
