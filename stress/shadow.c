/* SPDX-License-Identifier: MIT */
/*
 * shadow.c - the page model: a three-level table of words, and the transitions that shadow.h lists.
 *
 * TABLE     13 + 13 + 9 bits of the page number. Levels are installed by CAS and stay until shadow_clear; S3,
 *           CAS acq_rel -> S4, acquire load. All leaves are on one list, pushed by the installer.
 */
#include "stress/shadow.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/point.h"

#define LEAF_BITS 9
#define MIDDLE_BITS 13
#define ROOT_BITS 13

struct leaf {
	struct leaf *next;                       /* on the list of all leaves                                      */
	uint64_t base;                           /* address of its first page                                      */
	struct shadow_page page[1 << LEAF_BITS];
};

struct middle { _Atomic(struct leaf *) leaf[1 << MIDDLE_BITS]; };

struct shadow {
	unsigned threads;
	atomic_u64 ticket PAIR_ALIGNED;
	_Atomic(struct leaf *) leaves;
	_Atomic(struct middle *) middle[1 << ROOT_BITS];
};

static void *need(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p) {
		fprintf(stderr, "vmmap-stress: no memory for the page model\n");
		abort();
	}
	return p;
}

struct shadow *shadow_create(unsigned threads)
{
	struct shadow *s = aligned_alloc(_Alignof(struct shadow), sizeof(*s));

	if (!s)
		return NULL;
	s->threads = threads;
	atomic_store_relaxed(&s->ticket, 1);
	atomic_store_relaxed(&s->leaves, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(s->middle); i++)
		atomic_store_relaxed(&s->middle[i], NULL);
	return s;
}

void shadow_clear(struct shadow *s)
{
	struct leaf *leaf = atomic_load_acquire(&s->leaves), *next;

	for (; leaf; leaf = next) {
		next = leaf->next;
		for (unsigned i = 0; i < ARRAY_SIZE(leaf->page); i++)
			free(atomic_load_acquire(&leaf->page[i].lanes));
		free(leaf);
	}
	atomic_store_relaxed(&s->leaves, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(s->middle); i++) {
		free(atomic_load_acquire(&s->middle[i]));
		atomic_store_relaxed(&s->middle[i], NULL);
	}
}

void shadow_destroy(struct shadow *s)
{
	shadow_clear(s);
	free(s);
}

/* ---- the table ---- */

static void push_leaf(struct shadow *s, struct leaf *leaf)
{
	leaf->next = atomic_load_acquire(&s->leaves);
	while (!atomic_cas_acqrel(&s->leaves, &leaf->next, leaf))
		;
}

static struct leaf *leaf_of(struct shadow *s, uint64_t addr, bool make)
{
	uint64_t n = addr >> PAGE_SHIFT >> LEAF_BITS;
	_Atomic(struct middle *) *top = &s->middle[n >> MIDDLE_BITS & ((1 << ROOT_BITS) - 1)];
	struct middle *middle = atomic_load_acquire(top);                               /* S4 <- S3 */
	_Atomic(struct leaf *) *slot;
	struct leaf *leaf, *fresh;

	if (!middle) {
		struct middle *mine;

		if (!make)
			return NULL;
		mine = need(1, sizeof(*mine));
		if (atomic_cas_acqrel(top, &middle, mine))                              /* S3 -> S4 */
			middle = mine;
		else
			free(mine);
	}
	slot = &middle->leaf[n & ((1 << MIDDLE_BITS) - 1)];
	leaf = atomic_load_acquire(slot);                                               /* S4 <- S3 */
	if (leaf || !make)
		return leaf;
	fresh = need(1, sizeof(*fresh));
	fresh->base = n << LEAF_BITS << PAGE_SHIFT;
	if (!atomic_cas_acqrel(slot, &leaf, fresh)) {                                   /* S3 -> S4 */
		free(fresh);
		return leaf;
	}
	push_leaf(s, fresh);
	return fresh;
}

struct shadow_page *shadow_page_at(struct shadow *s, uint64_t addr)
{
	return &leaf_of(s, addr, true)->page[addr >> PAGE_SHIFT & ((1 << LEAF_BITS) - 1)];
}

struct shadow_page *shadow_page_if(struct shadow *s, uint64_t addr)
{
	struct leaf *leaf = leaf_of(s, addr, false);

	return leaf ? &leaf->page[addr >> PAGE_SHIFT & ((1 << LEAF_BITS) - 1)] : NULL;
}

struct shadow_lane *shadow_lane_at(struct shadow *s, struct shadow_page *page, unsigned thread)
{
	struct shadow_lane *lanes = atomic_load_acquire(&page->lanes), *mine;           /* S4 <- S3 */

	if (!lanes) {
		mine = need(s->threads, sizeof(*mine));
		if (atomic_cas_acqrel(&page->lanes, &lanes, mine))                      /* S3 -> S4 */
			lanes = mine;
		else
			free(mine);
	}
	return &lanes[thread];
}

uint64_t shadow_ticket(struct shadow *s)
{
	return atomic_add_seqcst(&s->ticket, 1) + 1;
}

uint64_t shadow_now(struct shadow *s)
{
	return atomic_load_seqcst(&s->ticket);
}

/* ---- transitions: pure functions of one word ---- */

static uint64_t after_begin(uint64_t word)
{
	return (word & SHADOW_INSIDE ? word | SHADOW_RACED : word & ~(uint64_t)SHADOW_RACED) + 1;
}

static uint64_t with_generation(uint64_t word, uint64_t ticket)
{
	return (word & ((UINT64_C(1) << SHADOW_GENERATION_SHIFT) - 1)) | ticket << SHADOW_GENERATION_SHIFT;
}

/* The state after a change that nobody raced with. *fresh: born zero by it. */
static uint64_t apply(uint64_t word, const struct shadow_change *c, bool *fresh)
{
	uint64_t prot = (uint64_t)c->prot << SHADOW_PROT_SHIFT & SHADOW_PROT;
	uint64_t state = SHADOW_KNOWN | SHADOW_MAPPED | SHADOW_PROT | SHADOW_ZERO | SHADOW_SHARED | SHADOW_OWNER;

	*fresh = false;
	switch (c->effect) {
	case SHADOW_NOTHING:
		return word;
	case SHADOW_MAP:
		*fresh = true;
		return (word & ~state) | SHADOW_KNOWN | SHADOW_MAPPED | SHADOW_ZERO | prot |
		       (c->shared ? SHADOW_SHARED : 0) | (uint64_t)c->owner << SHADOW_OWNER_SHIFT;
	case SHADOW_UNMAP:
		return (word & ~state) | SHADOW_KNOWN;
	case SHADOW_PROTECT:                     /* of a page not known to be mapped nothing is learnt */
		if ((word & (SHADOW_KNOWN | SHADOW_MAPPED)) == (SHADOW_KNOWN | SHADOW_MAPPED))
			word = (word & ~(uint64_t)SHADOW_PROT) | prot;
		return word;
	case SHADOW_PROTECT_ALL:
		if (!(word & SHADOW_KNOWN))
			word |= SHADOW_SHARED;           /* for all we know: so DONTNEED proves nothing */
		return (word & ~(uint64_t)SHADOW_PROT) | SHADOW_KNOWN | SHADOW_MAPPED | prot;
	case SHADOW_DROP:
		if (!(word & SHADOW_KNOWN))
			return word & ~(uint64_t)SHADOW_ZERO;
		*fresh = (word & SHADOW_MAPPED) && !(word & SHADOW_SHARED);
		return *fresh ? word | SHADOW_ZERO : word;
	case SHADOW_BLUR:
		return word & ~(uint64_t)SHADOW_ZERO;
	default:
		return word & ~state;
	}
}

struct settling { uint64_t ticket, early; };     /* drawn before the change; the mutant's, drawn once for all pages */

static struct settling settling(struct shadow *s, uint64_t ticket)
{
	struct settling at = { ticket, BASE_MUTANT(shadow_draws_early) ? shadow_ticket(s) : 0 };

	BASE_POINT(shadow_before_settle);
	return at;
}

static void settle(struct shadow *s, struct shadow_page *page, struct settling at, const struct shadow_change *change)
{
	uint64_t old = atomic_load_acquire(&page->word), new;

	do {
		bool fresh = false;

		if (old & SHADOW_RACED)
			new = old & ~(uint64_t)(SHADOW_KNOWN | SHADOW_ZERO | SHADOW_OWNER);
		else
			new = apply(old, change, &fresh);
		if (fresh)
			atomic_store_release(&page->content, at.ticket);
		/* Drawn after `old` was read, so that it is above all that this page has shown. */
		new = with_generation(new, at.early ? at.early : shadow_ticket(s)) - 1;
	} while (!atomic_cas_acqrel(&page->word, &old, new));                           /* S1 -> S2 */
}

void shadow_begin(struct shadow *s, uint64_t addr, uint64_t len)
{
	for (uint64_t end = addr + len; addr < end; addr += PAGE_BYTES) {
		struct shadow_page *page = shadow_page_at(s, addr);
		uint64_t old = atomic_load_acquire(&page->word);

		while (!atomic_cas_acqrel(&page->word, &old, after_begin(old)))         /* S1 -> S2 */
			;
	}
}

void shadow_end(struct shadow *s, uint64_t addr, uint64_t len, uint64_t ticket, struct shadow_change change)
{
	struct settling at = settling(s, ticket);

	for (uint64_t end = addr + len; addr < end; addr += PAGE_BYTES)
		settle(s, shadow_page_at(s, addr), at, &change);
}

uint64_t shadow_claim(struct shadow *s, uint64_t addr, uint64_t len, uint64_t ticket, struct shadow_change change)
{
	static const struct shadow_change lose = { SHADOW_LOSE, 0, false, 0 };
	struct settling at = settling(s, ticket);
	uint64_t met = UINT64_MAX, mapped = SHADOW_KNOWN | SHADOW_MAPPED;

	for (uint64_t end = addr + len; addr < end; addr += PAGE_BYTES) {
		struct shadow_page *page = shadow_page_at(s, addr);
		uint64_t old = atomic_load_acquire(&page->word);
		uint64_t generation = old >> SHADOW_GENERATION_SHIFT;
		bool quiet = !(old & SHADOW_INSIDE), sure = (old & mapped) == mapped;

		if (quiet && sure && met == UINT64_MAX && (generation < ticket || (change.owner && old & SHADOW_OWNER)))
			met = addr;
		while (!atomic_cas_acqrel(&page->word, &old, after_begin(old)))         /* S1 -> S2 */
			;
		if (old >> SHADOW_GENERATION_SHIFT > ticket && !(old & SHADOW_INSIDE))
			settle(s, page, at, &lose);
		else
			settle(s, page, at, &change);
	}
	return met;
}

void shadow_forget(struct shadow *s, uint64_t addr, uint64_t len)
{
	static const struct shadow_change lose = { SHADOW_LOSE, 0, false, 0 };

	for (struct leaf *leaf = atomic_load_acquire(&s->leaves); leaf; leaf = leaf->next) {
		for (unsigned i = 0; i < ARRAY_SIZE(leaf->page); i++) {
			uint64_t at = leaf->base + i * PAGE_BYTES;

			if (at < addr || at >= addr + len || !atomic_load_relaxed(&leaf->page[i].word))
				continue;
			shadow_begin(s, at, PAGE_BYTES);
			shadow_end(s, at, PAGE_BYTES, shadow_ticket(s), lose);
		}
	}
}

void shadow_walk(struct shadow *s, void (*fn)(uint64_t addr, uint64_t word, void *arg), void *arg)
{
	for (struct leaf *leaf = atomic_load_acquire(&s->leaves); leaf; leaf = leaf->next)
		for (unsigned i = 0; i < ARRAY_SIZE(leaf->page); i++) {
			uint64_t word = atomic_load_acquire(&leaf->page[i].word);

			if (shadow_certain(word))
				fn(leaf->base + i * PAGE_BYTES, word, arg);
		}
}
