/* SPDX-License-Identifier: MIT */
/*
 * pt.c - walk, install, zap, protect, move, unlink.
 *
 * WORDS       pt_node.h (tables), pt.h (entries).
 * WHO WRITES  an upper word: 0 -> table by CAS of whoever misses it; table -> 0 by swap of a writer whose held range
 *             covers the whole span of that table. An entry: a fault CASes it LOCKED and stores it; a writer, with
 *             the range closed (lk set), waits while it is LOCKED and then CASes it. Never a plain store by a writer:
 *             a late fault may lock an entry, notice lk, and store back what it saw; a CAS that finds the LOCKED bit
 *             waits for that.
 * EDGES       all seq_cst, one order S: Dekker's pair on (lk, entry).
 *             F1 fault: CAS entry -> LOCKED      F2 fault: load lk again (the policy's V1)
 *             D1 writer: CAS lk -> held          W2 writer: load entry (load_seqcst, the CAS in take, settled)
 *             F2 misses D1  =>  F1 < F2 < D1 < W2: the writer sees LOCKED or the value.
 *             W2 sees EMPTY =>  W2 < F1, so D1 < W2 < F1 < F2: the fault sees the lock and undoes.
 *             The same for an absent table: A1, the fault's install (CAS), precedes its F1; the writer skips a table
 *             only on A2, a seq_cst load after D1. If A2 reads 0, then D1 < A2 < A1 < F1 < F2: F2 sees D1.
 *             S1 store of a settled value: release, or seq_cst CAS -> S2, the next fault's load.
 *             An unlinked table under a VMA that lives on: a fault that found it before the unlink fails at F2,
 *             because the unlinker's release of the range leaves a new version in lk.
 * LOCK ORDER  ranges -> leaf -> entry. One entry at a time; nothing is waited for while one is LOCKED by us (nothing
 *             here locks one). pt_make allocates holding nothing.
 * PROGRESS    find, make, next: lock-free. The writer's verbs wait for LOCKED entries: bounded by one fault's commit,
 *             which neither sleeps nor allocates; who waits long yields the CPU to a holder that lost its own.
 * INVARIANT   quiescent: no LOCKED entry, pt_audit's rules. Empty tables are legal; so is a fresh one under a range
 *             that was just unlinked (a late fault's).
 * NOT HERE    what may be faulted or protected: policy-free. Freeing frames: pt_batch's flush.
 */
#include "vmmap/pt/pt.h"

#include <errno.h>

#include "base/assert.h"
#include "base/park.h"
#include "base/point.h"
#include "vmmap/pt/pt_table.h"

/* ---- walking ---- */

struct pt_table *pt_table_make(struct pt *pt, struct thread_slot *self, struct pt_table *above, atomic_u64 *word,
			       unsigned level)
{
	struct pt_table *table = pt_table_take(pt, self);
	uint64_t seen = 0;

	if (!table)
		return NULL;
	table->level = level;
	if (pt->locked)
		pt_table_born(table, above, self);
	BASE_POINT(pt_make_before_cas);
	if (atomic_cas_seqcst(word, &seen, (uint64_t)(uintptr_t)table))          /* A1 -> A2 */
		return table;
	if (pt->locked)
		atomic_store_relaxed(&table->lock.word, 0);
	pt_table_drop(pt, self, table);
	return (struct pt_table *)(uintptr_t)seen;
}

NOINLINE atomic_u64 *pt_make_tables(struct pt *pt, struct thread_slot *self, uint64_t addr)
{
	struct pt_table *table = pt->root;

	ASSERT(addr < ADDRESS_END);
	for (unsigned level = PT_ROOT_LEVEL; level > 0; level--) {
		struct pt_table *above = table;
		atomic_u64 *word = &above->word[pt_index(addr, level)];

		table = pt_below(word);
		if (unlikely(!table)) {
			table = pt_table_make(pt, self, above, word, level - 1);
			if (!table)
				return NULL;
		}
	}
	return &table->word[pt_index(addr, 0)];
}

/* Moves *addr over the absent words of one upper table; NULL when it came to the table's end or to hi. */
static struct pt_table *next_below(struct pt_table *table, unsigned level, uint64_t *addr, uint64_t hi)
{
	uint64_t span = UINT64_C(1) << pt_level_shift(level);

	for (unsigned i = pt_index(*addr, level); i < PT_WORDS && *addr < hi; i++) {
		struct pt_table *below = pt_below(&table->word[i]);              /* A2 -> A1 */

		if (below)
			return below;
		*addr = (*addr & ~(span - 1)) + span;
	}
	return NULL;
}

static NOINLINE atomic_u64 *next_over_absent(struct pt *pt, uint64_t *addr, uint64_t hi)
{
	while (*addr < hi && *addr < ADDRESS_END) {
		struct pt_table *table = pt->root;
		unsigned level = PT_ROOT_LEVEL;

		while (table && level > 0)
			table = next_below(table, level--, addr, hi);
		if (table)
			return &table->word[pt_index(*addr, 0)];
	}
	return NULL;
}

atomic_u64 *pt_next(struct pt *pt, uint64_t *addr, uint64_t hi)
{
	atomic_u64 *entry = *addr < hi && *addr < ADDRESS_END ? pt_find(pt, *addr) : NULL;

	return likely(entry != NULL) ? entry : next_over_absent(pt, addr, hi);
}

/* How many entries from addr on lie in the same table, below hi. */
static unsigned run_length(uint64_t addr, uint64_t hi)
{
	unsigned to_end = PT_WORDS - pt_index(addr, 0);
	uint64_t to_hi = (hi - addr + PAGE_BYTES - 1) >> PAGE_SHIFT;

	return to_hi < to_end ? (unsigned)to_hi : to_end;
}

NOINLINE uint64_t pt_settled(atomic_u64 *entry)
{
	struct park_spin spin = PARK_SPIN;
	uint64_t value;

	while ((value = atomic_load_seqcst(entry)) & PT_LOCKED) {                /* W2 -> F1 */
		BASE_POINT(pt_settled_waits);
		park_spin(&spin);
	}
	return value;
}

/* ---- zap ---- */

/* Takes out what is in an entry: EMPTY afterwards. Returns it, 0 if there was nothing. */
static inline uint64_t take(atomic_u64 *entry)
{
	uint64_t seen = atomic_load_seqcst(entry);                               /* W2 -> F1 */

	while (seen) {
		if (unlikely(seen & PT_LOCKED)) {
			if (BASE_MUTANT(zap_skips_locked))
				return 0;
			seen = pt_settled(entry);
			continue;
		}
		BASE_POINT(pt_zap_before_clear);
		if (BASE_MUTANT(zap_clears_unseen)) {
			pt_store(entry, 0);
			return seen;
		}
		if (atomic_cas_seqcst(entry, &seen, 0))                         /* W2 -> F1; S1 -> S2 */
			return seen;
	}
	return 0;
}

void pt_zap(struct pt *pt, struct lock_range r, struct pt_batch *out)
{
	uint64_t addr = r.lo;
	atomic_u64 *entry;

	while ((entry = pt_next(pt, &addr, r.hi))) {
		unsigned n = run_length(addr, r.hi);

		for (unsigned i = 0; i < n; i++) {
			uint64_t value = take(&entry[i]);

			if (!value)
				continue;
			out->entry[out->n++] = value;
			if (out->n == sizeof(out->entry) / sizeof(out->entry[0])) {
				out->flush(out);
				out->n = 0;
			}
		}
		addr += (uint64_t)n << PAGE_SHIFT;
	}
}

/* ---- protect ---- */

/* What entries get: `most`, or no more than `least` if one of the bits `shared` says that the frame is not theirs. */
struct access { uint64_t most, least, shared; };

static ALWAYS_INLINE uint64_t with_access(uint64_t entry, const struct access *a)
{
	uint64_t access = entry & a->shared ? a->least : a->most;

	return entry & PT_PRESENT ? (entry & ~(uint64_t)PT_ACCESS) | access : entry;
}

static ALWAYS_INLINE bool protect_one(atomic_u64 *entry, const struct access *a)
{
	uint64_t seen = atomic_load_seqcst(entry), want;                         /* W2 -> F1 */

	while (seen) {
		if (unlikely(seen & PT_LOCKED)) {
			if (BASE_MUTANT(protect_skips_locked))
				return false;
			seen = pt_settled(entry);
			continue;
		}
		want = with_access(seen, a);
		if (want == seen)
			return false;
		BASE_POINT(pt_protect_before_cas);
		if (atomic_cas_seqcst(entry, &seen, want))                      /* W2 -> F1; S1 -> S2 */
			return true;
	}
	return false;
}

uint64_t pt_protect(struct pt *pt, struct lock_range r, uint64_t allow, bool object_write)
{
	const struct access a = { .most = allow & PT_ACCESS, .least = allow & (PT_READ | PT_EXEC),
				  .shared = PT_ZERO | (BASE_MUTANT(protect_unshares) ? 0 : PT_SHARED) |
					    (object_write ? 0 : PT_OBJECT) };
	uint64_t addr = r.lo, changed = 0;
	atomic_u64 *entry;

	while ((entry = pt_next(pt, &addr, r.hi))) {
		unsigned n = run_length(addr, r.hi);

		for (unsigned i = 0; i < n; i++)
			changed += protect_one(&entry[i], &a);
		addr += (uint64_t)n << PAGE_SHIFT;
	}
	return changed;
}

/* ---- share ---- */

/* Stores that began before are over when it returns: what the child shows is what the frame has. LOCKED until the child
 * has it, too, so that who looks for all that show the frame finds as many as are counted (migrate.c). false: it wants
 * a spare frame. */
static bool share_one(atomic_u64 *entry, atomic_u64 *copy, uint64_t addr, const struct pt_share *s)
{
	uint64_t seen = atomic_load_seqcst(entry), next, fresh;                  /* W2 -> F1 */

	do {
		if (unlikely(seen & PT_LOCKED) && !BASE_MUTANT(share_skips_locked))
			seen = pt_settled(entry);
		if (!pt_has_frame(seen) || seen & PT_OBJECT)
			return true;
		if (seen & PT_PINNED && !s->spare(s->arg))
			return false;
		BASE_POINT(pt_share_before_cas);
	} while (!atomic_cas_seqcst(entry, &seen, seen | PT_LOCKED));           /* W2 -> F1; S1 -> S2 */
	if (seen & PT_PINNED && s->copy(pt_pfn(seen), addr, &fresh, s->arg)) {
		pt_store(copy, pt_entry(fresh, seen & PT_BITS & ~(uint64_t)(PT_PINNED | PT_YOUNG | PT_LOCKED), 0));
		pt_store(entry, seen & ~(uint64_t)PT_LOCKED);
		return true;
	}
	next = pt_entry(pt_pfn(seen), (seen & PT_BITS & ~(uint64_t)(PT_WRITE | PT_LOCKED | PT_PINNED)) | PT_SHARED, 0);
	if (BASE_MUTANT(share_keeps_write))
		next |= seen & PT_WRITE;
	if (BASE_MUTANT(share_counts_late))
		pt_store(entry, next);
	BASE_POINT(pt_share_locked);
	if (!BASE_MUTANT(share_uncounted))
		s->share(pt_pfn(next), s->arg);
	pt_store(copy, next & ~(uint64_t)PT_YOUNG);
	if (!BASE_MUTANT(share_counts_late))
		pt_store(entry, next);
	return true;
}

int pt_share(struct pt *pt, struct pt *child, struct thread_slot *self, struct lock_range *r, const struct pt_share *s)
{
	uint64_t addr = r->lo;
	atomic_u64 *entry;

	while ((entry = pt_next(pt, &addr, r->hi))) {
		unsigned n = run_length(addr, r->hi);
		atomic_u64 *copy = NULL;

		for (unsigned i = 0; i < n; i++) {
			if (!atomic_load_seqcst(&entry[i]))                     /* W2 -> F1 */
				continue;
			if (!copy && !(copy = pt_make(child, self, addr)))      /* the same place in its table      */
				return -ENOMEM;
			r->lo = addr + ((uint64_t)i << PAGE_SHIFT);
			if (!share_one(&entry[i], &copy[i], r->lo, s))
				return -EAGAIN;
		}
		addr += (uint64_t)n << PAGE_SHIFT;
	}
	return 0;
}

/* ---- move ---- */

/* The tables for every place to which an entry may move. They stay, empty, if a later one cannot be made. */
static int make_targets(struct pt *pt, struct thread_slot *self, struct lock_range from, uint64_t to)
{
	uint64_t addr = from.lo;

	while (pt_next(pt, &addr, from.hi)) {
		uint64_t n = run_length(addr, from.hi), target = to + (addr - from.lo);

		/* no sites: who moves has made them already, so as not to fail here */
		if (!(pt_make)(pt, self, target) || !(pt_make)(pt, self, target + ((n - 1) << PAGE_SHIFT)))
			return -ENOMEM;
		addr += n << PAGE_SHIFT;
	}
	return 0;
}

/* Both ranges are held. A late fault may still lock the target, see lk, and restore EMPTY: wait for it. */
static void put(atomic_u64 *entry, uint64_t value)
{
	uint64_t seen;

	do {
		seen = pt_settled(entry);
		CHECK(seen == 0);
	} while (!atomic_cas_seqcst(entry, &seen, value));                      /* W2 -> F1; S1 -> S2 */
}

int pt_move(struct pt *pt, struct thread_slot *self, struct lock_range from, uint64_t to)
{
	uint64_t addr = from.lo;
	atomic_u64 *entry;

	if (!BASE_MUTANT(move_makes_late) && make_targets(pt, self, from, to))
		return -ENOMEM;
	while ((entry = pt_next(pt, &addr, from.hi))) {
		unsigned n = run_length(addr, from.hi);

		for (unsigned i = 0; i < n; i++, addr += PAGE_BYTES) {
			uint64_t value = take(&entry[i]);
			atomic_u64 *target;

			if (!value)
				continue;
			BASE_POINT(pt_move_between);
			target = BASE_MUTANT(move_makes_late) ? (pt_make)(pt, self, to + (addr - from.lo))
							      : pt_find(pt, to + (addr - from.lo));
			if (BASE_MUTANT(move_makes_late) && !target) {
				put(&entry[i], value);
				return -ENOMEM;
			}
			CHECK(target != NULL);
			put(target, value);
		}
	}
	return 0;
}

/* ---- unlinking tables ---- */

struct prune {
	struct pt *pt;
	struct thread_slot *self;
	struct lock_range r;
	uint64_t unlinked;
	struct pt_chain chain;
};

/* Tables that hang in an unlinked one, itself included: a count, late ones may be missed. */
static uint64_t count_tables(struct pt_table *table)
{
	uint64_t n = 1;

	for (unsigned i = 0; table->level && i < PT_WORDS; i++) {
		struct pt_table *below = pt_below(&table->word[i]);

		if (below)
			n += count_tables(below);
	}
	return n;
}

/* Below `table`, whose first word covers addresses from `lo`. */
static void prune_below(struct prune *p, struct pt_table *table, uint64_t lo)
{
	unsigned shift = pt_level_shift(table->level);
	uint64_t from = p->r.lo > lo ? (p->r.lo - lo) >> shift : 0;

	for (uint64_t i = from; i < PT_WORDS && lo + (i << shift) < p->r.hi; i++) {
		struct lock_range span = { lo + (i << shift), lo + ((i + 1) << shift) };
		struct pt_table *below = pt_below(&table->word[i]);

		if (!below)
			continue;
		if ((!lock_range_covers(p->r, span) && (below->level || !BASE_MUTANT(tables_partly_held))) ||
		    (p->pt->locked && !pt_table_ours(table, below, p->self))) {
			if (below->level)
				prune_below(p, below, span.lo);
			continue;
		}
		if (below->level && !p->pt->locked)      /* its tables first: each goes into the chain               */
			prune_below(p, below, span.lo);
		BASE_POINT(pt_free_before_unlink);
		below = (struct pt_table *)(uintptr_t)atomic_swap_seqcst(&table->word[i], 0);            /* T1 */
		p->unlinked += count_tables(below);
		if (p->pt->locked)
			pt_table_stray(below);
		if (pt_table_chains(p->pt, p->self))
			pt_table_chain(&p->chain, below);
		else
			pt_table_retire(p->pt, p->self, below);
	}
}

uint64_t pt_free_tables(struct pt *pt, struct thread_slot *self, struct lock_range r)
{
	struct prune p = { .pt = pt, .self = self, .r = r };
	uint64_t span = UINT64_C(1) << pt_level_shift(1);

	if (((r.lo + span - 1) & ~(span - 1)) + span > r.hi && !BASE_MUTANT(tables_partly_held))
		return 0;
	prune_below(&p, pt->root, 0);
	pt_table_retire_chain(pt, self, &p.chain);
	return p.unlinked;
}
