/* SPDX-License-Identifier: MIT */
/*
 * assert.h - three levels. CHECK stays in release builds (cheap, cold); ASSERT in dev and sanitizer builds;
 * ASSERT_SLOW only where VMMAP_SLOW_CHECKS is set. Switched off, they still compile their expression.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include "base/compiler.h"

_Noreturn void assert_failed(const char *what, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);

#define CHECK(x) ((void)(likely(x) || (assert_failed(#x, __FILE__, __LINE__, "%s", ""), 0)))
#ifdef VMMAP_ASSERTS
#define ASSERT(x) CHECK(x)
#else
#define ASSERT(x) ((void)sizeof(!!(x)))
#endif
#ifdef VMMAP_SLOW_CHECKS
#define ASSERT_SLOW(x) CHECK(x)
#else
#define ASSERT_SLOW(x) ((void)sizeof(!!(x)))
#endif

#endif
