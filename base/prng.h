/* SPDX-License-Identifier: MIT */
/* prng.h - SplitMix64 (Steele, Lea, Flood 2014): seeds reproduce runs; one state per thread. */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng { uint64_t state; };

static inline uint64_t prng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t prng_next(struct prng *p)
{
	return prng_mix(p->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* Seed and stream are mixed: two seeds that differ by a multiple of the step would else walk the same sequence. */
static inline struct prng prng_seed(uint64_t seed, uint64_t stream)
{
	return (struct prng){ prng_mix(prng_mix(seed + 1) ^ (stream * UINT64_C(0xd1b54a32d192ed03) + 1)) };
}

/* Uniform in [0, n), n > 0, by multiplication (Lemire 2019, without the rejection step: bias < n / 2^64). */
static inline uint64_t prng_below(struct prng *p, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)prng_next(p) * n) >> 64);
}

#endif
