/* SPDX-License-Identifier: MIT */
/*
 * model.h - the reference: an address space as an array of pages. Slow and plain, so that it can be read as the
 * definition of what the calls do (Linux 6.18; man-pages; experiments with the running kernel).
 *
 * One struct per page of [lo, hi); a VMA is a maximal run of pages that are `joined`. Outside of private writes this
 * is a pure function of the pages (equal attributes, consecutive offsets: the canonical form). A private write makes
 * the VMA `touched` (Linux: it gets an anonymous group), and from then on history decides what merges: see
 * model_loose(). So does the growth of a stack: a touch below a GROWSDOWN VMA extends it.
 */
#ifndef STRESS_ORACLE_MODEL_H
#define STRESS_ORACLE_MODEL_H

#include "stress/oracle/op.h"

struct model_page {
	uint8_t mapped, prot, shared, noreserve, growsdown;
	uint8_t account;                         /* VM_ACCOUNT: invisible, but splits VMAs                         */
	uint8_t touched;                         /* the VMA has seen a private write: 1; perhaps (DONTUNMAP took
	                                            its pages away, and with a whole VMA the group): 2             */
	uint8_t copied, lazy;                    /* the page has contents of its own; MADV_FREE may drop them       */
	uint8_t locked;                          /* 1: mlock; 2: on fault                                          */
	uint8_t pieced;                          /* of a child: only mlock had kept its VMA in pieces; perhaps it still
	                                            is (Linux joins nothing in a fork, the engine does)            */
	uint16_t advice;
	uint32_t object; /* OBJECT_*, shared anonymous from OBJECT_FILES on; 0 = private anonymous */
	uint64_t off;                            /* in pages; private anonymous: the page number                   */
	uint64_t value;                          /* first 8 bytes, where copied                                    */
};

struct model_fork { struct model_page *page; uint8_t *joined; uint64_t used, brk; };     /* a parent                */
struct model_object { uint64_t pages, mapped; uint64_t *value; };        /* value: room for OBJECT_PAGES of a file */

struct model {
	uint64_t lo, hi, brk_start, brk;
	bool willneed_ebadf;                     /* kernels without swap say so for private anonymous memory       */
	bool follow;                             /* placement is not ours: model_placed() says where it went       */
	struct model_page *page;
	uint8_t *joined;                         /* page i and page i - 1 are one VMA                              */
	uint64_t pages, used;                    /* in the region; mapped now                                      */
	uint64_t limit_as, limit_locked, limit_stack;    /* pages; 0: none                                         */
	struct model_object *object;
	uint32_t objects, object_room;
	uint64_t splits, merges;                 /* borders made inside and removed between VMAs                   */
	int64_t placed;                          /* follow: address that the engine chose for this op              */
	struct model_fork fork[OP_FORKS];        /* what the parents are like; the youngest last                   */
	unsigned forks;
};

int  model_init(struct model *m, uint64_t lo, uint64_t hi);      /* brk area starts at lo. -ENOMEM                  */
void model_fini(struct model *m);
void model_reset(struct model *m);                               /* nothing mapped, objects empty                   */
int  model_copy(struct model *to, const struct model *from);     /* two of one region, from not in a child. -ENOMEM: to
	                                                            needs a reset                                  */
int64_t model_run(struct model *m, const struct op *op);
unsigned model_list(const struct model *m, struct row *rows, unsigned room);     /* number of VMAs                 */
/* The two pages beside the border may be one VMA or two: private writes have made that a question of history. */
bool model_loose(const struct model *m, uint64_t border);
/* [lo, hi) page indexes of the VMA around index i. */
void model_vma(const struct model *m, uint64_t i, uint64_t *lo, uint64_t *hi);
uint64_t model_object_value(const struct model *m, uint32_t object, uint64_t page);

#endif
