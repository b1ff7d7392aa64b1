/* SPDX-License-Identifier: MIT */
/* point.h - stands in for base/point.h in the models: a scheduler that tries every order needs no test points. */
#ifndef BASE_POINT_H
#define BASE_POINT_H

#include "base/atomic.h"

bool model_mutant(const char *name);

#define BASE_POINT(id)  ((void)0)
#define BASE_MUTANT(id) model_mutant(#id)

#endif
