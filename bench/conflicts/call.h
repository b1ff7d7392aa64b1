/* SPDX-License-Identifier: MIT */
/*
 * call.h - calls on symbolic pages: what the conflict tests are made of.
 *
 * SPACE   Twelve pages in a row, 0..11. Pages 0..3 are the heap, where only brk maps anything; 4..7 and 8..11 are two
 *         regions for everything else. A range [lo, hi) is written with the borders before and behind its pages, so
 *         borders are 0..12. What an address is, placement says (placed.h).
 * ANYWHERE  A call whose address the engine chooses (mmap without one, mremap that has to move) is given pages outside
 *         of these twelve, other ones for each of two cores: results are compared up to the name of that place.
 * WITHIN  mmap_within takes the highest fit in its window: its result is a function of the map, as vmmap.h promises.
 */
#ifndef BENCH_CONFLICTS_CALL_H
#define BENCH_CONFLICTS_CALL_H

#include <stdint.h>
#include <stdio.h>

#define CALL_PAGES  12u
#define CALL_HEAP   4u                           /* pages below belong to brk                                      */
#define CALL_REGION 4u                           /* pages of each of the two regions, and of the heap              */

/* Rows and columns of the matrix. Those up to CALL_BRK are mutators. */
enum call_kind {
	CALL_MMAP_FIXED, CALL_MMAP_ANY, CALL_MMAP_WITHIN, CALL_MUNMAP, CALL_MPROTECT, CALL_MREMAP, CALL_MADVISE,
	CALL_BRK, CALL_FAULT_READ, CALL_FAULT_WRITE, CALL_ACCESS, CALL_LISTING, CALL_QUERY, CALL_KINDS
};

/* What kinds have several of. */
enum call_form {
	FORM_ONLY,
	FORM_SHRINK, FORM_GROW,                  /* mremap, in place; brk                                          */
	FORM_ANYWHERE, FORM_TO,                  /* mremap: grows, moving if it must; to a fixed place             */
	FORM_DONTNEED, FORM_DONTDUMP,            /* madvise                                                        */
	FORM_LOAD, FORM_STORE,                   /* access                                                         */
	CALL_FORMS
};

enum call_object { CALL_ANON, CALL_FILE_A, CALL_FILE_B };

struct call {
	uint8_t kind, form;
	uint8_t lo, hi;                          /* brk: the new break is hi                                       */
	uint8_t n;                               /* pages: of mmap_any, mmap_within; mremap's new length           */
	uint8_t to;                              /* FORM_TO: where it goes                                         */
	uint8_t prot, shared, object;            /* PROT_*; enum call_object                                       */
	uint8_t alias;                           /* the offset counts from the region's start, not from page 0: the
						    same pages of an object in both regions                       */
	uint8_t tag;                             /* FORM_STORE: what it stores, see call_value()                   */
};

extern const char *const call_kind_name[CALL_KINDS];

/* "mremap", "mremap.grow". */
const char *call_form_name(uint8_t form);        /* "" for FORM_ONLY                                               */
/* The pages that the arguments name, as bits: both ranges of mremap, what brk adds or takes (old: the break's border as
 * it is), and the page beyond that it looks at; the window of mmap_within. */
uint32_t call_pages(const struct call *c, unsigned old);
/* Whatever is stored at a page's first 8 bytes. */
static inline uint64_t call_value(uint8_t tag, unsigned page) { return ((uint64_t)tag << 16) + page + 1; }
void call_print(FILE *out, const struct call *c);
static inline uint32_t call_bits(unsigned lo, unsigned hi) { return (UINT32_C(1) << hi) - (UINT32_C(1) << lo); }

#endif
