/* SPDX-License-Identifier: MIT */
/*
 * exec.h - a placed test on the real engine, through vmmap.h: the calls one by one, by whatever core the caller plays,
 * and the proof that they did what the model says.
 *
 *	exec_open(&e, "vma", true);
 *	for each test: exec_begin(&e); exec_setup(&e, &p); exec_step(&e, &p.call[0], &got[0]); exec_step(... [1] ...);
 *	               exec_proves(&e, &p, got, why); exec_end(&e);
 *	exec_close(&e);
 *
 * One map serves all tests: exec_end unmaps everything and drops the objects. Who wants a fresh map for each test opens
 * and closes, or fills in `map` and the objects himself.
 */
#ifndef BENCH_CONFLICTS_EXEC_H
#define BENCH_CONFLICTS_EXEC_H

#include <vmmap/vmmap.h>
#include "bench/conflicts/placed.h"

struct exec {
	struct physmem *physmem;
	struct vmmap *map;
	struct vmmap_object *object[3];          /* CALL_ANON: NULL                                                */
	bool bytes;                              /* frames have bytes: contents are compared                       */
};

/* bytes: see physmem_config; without them nothing is said about what is read. -errno. */
int  exec_open(struct exec *e, const char *policy, bool bytes);
void exec_close(struct exec *e);
int  exec_begin(struct exec *e);                 /* fresh objects. -ENOMEM                                         */
void exec_end(struct exec *e);
/* 0; a call's negative result. */
int  exec_setup(struct exec *e, const struct placed *p);
/* Makes the one call (access: vmmap_read or write of up to 48 KiB on the stack; listing: vmmap_walk; query:
 * vmmap_query) and no other; allocates nothing. */
void exec_step(struct exec *e, const struct step *s, struct answer *out);
/* Are the two answers, and the map as it is now, what p says? Else why[160] tells. Reads pages, so exec_end is next. */
bool exec_proves(struct exec *e, const struct placed *p, const struct answer got[2], char *why);

#endif
