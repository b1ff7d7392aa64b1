/* SPDX-License-Identifier: MIT */
/* party.h - engine and kernel in the form that a trial wants. */
#ifndef STRESS_ORACLE_PARTY_H
#define STRESS_ORACLE_PARTY_H

#include "stress/oracle/engine.h"
#include "stress/oracle/kernel.h"
#include "stress/oracle/trial.h"

struct party party_engine(struct engine *e);
struct party party_kernel(struct kernel *k);

#endif
