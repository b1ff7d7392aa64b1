/* SPDX-License-Identifier: MIT */
/* oracle.h - the comparison proper: many batches of calls on kernel, engine and model. */
#ifndef STRESS_ORACLE_ORACLE_H
#define STRESS_ORACLE_ORACLE_H

#include "stress/oracle/gen.h"
#include "stress/oracle/party.h"

enum { SIDE_KERNEL, SIDE_ENGINE, SIDES };

struct oracle {                                  /* zeroed, then the first block filled in by the caller           */
	const char *policy;
	uint64_t lo, pages, ops, seed, seeds;    /* ops over all seeds                                             */
	unsigned list_every, noreserve;
	void (*progress)(const struct oracle *o);

	struct kernel *kernel;
	struct engine engine;
	struct model model;
	struct pairing pairing[SIDES];
	struct gen gen;
	unsigned lack;
	struct op *program;                      /* of this seed, calls and touches                                */
	uint64_t length, room;
	struct row *want, *have;                 /* the model's lists of a batch; one list of a party              */
	unsigned rows;

	uint64_t calls[KIND_COUNT], succeeded[KIND_COUNT], done;         /* done: calls, without touches           */
	uint64_t splits, merges, lists, deep_lists, aimed;
	uint64_t divergences[SIDES];
	uint64_t seed_now;
	char error[160];
};

int  oracle_open(struct oracle *o, char *why);   /* -errno and why[128]: this machine does not let us               */
/* All seeds. 0: it ran, see divergences; -errno: it could not go on, see error. */
int  oracle_run(struct oracle *o);
void oracle_close(struct oracle *o);

#endif
