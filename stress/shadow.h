/* SPDX-License-Identifier: MIT */
/*
 * shadow.h - the page model of a verified run: what each page must be, and when that is certain.
 *
 * WORD      one per page: generation << 21 | owner (7) | shared | zero | prot (3) | mapped | known | raced | inside (6)
 *           inside   calls that change this page and have begun but not ended
 *           raced    two of them were inside together: what remains is not known
 *           known    mapped and prot are certain       zero   contents are tracked since `content` (see below)
 *           shared   MAP_SHARED: DONTNEED keeps its contents
 *           owner    thread + 1 that got it by an unaddressed mmap of a profile without fights; 0: nobody in particular
 *           generation  a ticket drawn when the last change had ended, and above each that this page has had: two equal
 *                       words with inside == 0 mean "nothing has begun since"; one below a ticket of mine means "all
 *                       had ended before I began"
 * STATES    quiet --begin--> inside 1 --begin--> inside 2, raced ...   each end: inside - 1; the last one settles:
 *           raced -> known = zero = 0; else what the call did.  begin from quiet clears raced.
 * TICKETS   one counter. A changing call draws its ticket after it has begun on all its pages: whatever ended before
 *           that ticket ended before the change. `content` = the ticket of the change by which the page was born zero.
 * CLAIMS    an unaddressed mmap learns its pages only when it returns: it draws its ticket first and settles
 *           afterwards; if any change of a page ended after that ticket, or is inside, the page becomes unknown. Until
 *           it has settled, "not mapped" is not certain anywhere: who wants to prove a ghost holds the claims off (the
 *           gate in verify_calls.c).
 * READERS   look before, act, look again: equal and quiet words = the page was in that state all the time.
 * EDGES     S1, CAS acq_rel in begin and settle -> S2, acquire looks: content, written before the settling CAS.
 * NOT SO    pages never told about are not known; forgetting is always sound, it only checks less.
 */
#ifndef STRESS_SHADOW_H
#define STRESS_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

enum {
	SHADOW_INSIDE = 63, SHADOW_RACED = 1 << 6, SHADOW_KNOWN = 1 << 7, SHADOW_MAPPED = 1 << 8, SHADOW_PROT_SHIFT = 9,
	SHADOW_PROT = 7 << 9, SHADOW_ZERO = 1 << 12, SHADOW_SHARED = 1 << 13, SHADOW_OWNER_SHIFT = 14,
	SHADOW_OWNER = 127 << 14, SHADOW_GENERATION_SHIFT = 21,
};

struct shadow_lane {                             /* of one thread in one page; that thread's only                  */
	uint64_t value;                          /* word 1 of the last stamp tried here                            */
	uint64_t after;                          /* the last ticket drawn when that store had ended, read before
	                                            the second look at the page's word                            */
	uint64_t generation;                     /* of the page's word around it                                   */
	bool exact;                              /* nothing changed around it: the stamp went to this very page    */
};

struct shadow_page {
	atomic_u64 word, content;
	_Atomic(struct shadow_lane *) lanes;     /* NULL until a thread stamps the page                            */
};

struct shadow;

struct shadow *shadow_create(unsigned threads);          /* NULL: no memory                                        */
void shadow_destroy(struct shadow *s);
void shadow_clear(struct shadow *s);             /* nothing is known of any page; nobody is inside                 */

struct shadow_page *shadow_page_at(struct shadow *s, uint64_t addr);     /* made on first use; aborts without memory */
struct shadow_page *shadow_page_if(struct shadow *s, uint64_t addr);     /* NULL: never told about                  */
struct shadow_lane *shadow_lane_at(struct shadow *s, struct shadow_page *page, unsigned thread);

uint64_t shadow_ticket(struct shadow *s);                /* draws one                                              */
uint64_t shadow_now(struct shadow *s);                   /* the last one drawn                                     */

/* What a changing call did to one page. */
enum shadow_effect {
	SHADOW_NOTHING,                          /* failed, left all as it was                                     */
	SHADOW_MAP,                              /* a fresh mapping with `prot`, `shared`, `owner`                 */
	SHADOW_UNMAP,
	SHADOW_PROTECT,                          /* mapped pages get `prot`                                        */
	SHADOW_PROTECT_ALL,                      /* the call succeeded: so all were mapped, and have `prot` now    */
	SHADOW_DROP,                             /* private pages read as zero                                     */
	SHADOW_BLUR,                             /* contents unknown from here                                     */
	SHADOW_LOSE,                             /* nothing known from here                                        */
};
struct shadow_change { enum shadow_effect effect; int prot; bool shared; unsigned owner; };

void     shadow_begin(struct shadow *s, uint64_t addr, uint64_t len);
void     shadow_end(struct shadow *s, uint64_t addr, uint64_t len, uint64_t ticket, struct shadow_change change);
/* Settles a claim drawn at `ticket`. Returns the first page that was certainly mapped all the time since before the
 * ticket (or is owned by another thread since), UINT64_MAX if none. */
uint64_t shadow_claim(struct shadow *s, uint64_t addr, uint64_t len, uint64_t ticket, struct shadow_change change);
void     shadow_forget(struct shadow *s, uint64_t addr, uint64_t len);   /* pages told about only                  */

/* Calls fn for each page told about whose word is known and quiet, in no order. Quiescent only. */
void shadow_walk(struct shadow *s, void (*fn)(uint64_t addr, uint64_t word, void *arg), void *arg);

static inline uint64_t shadow_look(const struct shadow_page *page)
{
	return atomic_load_acquire(&page->word);                                        /* S2 <- S1 */
}

static inline bool shadow_certain(uint64_t word)
{
	return !(word & SHADOW_INSIDE) && (word & SHADOW_KNOWN);
}

static inline int shadow_prot(uint64_t word)
{
	return (int)((word & SHADOW_PROT) >> SHADOW_PROT_SHIFT);
}

#endif
