/* SPDX-License-Identifier: MIT */
/* region.c - the changes of a region, and the check; region.h says what is right. */
#include "tests/listing/region.h"

#include <sys/mman.h>

#include "base/assert.h"
#include "base/compiler.h"

#define BLOCK      (UINT64_C(1) << 44)                   /* a border of leaves that is always there                */
#define FIXED      (MAP_PRIVATE | MAP_FIXED)
#define UNIT_BITS  3u
#define UNIT_MASK  7u
#define ADVISED    4u                                    /* of a unit: DONTDUMP; bits 0 and 1: protection, 0: none */

static const int prot_of[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC, PROT_EXEC };

/* Two regions lie across a block border, two inside a block; anchors (test_listing.c) stand between them. */
static const uint64_t place[][2] = {
	[REGION_CARVED] = { BLOCK - SPAN / 2, 0 },
	[REGION_GROWN] = { 2 * BLOCK - SPAN / 4, 0 },
	[REGION_REPLACED] = { 3 * BLOCK - SPAN / 2, 0 },
	[REGION_MOVED] = { BLOCK + 4 * SPAN, 4 * BLOCK - SPAN / 2 },
};

static unsigned unit_of(uint64_t state, unsigned u) { return (unsigned)(state >> u * UNIT_BITS) & UNIT_MASK; }

static uint64_t with_unit(uint64_t state, unsigned u, unsigned value)
{
	return (state & ~((uint64_t)UNIT_MASK << u * UNIT_BITS)) | (uint64_t)value << u * UNIT_BITS;
}

static uint64_t state_at(const struct region *r, uint64_t n)
{
	return atomic_load_acquire(&r->state[n % RING]);
}

/* ---- changes ---- */

static void begin(struct region *r, uint64_t state)
{
	uint64_t n = atomic_load_relaxed(&r->started) + 1;

	atomic_store_release(&r->state[n % RING], state);
	atomic_store_release(&r->started, n);
}

static bool end(struct region *r, bool ok)
{
	atomic_store_release(&r->done, atomic_load_relaxed(&r->started));
	return ok;
}

static bool map_units(struct region *r, unsigned from, unsigned n, int prot)
{
	uint64_t addr = r->at[0] + from * UNIT;

	return vmmap_mmap(r->map, addr, n * UNIT, prot, FIXED, r->object[0], from * UNIT) == (int64_t)addr;
}

/* A run of units gets a protection, an advice, a fresh mapping, or none. */
static bool carve(struct region *r)
{
	uint64_t state = state_at(r, atomic_load_relaxed(&r->started)), next = state;
	unsigned from = (unsigned)prng_below(&r->random, UNITS), value = 1 + (unsigned)prng_below(&r->random, 3);
	unsigned n = 1 + (unsigned)prng_below(&r->random, UNITS - from), what = (unsigned)prng_below(&r->random, 8);
	unsigned advised = (unsigned)prng_below(&r->random, 2) ? ADVISED : 0;
	uint64_t addr = r->at[0] + from * UNIT, len = n * UNIT;
	bool hole = false;

	for (unsigned u = from; u < from + n; u++)
		hole |= !unit_of(state, u);
	if (hole && what < 6)
		what = 7;                                /* mprotect and madvise stop, or complain, at holes       */
	for (unsigned u = from; u < from + n; u++) {
		unsigned is = unit_of(state, u);

		next = with_unit(next, u, what < 4 ? (is & ADVISED) | value : what < 6 ? (is & ~ADVISED) | advised :
					  what < 7 ? 0 : value);
	}
	begin(r, next);
	if (what < 4)
		return end(r, vmmap_mprotect(r->map, addr, len, prot_of[value]) == 0);
	if (what < 6)
		return end(r, vmmap_madvise(r->map, addr, len, advised ? MADV_DONTDUMP : MADV_DODUMP) == 0);
	if (what < 7)
		return end(r, vmmap_munmap(r->map, addr, len) == 0);
	return end(r, map_units(r, from, n, prot_of[value]));
}

static unsigned units_mapped(uint64_t state)
{
	unsigned n = 0;

	while (n < UNITS && unit_of(state, n))
		n++;
	return n;
}

static uint64_t state_of_length(unsigned n)
{
	uint64_t state = 0;

	for (unsigned u = 0; u < n; u++)
		state = with_unit(state, u, 1);
	return state;
}

static bool grow(struct region *r)
{
	unsigned was = units_mapped(state_at(r, atomic_load_relaxed(&r->started)));
	unsigned n = 1 + (unsigned)prng_below(&r->random, UNITS);

	begin(r, state_of_length(n));
	return end(r, vmmap_mremap(r->map, r->at[0], was * UNIT, n * UNIT, 0, 0) == (int64_t)r->at[0]);
}

/* The offset says the number of the replacement, protection and object go with it. */
static bool replace(struct region *r)
{
	uint64_t n = atomic_load_relaxed(&r->started) + 1;

	begin(r, n);
	return end(r, vmmap_mmap(r->map, r->at[0], SPAN, prot_of[1 + n % 3], FIXED, r->object[n % 2], n * SPAN) ==
			      (int64_t)r->at[0]);
}

static bool move(struct region *r)
{
	uint64_t n = atomic_load_relaxed(&r->started) + 1, from = r->at[(n + 1) % 2], to = r->at[n % 2];

	begin(r, n);
	return end(r, vmmap_mremap(r->map, from, SPAN, SPAN, MREMAP_MAYMOVE | MREMAP_FIXED, to) == (int64_t)to);
}

bool region_change(struct region *r)
{
	switch (r->kind) {
	case REGION_CARVED:
		return carve(r);
	case REGION_GROWN:
		return grow(r);
	case REGION_REPLACED:
		return replace(r);
	default:
		return move(r);
	}
}

void region_open(struct region *r, struct vmmap *map, enum region_kind kind, struct physmem *memory)
{
	r->kind = kind;
	r->map = map;
	r->at[0] = place[kind][0];
	r->at[1] = place[kind][1];
	r->random = prng_seed(5, kind);
	atomic_store_relaxed(&r->started, 0);
	atomic_store_relaxed(&r->done, 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK(vmmap_object_create(&r->object[i], memory, "region", SPAN, NULL) == 0);
	atomic_store_relaxed(&r->state[0], kind <= REGION_GROWN ? state_of_length(UNITS) : 0);
	CHECK(map_units(r, 0, UNITS, PROT_READ));
}

void region_close(struct region *r)
{
	for (unsigned i = 0; i < 2; i++) {
		if (r->at[i])
			CHECK(vmmap_munmap(r->map, r->at[i], SPAN) == 0);
		vmmap_object_put(r->object[i]);
	}
}

/* ---- the check ---- */

/* The states of the window may have been written over: asked before they are read, and before they are believed. */
static bool forgotten(const struct region *r, struct window w)
{
	return region_after(r) - w.lo > RING / 2;
}

static bool inside(const struct region *r, unsigned side, uint64_t addr)
{
	return r->at[side] && addr >= r->at[side] && addr < r->at[side] + SPAN;
}

struct region *region_over(struct region regions[], uint64_t addr)
{
	for (unsigned i = 0; i < REGIONS; i++)
		if (inside(&regions[i], 0, addr) || inside(&regions[i], 1, addr))
			return &regions[i];
	return NULL;
}

/* Before or after change n (n == w.hi: after it) all units of [from, to) are `value`, and those beside them not. */
static bool stands(const struct region *r, struct window w, uint64_t n, unsigned from, unsigned to, unsigned value)
{
	uint64_t old = state_at(r, n), new = n < w.hi ? state_at(r, n + 1) : old;

	for (unsigned u = from; u < to; u++)
		if (unit_of(old, u) != value && unit_of(new, u) != value)
			return false;
	if (from > 0 && unit_of(old, from - 1) == value && unit_of(new, from - 1) == value)
		return false;
	return to == UNITS || unit_of(old, to) != value || unit_of(new, to) != value;
}

static const char *check_units(const struct region *r, struct window w, const struct vmmap_vma *v)
{
	unsigned from = (unsigned)((v->start - r->at[0]) / UNIT), to = (unsigned)((v->end - r->at[0]) / UNIT);
	bool low = v->start % UNIT != 0, high = v->end % UNIT != 0;
	unsigned value = 1;

	while (value < ARRAY_SIZE(prot_of) && prot_of[value] != v->prot)
		value++;
	if (value == ARRAY_SIZE(prot_of))
		return "a protection that was never set";
	if (v->advice != REGION_UNTOLD)
		value |= v->advice & VMMAP_DONTDUMP ? ADVISED : 0;
	if (v->offset != v->start - r->at[0] || ((low || high) && (low == high || !r->parted || w.lo == w.hi)))
		return "bounds or offset that never were";
	if (low || high)
		return NULL;
	for (uint64_t n = w.lo; n <= w.hi; n++)
		if (stands(r, w, n, from, to, value) ||
		    (v->advice == REGION_UNTOLD && stands(r, w, n, from, to, value | ADVISED)))
			return NULL;
	return forgotten(r, w) ? NULL : "bounds of one time, attributes of another";
}

/* Of REPLACED and MOVED: all of it; or a piece from below on while it comes, one up to the end while it goes. */
static const char *check_whole(const struct vmmap_vma *v, uint64_t at, bool comes, bool goes)
{
	bool low = v->start == at, high = v->end == at + SPAN;

	return (low && high) || (low && comes) || (high && goes) ? NULL : "a part of what was whole";
}

static const char *check_replaced(const struct region *r, struct window w, const struct vmmap_vma *v)
{
	uint64_t n = (v->offset - (v->start - r->at[0])) / SPAN;

	if (v->offset != n * SPAN + (v->start - r->at[0]))
		return "an offset that never was";
	if (n < w.lo || n > w.hi)
		return "a replacement of another time";
	if (n > 0 && (v->prot != prot_of[1 + n % 3] || v->object != vmmap_object_number(r->object[n % 2])))
		return "attributes of two replacements";
	return check_whole(v, r->at[0], n > w.lo, n < w.hi);
}

static const char *check_moved(const struct region *r, struct window w, const struct vmmap_vma *v)
{
	unsigned side = inside(r, 1, v->start);

	if (v->offset != v->start - r->at[side] || v->prot != PROT_READ)
		return "an offset or a protection that never was";
	if (w.lo == w.hi && w.lo % 2 != side)
		return "where it was not";
	return check_whole(v, r->at[side], w.hi > w.lo + (w.lo % 2 == side), w.hi > w.lo + (w.lo % 2 != side));
}

const char *region_check(const struct region *r, struct window w, const struct vmmap_vma *v)
{
	if (forgotten(r, w))
		return NULL;
	if (!inside(r, inside(r, 1, v->start), v->end - 1))
		return "an end outside";
	if ((v->flags & MAP_TYPE) != MAP_PRIVATE ||
	    (r->kind != REGION_REPLACED && v->object != vmmap_object_number(r->object[0])))
		return "another object";
	switch (r->kind) {
	case REGION_REPLACED:
		return check_replaced(r, w, v);
	case REGION_MOVED:
		return check_moved(r, w, v);
	default:
		return check_units(r, w, v);
	}
}

bool region_may_miss(const struct region *r, struct window w, uint64_t lo, uint64_t hi)
{
	unsigned side = inside(r, 1, lo);

	if (forgotten(r, w))
		return true;
	if (r->kind == REGION_REPLACED)
		return false;
	if (r->kind == REGION_MOVED)
		return w.lo < w.hi || w.lo % 2 != side;
	for (uint64_t at = lo; at < hi; at += UNIT) {
		unsigned u = (unsigned)((at - r->at[0]) / UNIT);
		bool gone = false;

		for (uint64_t n = w.lo; n <= w.hi; n++)
			gone |= !unit_of(state_at(r, n), u);
		if (!gone)
			return forgotten(r, w);
	}
	return true;
}
