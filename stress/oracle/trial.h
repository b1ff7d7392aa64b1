/* SPDX-License-Identifier: MIT */
/*
 * trial.h - a program run by the model and by one party beside it, compared after each call; and the shrinker.
 *
 * Every party is compared with the model, never with another party directly: where two parties differ, one of them
 * differs from the model, and the model tells which.
 */
#ifndef STRESS_ORACLE_TRIAL_H
#define STRESS_ORACLE_TRIAL_H

#include "stress/oracle/model.h"

struct party {
	const char *name;
	void *self;
	int (*reset)(void *self);
	int (*run)(void *self, const struct op *op, int64_t *result);            /* -errno: the party is gone      */
	int (*list)(void *self, struct row *rows, unsigned room);                /* number of VMAs, or -errno      */
	uint64_t (*audit)(void *self, FILE *out);        /* violations of its own rules; may be NULL               */
	bool (*refused)(void *self);             /* the last op wanted for memory: it has done nothing; may be NULL */
	bool deep;                               /* its lists know advices and NORESERVE                           */
	bool follow;                             /* its placement is its own business (arenas)                     */
};

/* Which party's object is which of the model's: a bijection that holds for the whole program. */
struct pairing { uint64_t *number; uint32_t room; };

/* What is compared: the model's list and a party's. deep: also what only some parties can tell (advices, NORESERVE). */
struct compared {
	const struct row *want, *have;
	unsigned wants, haves;
	bool deep;
};

/* True when they are the same; else why[160] says the first difference. */
bool trial_same(const struct compared *c, struct pairing *pairing, char *why);
void pairing_clear(struct pairing *pairing);

struct trial {
	struct model model;
	struct party party;
	struct pairing pairing;
	struct row *want, *have;
	unsigned room;
	bool audit;                              /* audit the party too: after each step, or at a program's end    */
	uint64_t shrink_ns, until_ns;            /* how long the shrinker tries; when it stops                     */
	bool late;                               /* out: it stopped, there may be a shorter program                */
	int64_t wanted, got;                     /* of the op that failed                                          */
	char why[160];
};

int  trial_open(struct trial *t, const struct party *party, uint64_t lo, uint64_t hi);
void trial_close(struct trial *t);
void trial_reset(struct trial *t);
/* Runs one op on both; lists are compared when list. False: they differ (wanted, got, why). */
bool trial_step(struct trial *t, const struct op *op, bool list);
/* From a reset: index of the first op after which they differ, comparing everything after each op; n: none. An audit
 * waits for grace periods: there is one, after the last op. */
unsigned trial_run(struct trial *t, const struct op *ops, unsigned n);
/* Cuts ops down, in place, to a program that still differs at its last op; returns its length; 0: it never differs. It
 * runs all of ops once, then tries for shrink_ns (trial_open: 20 s). */
unsigned trial_shrink(struct trial *t, struct op *ops, unsigned n);
/* Prints the program as C, with what model and party say where they differ. */
void trial_print(struct trial *t, const struct op *ops, unsigned n, FILE *out);
/* An op whose address is the party's choice, told to the model: true when result is a place that the model can take. */
bool trial_places(const struct op *op);

#endif
