/* SPDX-License-Identifier: MIT */
/* plan_deps.h - the order of a plan's steps, and who waits for whom. See plan.h. */
#ifndef STRESS_REPLAY_PLAN_DEPS_H
#define STRESS_REPLAY_PLAN_DEPS_H

#include "stress/replay/plan.h"

int plan_order(struct plan *plan);       /* sorts the steps; -ENOMEM                                               */
int plan_deps(struct plan *plan);        /* fills prefix, free_dep, dep; -ENOMEM                                   */

#endif
