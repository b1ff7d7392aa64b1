/* SPDX-License-Identifier: MIT */
/*
 * test_nomem.c - every allocation of every call fails once, and every frame is the last one once: the call says -ENOMEM
 * and has changed nothing (VMAs, what is resident, contents), or it did without and succeeded; in both cases the map is
 * sound, the same call succeeds afterwards, and no memory is lost.
 *
 * Each case is tried at several places of a crowded map, so that leaves are met in all states of fullness; at the first
 * one also by a thread that is new to the map, with a deadline, and with few frames. The table that is printed says
 * which sites were refused in which call; a site of the library that never was is a failure of this test, unless it is
 * spared below. tests/tidy/symbols.py holds the column of functions and the public headers together.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "base/point.h"
#include "tests/unit/space/nomem_calls.h"
#include "tests/unit/space/nomem_things.h"

#define PLACES 9                                 /* two VMAs apart: more than a leaf has slots                      */

static const struct want wants[] = {
	{ "mmap, fixed in a gap", fixed_free, PLACES, "vmmap_mmap", 0, NULL },
	{ "mmap over two VMAs", fixed_over, PLACES, "vmmap_mmap", 0, NULL },
	{ "mmap over many VMAs", fixed_over_many, PLACES, "vmmap_mmap", 0, NULL },
	{ "mmap over a part of a large VMA", fixed_over_large, 2, "vmmap_mmap", 0, NULL },
	{ "mmap of an object", fixed_object, PLACES, "vmmap_mmap", 0, NULL },
	{ "mmap, shared anonymous", shared_anonymous, PLACES, "vmmap_mmap", 0, NULL },
	{ "mmap anywhere", anywhere, 4, "vmmap_mmap", 0, NULL },
	{ "mmap anywhere, arenas", anywhere, 4, "vmmap_mmap", WANT_ARENAS, NULL },
	{ "mmap, hint", hint, PLACES, "vmmap_mmap", 0, NULL },
	{ "mmap, populate", populated, 2, "vmmap_mmap", WANT_PARTIAL, NULL },
	{ "mmap of a stack", stack, PLACES, "vmmap_mmap", 0, NULL },
	{ "mmap within", within, 1, "vmmap_mmap_within", 0, NULL },
	{ "munmap of a page", unmap_one, PLACES, "vmmap_munmap", 0, NULL },
	{ "munmap of many VMAs", unmap_many, PLACES, "vmmap_munmap", 0, NULL },
	{ "munmap in a large VMA", unmap_middle, 2, "vmmap_munmap", 0, NULL },
	{ "munmap in an object", unmap_object, 2, "vmmap_munmap", 0, NULL },
	{ "mprotect of a page", protect_one, PLACES, "vmmap_mprotect", 0, NULL },
	{ "mprotect in a large VMA", protect_middle, 2, "vmmap_mprotect", 0, NULL },
	{ "mprotect of many VMAs", protect_many, PLACES, "vmmap_mprotect", 0, NULL },
	{ "mprotect of a stack, down", protect_down, 1, "vmmap_mprotect", 0, NULL },
	{ "madvise of a page", advise_one, PLACES, "vmmap_madvise", 0, NULL },
	{ "madvise of many VMAs", advise_many, PLACES, "vmmap_madvise", 0, NULL },
	{ "madvise, dontneed", advise_drop, 2, "vmmap_madvise", 0, NULL },
	{ "madvise, free", free_pages, 2, "vmmap_madvise", 0, NULL },
	{ "madvise, willneed", will_need, 1, "vmmap_madvise", 0, NULL },
	{ "madvise, populate", populate, 3, "vmmap_madvise", WANT_PARTIAL, NULL },
	{ "madvise, populate an object", populate_object, 2, "vmmap_madvise", WANT_PARTIAL, NULL },
	{ "mlock of a page", lock_one, PLACES, "vmmap_mlock", 0, NULL },
	{ "mlock of many VMAs", lock_many, PLACES, "vmmap_mlock", 0, NULL },
	{ "mlock, faulted in", lock_all, 2, "vmmap_mlock", WANT_STEPS, NULL },
	{ "munlock", unlock_middle, PLACES, "vmmap_munlock", 0, NULL },
	{ "limits: mmap over many VMAs", fixed_over_many, PLACES, "vmmap_mmap", WANT_LIMITS, NULL },
	{ "limits: mprotect of many VMAs", protect_many, PLACES, "vmmap_mprotect", WANT_LIMITS, NULL },
	{ "limits: fault, a stack grows", grow, PLACES, "vmmap_fault", WANT_ALIKE | WANT_LIMITS, NULL },
	{ "mremap, shrink", remap_shrink, 2, "vmmap_mremap", 0, NULL },
	{ "mremap, grow in place", remap_grow, 1, "vmmap_mremap", 0, NULL },
	{ "mremap, grow in place or move", remap_stay, 1, "vmmap_mremap", 0, NULL },
	{ "mremap, move", remap_move, 2, "vmmap_mremap", 0, NULL },
	{ "mremap, fixed", remap_fixed, PLACES, "vmmap_mremap", 0, NULL },
	{ "mremap, fixed, same length", remap_same_length, PLACES, "vmmap_mremap", 0, NULL },
	{ "mremap, fixed, many VMAs", remap_many, 4, "vmmap_mremap", WANT_STEPS, NULL },
	{ "mremap, dontunmap", remap_keep, 2, "vmmap_mremap", 0, NULL },
	{ "mremap, duplicate", remap_duplicate, PLACES, "vmmap_mremap", 0, NULL },
	{ "mremap of an object", remap_object, 4, "vmmap_mremap", 0, NULL },
	{ "mremap of an object, grow in place", grow_object, 1, "vmmap_mremap", 0, NULL },
	{ "a try: dontneed", until_drop, PLACES, "vmmap_madvise", 0, NULL },
	{ "a try: mremap, same length", until_move, PLACES, "vmmap_mremap", 0, NULL },
	{ "a try: mremap, cut", until_cut, PLACES, "vmmap_mremap", 0, NULL },
	{ "a try: mremap, cut, into a gap", until_cut_gap, 2, "vmmap_mremap", 0, NULL },
	{ "brk, up", break_up, 2, "vmmap_brk", 0, NULL }, { "brk, down", break_down, 2, "vmmap_brk", 0, NULL },
	{ "fault, write", fault_write, 2, "vmmap_fault", 0, NULL },
	{ "fault, read", fault_read, 2, "vmmap_fault", 0, NULL },
	{ "fault, shared object", fault_shared, 2, "vmmap_fault", 0, NULL },
	{ "fault, private copy of an object", fault_private, 2, "vmmap_fault", 0, NULL },
	{ "fault, pager", read_object, 2, "vmmap_fault", 0, NULL },
	{ "fault, a stack grows", grow, PLACES, "vmmap_fault", WANT_ALIKE, NULL },
	{ "read", load, 3, "vmmap_read", 0, NULL }, { "write", store, 4, "vmmap_write", 0, NULL },
	{ "pin, unpin", pin_pages, 3, "vmmap_pin vmmap_unpin", WANT_PARTIAL, NULL },
	{ "pin, unpin, of an object", pin_object, 2, "vmmap_pin vmmap_unpin", WANT_PARTIAL, NULL },
	{ "pin, from a segment for what can be moved", pin_movable, 1, "vmmap_pin", WANT_PARTIAL, other_movable },
	{ "fork, with a page pinned", fork_pinned, 1, "vmmap_fork", WANT_ALIKE, other_pin },
	{ "hold, release", hold, PLACES, "vmmap_hold vmmap_release", 0, NULL },
	{ "hold, release in a large VMA", hold_middle, 2, "vmmap_hold vmmap_release", 0, NULL },
	{ "msync", msync_object, 2, "vmmap_msync", 0, NULL },
	{ "object", make_object, 2, "vmmap_object_create vmmap_object_put", 0, NULL },
	{ "object, the last put", put_object, 1, "vmmap_object_put", 0, other_object },
	{ "resize", cut_object, 2, "vmmap_object_resize", 0, NULL },
	{ "sync", sync_object, 2, "vmmap_object_sync", 0, NULL },
	{ "map", make_map, 2, "vmmap_create vmmap_destroy", 0, NULL },
	{ "fork", fork_map, 1, "vmmap_fork", WANT_ALIKE, NULL },
	{ "fork, limits", fork_map, 1, "vmmap_fork", WANT_ALIKE | WANT_LIMITS, NULL },
	{ "write to what a fork has shared", store_shared, 1, "vmmap_write", 0, other_fork },
	{ "map, destroyed", destroy_map, 1, "vmmap_destroy", 0, other_map },
	{ "machine", make_machine, 2, "physmem_create physmem_destroy", WANT_NO_MAP, NULL },
	{ "machine, a segment comes", plug_segment, 1, "physmem_plug", WANT_NO_MAP, other_machine },
	{ "machine, a part goes", unplug_part, 1, "physmem_unplug", WANT_NO_MAP, other_machine },
	{ "machine, audited", audit_machine, 1, "physmem_audit", WANT_NO_MAP, other_machine },
	{ "a shared frame goes", unplug_shared, 1, "physmem_unplug", WANT_ALIKE, other_sharers },
	{ "machine, listened to", listen_to_machine, 1, "physmem_listen physmem_unlisten", WANT_NO_MAP, other_machine },
	{ "machine, reports begin", begin_reports, 2, "physmem_report_start physmem_report_pass physmem_report_stop",
	  WANT_NO_MAP, NULL },
	{ "machine, balloon and poison", grow_balloon, 1, "physmem_balloon_start physmem_balloon_inflate "
	  "physmem_balloon_deflate physmem_balloon_stop physmem_poison physmem_unpoison", WANT_NO_MAP, NULL },
	{ "machine, destroyed", destroy_machine, 1, "physmem_destroy", WANT_NO_MAP, other_machine },
	{ "segments", make_segments, SEGMENT_TABLES, "physseg_create physseg_load physseg_plug physseg_unplug "
	  "physseg_destroy", WANT_NO_MAP, NULL },
	{ "segments, fields and steals", change_segments, SEGMENT_TABLES, "physseg_set_avail physseg_set_start_hint "
	  "physseg_set_md physseg_unload physseg_unload_force", WANT_NO_MAP, NULL },
	{ "frame", take_frame, 1, "physmem_frame_alloc", 0, NULL },
	{ "frame, given back", give_frame, 1, "physmem_frame_free", 0, other_frame },
	{ "run of frames", take_run, 1, "physmem_run_alloc physmem_run_free", 0, NULL },
	{ "listings", look, 1, "vmmap_query vmmap_walk vmmap_get_usage vmmap_get_counters physmem_get_usage "
	  "vmmap_object_size vmmap_object_number physmem_frame_bytes", 0, NULL },
	{ "prints", show, 1, "vmmap_print_maps vmmap_dump", 0, NULL },
	{ "audit", audit, 1, "vmmap_audit", 0, NULL },
};

/* Takes no memory, and has no map or frames to want any for: constants and counters. */
static const char *const needless = "vmmap_policy_name vmmap_policy_idea vmmap_policy_threads "
				    "vmmap_grace_period_waits vmmap_blocked_total vmmap_blocked_self "
				    "physmem_report_run physmem_get_report physmem_balloon_size physmem_walk "
				    "physseg_boot_done physseg_find physseg_first physseg_last physseg_next "
				    "physseg_prev physseg_valid physseg_start physseg_end physseg_avail_start "
				    "physseg_avail_end physseg_start_hint physseg_free_list physseg_md "
				    "physseg_highest_frame physseg_count physseg_pages physseg_phys_to_frame "
				    "physseg_frame_to_phys physseg_frame";

static const struct spared spared[] = {
	{ "base/atfork.c", "atfork_load", "at load time, so that the allocator's fork handlers come first" },
	{ "policy/checked.c", "checked_touch", "only with the mutant that makes a block too late" },
	{ "policy/range_list.h", "nodes_find", "only where threads meet; else nodes come back in time" },
	{ "phys/frame_report_note.c", "note_in_capture", "by who frees whole blocks: test_frame_report refuses it" },
	{ "space/fork.c", "fork_make_spare", "frame_refill has just brought one: others would have to take it" },
	{ "vma/vma.c", "vma_take", "vma_reserve has made the slot's list before" },
	{ "vma/vtree_node.c", "vtree_count", "counts what the slot has taken nodes for; goes uncounted" },
};

/* What maps and their parts hold; nothing but this program's maps is alive. */
static uint64_t memory_of_maps(void)
{
	static const enum mem_purpose parts[] = { MEM_MAP, MEM_VMA, MEM_NODE, MEM_TABLE, MEM_FRAME, MEM_OBJECT };
	uint64_t sum = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		sum += mem_bytes(parts[i]);
	return sum;
}

/* One failure in one call, from the making of the map to its end. */
static unsigned fail_once(struct nomem *t)
{
	uint64_t memory = memory_of_maps();

	t->wrong = 0;
	nomem_after = NULL;
	t->map = crowded(t->w->how);
	if (t->w->before)
		t->w->before(t->map, t->page);
	nomem_run_by(t, (unsigned)(t->w - wants));
	if (vmmap_audit(t->map, stderr)) {
		nomem_say(t, "the map is not sound", 0);
		t->wrong++;
	}
	drop_objects();
	vmmap_destroy(t->map);
	physmem_destroy(maps_memory);            /* aborts if a frame is missing */
	if (memory_of_maps() != memory) {
		nomem_say(t, "bytes that are lost:", (long long)(memory_of_maps() - memory));
		t->wrong++;
	}
	return t->wrong;
}

/* Page by page, or VMA by VMA, the same wants come again: from 32 on 64, 128, ...; with forks, of which each wants a
 * little more than the one before, 40, 50, 62, ... */
static uint64_t next_n(const struct nomem *t)
{
	if (t->n < 32 || !(t->w->how & (WANT_PARTIAL | WANT_ALIKE)))
		return t->n + 1;
	return t->n + (t->w->how & WANT_PARTIAL ? t->n : t->n / 4);
}

/* Steps are luck: what was passed over, as long as a site that is asked has not been refused. */
static unsigned fail_between(struct nomem *t, unsigned *wrong)
{
	const unsigned row = (unsigned)(t->w - wants);
	const uint64_t end = t->n;
	unsigned failures = 0;

	for (t->n = 33; t->n < end && nomem_missed(row, t->kind); t->n++, failures++)
		*wrong += fail_once(t);
	return failures;
}

/* n = 1, 2, ..., until the call does not come so far. */
static unsigned fail_each(struct nomem *t, unsigned *wrong)
{
	unsigned failures = 0;

	for (t->n = 1;; t->n = next_n(t), failures++) {
		*wrong += fail_once(t);
		if (!t->fired)
			break;
		assert_true(t->n < 2048);
	}
	return failures + (t->lasts ? 0 : fail_between(t, wrong));
}

static const char *first_policy;

static bool in_table(const struct want *w)
{
	return !(w->how & WANT_NO_MAP) || !strcmp(policy_now, first_policy);
}

/* The others share their code with it. */
static bool thorough(void)
{
	return !strcmp(policy_now, "vma") && !NOMEM_SLOW;
}

static void test_each_allocation(void **state)
{
	unsigned wrong = 0, failures = 0;

	policy_now = *state;
	for (const struct want *w = wants; w < wants + ARRAY_SIZE(wants); w++) {
		if (!in_table(w))
			continue;
		for (uint64_t page = 0; page < w->places; page += thorough() || w->places <= SEGMENT_TABLES ? 1 : 3)
			failures += fail_each(&(struct nomem){ .w = w, .page = page }, &wrong);
		for (unsigned how = 1; how < 8; how += thorough() ? 1 : 3)
			failures += fail_each(&(struct nomem){ .w = w, .stranger = how & 1, .deadline = how & 2,
							       .lasts = how & 4 }, &wrong);
	}
	print_message("%s: %u failed allocations\n", policy_now, failures);
	assert_true(failures > 0);
	assert_int_equal(wrong, 0);
}

/* As if pools had been dry: what they keep ready hides most refusals from the test above. */
static void test_each_need(void **state)
{
	unsigned wrong = 0, failures = 0;

	policy_now = *state;
	for (const struct want *w = wants; w < wants + ARRAY_SIZE(wants); w++)
		for (unsigned how = in_table(w) ? 0 : 4; how < 4; how += thorough() ? 1 : 3)
			failures += fail_each(&(struct nomem){ .w = w, .kind = NOMEM_NEEDS, .deadline = how & 1,
							       .lasts = how & 2 }, &wrong);
	print_message("%s: %u refused needs\n", policy_now, failures);
	assert_true(failures > 0);
	assert_int_equal(wrong, 0);
}

static void test_each_frame(void **state)
{
	unsigned wrong = 0, failures = 0;

	policy_now = *state;
	for (const struct want *w = wants; w < wants + ARRAY_SIZE(wants); w++)
		for (unsigned how = in_table(w) ? 0 : 4; how < 4; how += thorough() ? 1 : 3)
			failures += fail_each(&(struct nomem){ .w = w, .kind = NOMEM_FRAMES, .stranger = how & 1,
							       .deadline = how & 2 }, &wrong);
	print_message("%s: %u times out of frames\n", policy_now, failures);
	assert_true(failures > 0);
	assert_int_equal(wrong, 0);
}

/* One call after the other, upwards, until the n-th allocation of them all fails: small edits live on what the pools
 * keep ready, and only now and then ask for more. True: it has failed. */
static bool fail_along(const struct want *w, uint64_t n, unsigned *wrong)
{
	struct vmmap *map = crowded(w->how);
	struct nomem t = { .w = w, .map = map, .n = n };
	bool fired = false;

	mem_fail_nth(n);
	for (uint64_t page = 0; page < w->places && !fired; page++) {
		char *before = nomem_listing(&t);
		int64_t got = w->call(map, page);

		t.page = page;
		fired = mem_fail_fired();
		if (got == -ENOMEM && fired) {
			*wrong += nomem_changed(&t, before) + (vmmap_audit(map, stderr) != 0);
			got = w->call(map, page);
		}
		free(before);
		if (got < 0) {
			print_error("%s at %llu, along: %lld\n", w->what, (unsigned long long)page, (long long)got);
			++*wrong;
		}
	}
	mem_fail_nth(0);
	*wrong += vmmap_audit(map, stderr) != 0;
	drop_objects();
	vmmap_destroy(map);
	physmem_destroy(maps_memory);
	return fired;
}

static void test_along(void **state)
{
	static const struct want along[] = {
		{ "mmap, fixed in a gap", fixed_free, 160, "", 0, NULL },
		{ "mmap over two VMAs", fixed_over, 150, "", 0, NULL },
		{ "mmap of an object", fixed_object, 150, "", 0, NULL },
		{ "munmap of a page", unmap_one, 300, "", 0, NULL },
		{ "mprotect of a page", protect_one, 150, "", 0, NULL },
		{ "mprotect in a large VMA", protect_middle, 200, "", 0, NULL },
		{ "madvise of a page", advise_one, 150, "", 0, NULL },
		{ "mmap anywhere", anywhere, 150, "", 0, NULL },
		{ "fault, a stack grows", grow, 10, "", 0, NULL },
		{ "mremap, fixed", remap_fixed_apart, 150, "", 0, NULL },
		{ "mremap, duplicate", remap_duplicate, 150, "", 0, NULL },
	};
	unsigned wrong = 0, failures = 0;
	uint64_t memory = memory_of_maps();

	policy_now = *state;
	for (const struct want *w = along; w < along + ARRAY_SIZE(along); w++) {
		unsigned before = failures;

		for (uint64_t n = 1; n <= 6 && fail_along(w, n, &wrong); n++)
			failures++;
		if (memory_of_maps() != memory) {
			print_error("%s, along: %lld bytes are lost\n", w->what,
				    (long long)(memory_of_maps() - memory));
			memory = memory_of_maps();
			wrong++;
		}
		print_message("%s: %u failed allocations\n", w->what, failures - before);
	}
	assert_true(failures > 0);
	assert_int_equal(wrong, 0);
}

/* ---- once: what does not depend on the policy ---- */

#define HUGE_ROW ARRAY_SIZE(wants)               /* in the books, behind the others                                */

static int64_t huge_map(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, page, 1, page & 1 ? RW : PROT_READ, NORES);
}

/* One VMA more, for which nothing is left. True: it wanted for a huge slab. */
static bool huge_fail(struct vmmap *map, uint64_t page)
{
	struct vmmap_usage usage;
	int64_t got;

	mem_fail_from(1);
	got = huge_map(map, page);
	mem_fail_nth(0);
	if (got >= 0)
		return false;
	nomem_books_close(HUGE_ROW);
	assert_int_equal(got, -ENOMEM);
	if (!nomem_refusals(HUGE_ROW, "vma/vtree_node.c", "slab_alloc_huge")) {
		assert_true(huge_map(map, page) > 0);
		return false;
	}
	vmmap_get_usage(map, &usage);
	assert_int_equal(usage.vmas, page);
	assert_int_equal(usage.mapped_bytes, page * PAGE);
	return huge_map(map, page) > 0;
}

/* A tree of 8 MiB takes huge slabs of nodes. The calls want for this and that; in time it is one of those. */
static void test_huge_slab(void **state)
{
	struct vmmap *map;
	uint64_t page = 0;

	(void)state;
	policy_now = "vma";
	map = empty(0);
	while (mem_bytes(MEM_NODE) < UINT64_C(8) << 20)
		assert_true(huge_map(map, page++) > 0);
	nomem_books_open();
	while (!huge_fail(map, page++))
		;
	assert_int_equal(vmmap_audit(map, stderr), 0);
	print_message("a huge slab was refused at %llu VMAs\n", (unsigned long long)page);
	vmmap_destroy(map);
	physmem_destroy(maps_memory);
}

static const struct want *want_called(const char *what)
{
	for (const struct want *w = wants; w < wants + ARRAY_SIZE(wants); w++)
		if (!strcmp(w->what, what))
			return w;
	return NULL;
}

/* A child, because it may abort: does the call come out wrong? */
static bool wrong_with(const char *mutant, const char *policy, const char *what)
{
	int status;
	pid_t child = fork();

	if (!child) {
		const struct want *w = want_called(what);
		unsigned wrong = 0;

		policy_now = policy;
		if (!w || !freopen("/dev/null", "w", stderr) || point_mutant_select(mutant))
			_exit(99);
		fail_each(&(struct nomem){ .w = w, .stranger = true }, &wrong);
		fail_each(&(struct nomem){ .w = w, .kind = NOMEM_NEEDS }, &wrong);
		_exit(wrong != 0);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 99);
	return status != 0;
}

static void test_mutants(void **state)
{
	static const struct { const char *mutant, *policy, *what; } sins[] = {
		{ "pin_count_unmatched", "vma-count", "fault, write" },
		{ "checked_makes_late", "checked", "fault, write" },
		{ "grow_moves_instead", "vma", "mremap, grow in place or move" },
	};

	(void)state;
	if (BUILT_WITH_TSAN)
		skip();                          /* a child may start no thread there                              */
	for (unsigned i = 0; i < ARRAY_SIZE(sins); i++) {
		assert_false(wrong_with(NULL, sins[i].policy, sins[i].what));
		assert_true(wrong_with(sins[i].mutant, sins[i].policy, sins[i].what));
	}
}

/* The last: over all policies. */
static void test_sites(void **state)
{
	unsigned missed = 0;

	if (*state || NOMEM_SLOW)
		skip();                          /* of one policy, or of two                                       */
	assert_in_range(ARRAY_SIZE(wants), 1, NOMEM_ROWS - 1);
	for (unsigned row = 0; row < ARRAY_SIZE(wants); row++)
		missed += nomem_row_print(&wants[row], row);
	missed += nomem_sites_missed(HUGE_ROW + 1, spared, ARRAY_SIZE(spared));
	print_message("without need: %s\n", needless);
	assert_int_equal(missed, 0);
}

/* Those that have each site of the library between them; under a sanitizer, which watches what is done with memory, not
 * who wants some, the first two. The others only if they are named: what wants memory under them wants the same under
 * one of these. */
static const char *const between_them[] = { "vma", "checked", "rwsem", "range-tree", "pt-lock" };

static bool in_turn(const char *policy)
{
	for (unsigned i = 0; i < (NOMEM_SLOW ? 2 : ARRAY_SIZE(between_them)); i++)
		if (!strcmp(policy, between_them[i]))
			return true;
	return false;
}

/* test_nomem [POLICY] */
int main(int argc, char **argv)
{
	struct CMUnitTest test[] = { cmocka_unit_test(test_each_allocation), cmocka_unit_test(test_each_need),
				     cmocka_unit_test(test_each_frame), cmocka_unit_test(test_along) };
	struct CMUnitTest last[] = { cmocka_unit_test(test_mutants), cmocka_unit_test(test_huge_slab),
				     cmocka_unit_test_prestate(test_sites, argc > 1 ? argv[1] : NULL) };
	int bad = 0;

	first_policy = argc > 1 ? argv[1] : between_them[0];
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		if (argc > 1 ? !strcmp(argv[1], vmmap_policy_name(p)) : in_turn(vmmap_policy_name(p)))
			bad += maps_run(vmmap_policy_name(p), test);
	return bad + cmocka_run_group_tests_name("sites", last, NULL, NULL);
}
