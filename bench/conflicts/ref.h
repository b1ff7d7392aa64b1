/* SPDX-License-Identifier: MIT */
/*
 * ref.h - symbolic calls on the reference model (stress/oracle/model.h: one definition of what calls do, compared with
 * the running kernel and with the engine elsewhere), and when two calls commute.
 *
 * STRETCH   A border may be stretched: WIDE pages are put there which no argument of A or B covers. A range covers them
 *           iff the border lies strictly inside of it, so a set-up's VMA over both sides becomes that much larger, and
 *           a range that ends or begins at the border stays as it is, on its own side. Where not one VMA lies on both
 *           sides after the set-up, the wide pages are unmapped and get a filler: somebody else's VMAs, in the model
 *           one page with a hole on either side.
 * INDEX     of a page in the model: symbolic pages and wide ones in a row, then two zones for what goes anywhere.
 * STATE     compared is everything that a later call could tell: per page its mapping with all attributes, what is one
 *           VMA with it, accounting, whether the VMA has an anonymous group, what a load sees; objects; the break.
 *           Shared anonymous objects and the places in the zones are compared up to renaming.
 * HISTORY   Where two VMAs meet that have anonymous groups of their own, Linux's order of merging decides what becomes
 *           one; the model leaves that open (model_loose()). Such tests are none: `history` says that it has happened.
 * RESULT    value or errno, the rows told, the bytes read. How a fault was resolved and which frame it got are left
 *           out: vmmap.h calls them information, and of two faults on one page only one can be first.
 */
#ifndef BENCH_CONFLICTS_REF_H
#define BENCH_CONFLICTS_REF_H

#include "base/prng.h"
#include "bench/conflicts/call.h"
#include "stress/oracle/model.h"

#define REF_WIDE      3u
#define REF_STRETCHES 4u
#define REF_ZONE      30u                        /* the first core's zone; the second's ZONE_PAGES behind it       */
#define REF_ZONE_PAGES 16u
#define REF_PAGES     (REF_ZONE + 2 * REF_ZONE_PAGES)
#define REF_LO        UINT64_C(0x10000000)
#define REF_ALIAS     512u                       /* offset in pages where counting from a region's start begins    */
#define REF_ROWS      24u

struct stretch { uint8_t n, at[REF_STRETCHES]; };        /* borders, ascending                                     */

struct ref {
	struct model m;
	struct stretch stretch;
	uint8_t filled;                          /* bit k: stretch k has a filler                                  */
	bool history;
	uint8_t groups, group[REF_PAGES];        /* anonymous groups so far; each page's, 0: none                  */
};

struct answer {
	int64_t result;                          /* address, count, 0; -errno; OP_FAULT                            */
	uint8_t placed;                          /* the result is an address of the engine's choice                */
	uint8_t rows, values;
	uint32_t loose;                          /* bit k: row k may or may not be one VMA with the one below      */
	struct row row[REF_ROWS];
	uint64_t value[CALL_PAGES];              /* first bytes of each page read                                  */
};

/* Shared anonymous objects of two runs. */
struct rename { uint32_t to[16]; };

int  ref_open(struct ref *r);                    /* -ENOMEM                                                        */
void ref_close(struct ref *r);
void ref_reset(struct ref *r, const struct stretch *stretch);    /* NULL: none                                     */
int  ref_copy(struct ref *to, const struct ref *from);           /* both open                                      */
/* Where a range that begins, that ends at this border does so: index of a page. */
unsigned ref_start(const struct stretch *s, unsigned border);
unsigned ref_end(const struct stretch *s, unsigned border);
/* After the set-up: clears and fills the stretches that no VMA goes on over. */
void ref_fill(struct ref *r);
/* core: 0 (the set-up, which places nothing anywhere), 1, 2: whose zone. */
void ref_run(struct ref *r, const struct call *c, unsigned core, struct answer *out);
unsigned ref_break(const struct ref *r);         /* border at which the break is; unstretched maps only            */
/* VMAs that meet pages [lo, hi) by index, whole. */
void ref_rows(const struct ref *r, unsigned lo, unsigned hi, struct answer *out);

/* Of hashes over states and tests: the same with every compiler. */
static inline uint64_t ref_mix(uint64_t hash, uint64_t word) { return prng_mix(hash ^ prng_mix(word + 1)); }

bool ref_same(const struct ref *x, const struct ref *y, struct rename *objects);
bool ref_same_answer(const struct answer *x, const struct answer *y, struct rename *objects);

/* Runs a;b and b;a, each on a copy of `from`. spare: two open maps; after it spare[0] is the state after a;b. a, b: the
 * answers of a;b. 1: they commute; 0: not; -ENOMEM. */
int  ref_commute(const struct ref *from, const struct call call[2], struct ref spare[2], struct answer answer[2]);

#endif
