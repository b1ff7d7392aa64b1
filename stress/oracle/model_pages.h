/* SPDX-License-Identifier: MIT */
/* model_pages.h - what the model's calls (model_calls.c) are made of (model.c). Indexes are pages of the region. */
#ifndef STRESS_ORACLE_MODEL_PAGES_H
#define STRESS_ORACLE_MODEL_PAGES_H

#include "stress/oracle/model.h"

/* After a change of [lo, hi): which neighbours are one VMA now. fresh: what is inside is new, not merged. */
void pages_rejoin(struct model *m, uint64_t lo, uint64_t hi, bool fresh);
void pages_put(struct model *m, uint64_t i, const struct model_page *value);     /* NULL: nothing is mapped there   */
void pages_unmap(struct model *m, uint64_t lo, uint64_t hi);
void pages_piece(struct model *m, uint64_t i);                                   /* all of the VMA around i         */
bool pages_free(const struct model *m, uint64_t i, uint64_t n);                  /* false also outside the region   */
/* ... and not in the guard gap of the stack next above. */
bool pages_clear(const struct model *m, uint64_t i, uint64_t n);
/* Where n pages go when nobody says; -1: nowhere. anon: placed for huge pages, in step with the page offset off. */
int64_t pages_place(const struct model *m, uint64_t n, bool anon, uint64_t off);
uint32_t pages_object(struct model *m, uint64_t pages);                          /* new shared anonymous memory     */
/* May n pages be mapped where those of [lo, hi) go? n be locked beside those that are, but for [lo, hi)? */
bool pages_room(const struct model *m, uint64_t lo, uint64_t hi, uint64_t n);
bool pages_lockable(const struct model *m, uint64_t lo, uint64_t hi, uint64_t n);
/* Faults in what is locked: 0, or -ENOMEM at the first page that may not be touched. */
int64_t pages_lock_in(struct model *m, uint64_t lo, uint64_t hi);
int64_t pages_content(const struct model *m, const struct model_page *p);        /* what a load sees, or BUS        */
void pages_fill(struct model *m, uint64_t i);                                    /* faulted in, as if stored to    */
int64_t pages_touch(struct model *m, uint64_t addr, bool write, uint64_t value); /* a load or a store               */

/* ---- children (model_fork.c) ---- */
int64_t pages_fork(struct model *m);             /* the model is the child's from here on. 0, -EAGAIN, -ENOMEM      */
int64_t pages_exit(struct model *m);             /* it is the parent's again. -ECHILD                               */
void pages_cut(struct model *m, uint32_t object, uint64_t pages);        /* private copies beyond: in parents, too  */
void pages_forget_forks(struct model *m);

#endif
