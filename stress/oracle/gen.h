/* SPDX-License-Identifier: MIT */
/*
 * gen.h - random programs. The generator looks at the model to aim: two thirds of the calls touch an existing VMA.
 *
 * What it produces stays inside the deterministic subset: no write touches private memory unless private_writes, or in
 * a child, whose history ends with it; no call names an address outside the region, prots are none, r, rw, w, rx, rwx.
 */
#ifndef STRESS_ORACLE_GEN_H
#define STRESS_ORACLE_GEN_H

#include "base/prng.h"
#include "stress/oracle/model.h"

struct gen {
	struct prng rng;
	const struct model *m;
	unsigned lack;                           /* LACK_*: not to be used                                         */
	unsigned noreserve;                      /* percent of the mappings                                        */
	bool private_writes;
	bool forks;                              /* some calls are a child's                                       */
	bool limits;                             /* begin with limits of address space and locked memory           */
	uint64_t aimed, calls;                   /* calls that touch an existing VMA; calls                        */
};

void gen_next(struct gen *g, struct op *op);
static inline bool gen_writes(const struct gen *g) { return g->private_writes || g->m->forks; }
void gen_spoil(struct gen *g, struct op *op);    /* gen_spoil.c                                                    */
/* Is it inside the subset (gen_allow.c)? */
bool gen_allows(const struct gen *g, const struct op *op);

#endif
