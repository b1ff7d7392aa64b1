/* SPDX-License-Identifier: MIT */
/*
 * test_until.c - every call that waits, under every policy, while another thread holds a part of what it needs: its low
 * end, its high end, a page in the middle, a gap. VMMAP_TRY says -EAGAIN at once, a deadline -ETIMEDOUT and not before
 * it; the map is then what it was, and after the release the same call does what the plain one does.
 */
#include "locks/policy/policy.h"
#include "tests/unit/space/until.h"

#define ELSE    5000                             /* a page that no row has anything to do with                      */

/* What present pages contain, as one number; asks no policy, whatever is held. */
static uint64_t contents(struct vmmap *map)
{
	uint64_t sum = 0, word;

	for (uint64_t page = 1; page < 120; page += 4)
		if ((page < 8 || page == 25 || page == 29 || (page >= 100 && page < 116)) &&
		    vmmap_read_until(map, BASE + page * PAGE, &word, sizeof word, VMMAP_TRY) == sizeof word)
			sum = sum * 31 + word;
	return sum;
}

/* ---- the rows ---- */

static int64_t fixed(struct vmmap *map, uint64_t until)
{
	return vmmap_mmap_until(map, AT(4), 12 * PAGE, RW, NORES | MAP_FIXED, NULL, 0, until);
}

static int64_t fixed_shared(struct vmmap *map, uint64_t until)
{
	return vmmap_mmap_until(map, AT(4), 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, until);
}

static int64_t noreplace(struct vmmap *map, uint64_t until)
{
	return vmmap_mmap_until(map, AT(8), 4 * PAGE, RW, NORES | MAP_FIXED_NOREPLACE, NULL, 0, until);
}

static int64_t hint(struct vmmap *map, uint64_t until)
{
	return vmmap_mmap_until(map, AT(8), 4 * PAGE, RW, NORES, NULL, 0, until);
}

static int64_t within(struct vmmap *map, uint64_t until)
{
	return vmmap_mmap_within_until(map, AT(8), AT(12), PAGE, 0, 4 * PAGE, RW, NORES, NULL, 0, until);
}

static int64_t unmap_one(struct vmmap *map, uint64_t until)
{
	return vmmap_munmap_until(map, AT(5), PAGE, until);
}

static int64_t unmap_many(struct vmmap *map, uint64_t until)
{
	return vmmap_munmap_until(map, AT(4), 25 * PAGE, until);
}

static int64_t protect(struct vmmap *map, uint64_t until)
{
	return vmmap_mprotect_until(map, AT(3), 4 * PAGE, PROT_READ, until);
}

static int64_t protect_hole(struct vmmap *map, uint64_t until)
{
	return vmmap_mprotect_until(map, AT(2), 14 * PAGE, PROT_NONE, until);
}

static int64_t shrink(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(0), 8 * PAGE, 4 * PAGE, 0, 0, until);
}

static int64_t grow(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(0), 8 * PAGE, 11 * PAGE, 0, 0, until);
}

static int64_t move(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(0), 8 * PAGE, 64 * PAGE, MREMAP_MAYMOVE, 0, until);
}

static int64_t move_one(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(2), 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(103), until);
}

static int64_t move_down(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(103), 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(6), until);
}

static int64_t move_many(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(4), 24 * PAGE, 24 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(98), until);
}

static int64_t move_cut(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(1), 20 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(110), until);
}

static int64_t move_keep(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(0), 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, AT(40), until);
}

static int64_t duplicate(struct vmmap *map, uint64_t until)
{
	return vmmap_mremap_until(map, AT(24), 0, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(99), until);
}

static int64_t dontneed(struct vmmap *map, uint64_t until)
{
	return vmmap_madvise_until(map, AT(0), 28 * PAGE, MADV_DONTNEED, until);
}

static int64_t freed(struct vmmap *map, uint64_t until)
{
	return vmmap_madvise_until(map, AT(1), 30 * PAGE, MADV_FREE, until);
}

static int64_t dontdump(struct vmmap *map, uint64_t until)
{
	return vmmap_madvise_until(map, AT(2), 12 * PAGE, MADV_DONTDUMP, until);
}

static int64_t populate(struct vmmap *map, uint64_t until)
{
	return vmmap_madvise_until(map, AT(0), 8 * PAGE, MADV_POPULATE_WRITE, until);
}

static int64_t lock(struct vmmap *map, uint64_t until) { return vmmap_mlock_until(map, AT(3), 4 * PAGE, 0, until); }
static int64_t lock_hole(struct vmmap *map, uint64_t until)
{
	return vmmap_mlock_until(map, AT(2), 14 * PAGE, MLOCK_ONFAULT, until);
}

static int64_t unlock(struct vmmap *map, uint64_t until) { return vmmap_munlock_until(map, AT(71), 4 * PAGE, until); }
static int64_t brk_up(struct vmmap *map, uint64_t until)   { return vmmap_brk_until(map, BREAK + 12 * PAGE, until); }
static int64_t brk_down(struct vmmap *map, uint64_t until) { return vmmap_brk_until(map, BREAK + 2 * PAGE, until); }
static int64_t fault(struct vmmap *map, uint64_t until)
{
	return vmmap_fault_until(map, AT(2), PROT_WRITE, NULL, until);
}

static int64_t fault_gap(struct vmmap *map, uint64_t until)
{
	return vmmap_fault_until(map, AT(9), PROT_READ, NULL, until);
}

static int64_t load(struct vmmap *map, uint64_t until)
{
	uint64_t word;

	return vmmap_read_until(map, AT(2), &word, sizeof word, until);
}

static int64_t store(struct vmmap *map, uint64_t until)
{
	return vmmap_write_until(map, AT(2), &until, sizeof until, until);
}

static int64_t pin(struct vmmap *map, uint64_t until)
{
	uint64_t pfn;
	int err = vmmap_pin_until(map, AT(2), PAGE, &pfn, until);

	return err ? err : vmmap_unpin(map, &pfn, 1);
}

static int64_t hold(struct vmmap *map, uint64_t until)
{
	struct vmmap_held held;
	int err = vmmap_hold_until(map, AT(4), 12 * PAGE, &held, until);

	if (!err)
		vmmap_release(map, &held);
	return err;
}

static const struct row {
	const char *what;
	int64_t (*call)(struct vmmap *map, uint64_t until);
	int pages;                               /* done page by page: what is resident may change                 */
	struct spot spot[7];                     /* the last one ends the list                                     */
} rows[] = {
	{ "fixed",        fixed,        0, { { 4, 5 }, { 15, 16 }, { 9, 10 }, { 0, 5 }, { 15, 30 }, { 0, 200 } } },
	{ "fixed shared", fixed_shared, 0, { { 4, 5 }, { 5, 6 }, { 0, 8 } } },
	{ "noreplace",    noreplace,    0, { { 8, 9 }, { 11, 12 }, { 9, 11 }, { 4, 24 } } },
	{ "hint",         hint,         0, { { 8, 9 }, { 11, 12 }, { 9, 11 }, { 4, 24 } } },
	{ "within",       within,       0, { { 8, 9 }, { 11, 12 }, { 9, 11 }, { 8, 12 } } },
	{ "munmap",       unmap_one,    0, { { 5, 6 }, { 0, 8 }, { 4, 7 } } },
	{ "munmap many",  unmap_many,   0, { { 4, 5 }, { 28, 29 }, { 14, 16 }, { 10, 11 }, { 20, 24 }, { 0, 40 } } },
	{ "mprotect",     protect,      0, { { 3, 4 }, { 6, 7 }, { 4, 6 }, { 0, 8 } } },
	{ "over a hole",  protect_hole, 0, { { 2, 3 }, { 7, 8 }, { 4, 5 }, { 8, 10 } } },
	{ "shrink",       shrink,       0, { { 4, 5 }, { 7, 8 }, { 0, 8 } } },
	{ "grow",         grow,         0, { { 7, 8 }, { 8, 9 }, { 10, 11 }, { 0, 12 } } },
	{ "move",         move,         0, { { 0, 1 }, { 7, 8 }, { 3, 4 } } },
	{ "move one",     move_one,     0, { { 2, 3 }, { 5, 6 }, { 103, 104 }, { 106, 107 }, { 104, 105 } } },
	{ "move down",    move_down,    0, { { 103, 104 }, { 106, 107 }, { 6, 7 }, { 9, 10 }, { 11, 12 } } },
	{ "move many",    move_many,    0, { { 4, 5 }, { 27, 28 }, { 13, 14 }, { 9, 10 }, { 98, 99 }, { 121, 122 } } },
	{ "move and cut", move_cut,     0, { { 1, 2 }, { 19, 20 }, { 6, 7 }, { 10, 11 }, { 110, 111 }, { 113, 114 } } },
	{ "move, keep",   move_keep,    0, { { 0, 1 }, { 7, 8 }, { 40, 41 }, { 47, 48 } } },
	{ "duplicate",    duplicate,    0, { { 99, 100 }, { 102, 103 }, { 100, 101 } } },
	{ "DONTNEED",     dontneed,     0, { { 0, 1 }, { 27, 28 }, { 14, 15 }, { 9, 10 }, { 20, 24 }, { 25, 26 } } },
	{ "FREE",         freed,        0, { { 1, 2 }, { 13, 14 }, { 5, 6 }, { 10, 12 }, { 30, 31 } } },
	{ "DONTDUMP",     dontdump,     0, { { 2, 3 }, { 13, 14 }, { 5, 6 }, { 9, 10 } } },
	{ "POPULATE",     populate,     1, { { 0, 1 }, { 7, 8 }, { 4, 5 } } },
	{ "mlock",        lock,         0, { { 3, 4 }, { 6, 7 }, { 4, 6 }, { 0, 8 } } },
	{ "mlock, hole",  lock_hole,    0, { { 2, 3 }, { 7, 8 }, { 4, 5 }, { 8, 10 } } },
	{ "munlock",      unlock,       0, { { 71, 72 }, { 74, 75 }, { 70, 76 } } },
	{ "brk up",       brk_up,       0, { { 1008, 1009 }, { 1011, 1012 }, { 1009, 1010 } } },
	{ "brk down",     brk_down,     0, { { 1002, 1003 }, { 1007, 1008 }, { 1004, 1006 } } },
	{ "fault",        fault,        0, { { 2, 3 }, { 0, 8 } } },
	{ "fault, gap",   fault_gap,    0, { { 9, 10 }, { 4, 16 } } },
	{ "read",         load,         0, { { 2, 3 }, { 0, 8 } } },
	{ "write",        store,        0, { { 2, 3 }, { 0, 8 } } },
	{ "pin",          pin,          0, { { 2, 3 }, { 0, 8 } } },
	{ "hold",         hold,         0, { { 4, 5 }, { 15, 16 }, { 5, 6 }, { 10, 11 }, { 0, 40 } } },
};

/* ---- the matrix ---- */

/* The call gives up, and nobody can tell that it was made. */
static void gives_up(struct vmmap *map, const struct row *row, struct spot spot, uint64_t until, int64_t how)
{
	char *before = listing_text(map, !row->pages), *after;
	uint64_t was = contents(map), blocked = vmmap_blocked_self();
	int64_t got = row->call(map, until);
	uint64_t end = clock_ns();

	if (got != how)
		fail_msg("%s, %u-%u held: %lld, expected %lld", row->what, spot.lo, spot.hi, (long long)got,
			 (long long)how);
	if (how == -EAGAIN)
		assert_int_equal(vmmap_blocked_self(), blocked);
	else
		assert_true(end >= until);
	after = listing_text(map, !row->pages);
	if (strcmp(before, after))
		fail_msg("%s, %u-%u held: changed the map from\n%sto\n%s", row->what, spot.lo, spot.hi, before, after);
	assert_int_equal(contents(map), was);
	free(before);
	free(after);
}

/* What the plain call makes of the same map. */
static char *expected(const char *policy, const struct row *row, int64_t *result)
{
	struct physmem *memory = maps_memory;
	struct vmmap *map = until_map(policy);
	char *text;

	*result = row->call(map, VMMAP_FOREVER);
	text = listing(map);
	maps_free(map);
	maps_memory = memory;
	return text;
}

/* Objects are numbered through: their numbers differ from map to map. */
static void forget_objects(char *text)
{
	for (char *at = text; (at = strstr(at, "object ")) != NULL;) {
		at += strlen("object ");
		if (*at != '0')
			memmove(at, strchr(at, ' '), strlen(strchr(at, ' ')) + 1);
	}
}

/* After all the refusals the map is sound, and the call does at once what the plain one does. */
static void succeeds(struct vmmap *map, const char *policy, const struct row *row)
{
	char *text, *wanted;
	int64_t result, got;

	wanted = expected(policy, row, &result);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	got = row->call(map, VMMAP_TRY);
	text = listing(map);
	forget_objects(text);
	forget_objects(wanted);
	if (got != result || strcmp(text, wanted))
		fail_msg("%s: %lld, not %lld;\n%snot\n%s", row->what, (long long)got, (long long)result, text, wanted);
	free(text);
	free(wanted);
}

static void one_row(const char *policy, const struct row *row)
{
	struct vmmap *map = until_map(policy);
	struct holder holder;

	for (const struct spot *spot = row->spot; spot->hi; spot++) {
		char *before = listing_text(map, !row->pages), *after;

		holder_start(&holder, map, *spot);
		gives_up(map, row, *spot, VMMAP_TRY, -EAGAIN);
		gives_up(map, row, *spot, 1, -ETIMEDOUT);                /* long over                              */
		gives_up(map, row, *spot, clock_ns() + SOME_MS, -ETIMEDOUT);
		holder_end(&holder);
		after = listing_text(map, !row->pages);
		assert_string_equal(after, before);
		free(before);
		free(after);
	}
	succeeds(map, policy, row);
	maps_free(map);
}

static void test_held(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		one_row(*state, &rows[i]);
}

/* Somebody far away: nothing to wait for where disjoint edits do not meet (nor, for a visit, where visits pass the
 * lock by). Where locks are in tables it depends on which tables there are. */
static void test_held_elsewhere(void **state)
{
	const unsigned caps = lock_policy_find(*state)->caps;
	bool disjoint = caps & LOCK_CAP_DISJOINT_EDITS, known = !(caps & LOCK_CAP_TABLES);
	bool passes = !strcmp(*state, "pervma") || !strcmp(*state, "spf");

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmmap *map = until_map(*state);
		struct holder holder;
		uint64_t blocked;
		int64_t got;

		holder_start(&holder, map, (struct spot){ ELSE, ELSE + 1 });
		blocked = vmmap_blocked_self();
		got = rows[i].call(map, VMMAP_TRY);
		assert_int_equal(vmmap_blocked_self(), blocked);
		if (known && (got == -EAGAIN ? disjoint : !disjoint && !passes))
			fail_msg("%s, held elsewhere: %lld", rows[i].what, (long long)got);
		holder_end(&holder);
		maps_free(map);
	}
}

static struct CMUnitTest tests[] = { cmocka_unit_test(test_held), cmocka_unit_test(test_held_elsewhere) };
UNTIL_MAIN(tests)
