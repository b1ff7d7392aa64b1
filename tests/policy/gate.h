/* SPDX-License-Identifier: MIT */
/*
 * gate.h - a place where a script holds a thread: in a test point, or in the test's own code.
 *
 * A gate serves once; gate_at arms it for the next hit of a point by a role, so a point can be gated again and again.
 */
#ifndef TESTS_POLICY_GATE_H
#define TESTS_POLICY_GATE_H

#include <stdbool.h>

#include "base/atomic.h"

struct gate { atomic_u32 reached, open; };

/* Begins a script: forgets the last one, selects the mutant that the environment names. */
void gate_script(void);
/* Non-zero: the environment names a mutant that does not exist. */
int  gate_mutant(void);

void gate_init(struct gate *g);
void gate_at(struct gate *g, const char *role, const char *point);
/* By the held thread: says that it is there, waits for open (twice 20 s at most, patience.h). */
void gate_pass(struct gate *g);
bool gate_wait(struct gate *g, unsigned ms);
void gate_open(struct gate *g);

#endif
