/* SPDX-License-Identifier: MIT */
/* assert.h - stands in for base/assert.h in the models: each assertion of the engine is one of the model. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include "base/atomic.h"
#include "base/compiler.h"

void model_check(bool holds, const char *what, const char *file, int line);

#define CHECK(x)       model_check(!!(x), #x, __FILE__, __LINE__)
#define ASSERT(x)      CHECK(x)
#define ASSERT_SLOW(x) CHECK(x)

#endif
