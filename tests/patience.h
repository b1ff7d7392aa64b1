/* SPDX-License-Identifier: MIT */
/*
 * patience.h - how long a test waits for what must come.
 *
 * Long, since a busy machine must not fail a test. But a mutant may have lost what is waited for: the programs that
 * tests/kill_mutant.py runs with one would spend their time with that, and take their waits shorter.
 */
#ifndef TESTS_PATIENCE_H
#define TESTS_PATIENCE_H

#include <stdint.h>
#include <stdlib.h>

#define PATIENCE_MUTANT_NS UINT64_C(2000000000)

static inline uint64_t patience_ns(uint64_t ns)
{
	return ns > PATIENCE_MUTANT_NS && getenv("VMMAP_MUTANT") ? PATIENCE_MUTANT_NS : ns;
}

static inline uint64_t patience_ms(unsigned ms)
{
	return patience_ns(ms * UINT64_C(1000000));
}

#endif
