/* SPDX-License-Identifier: MIT */
/*
 * simd.h - compare all 28 keys of a tree node with one page number at once.
 *
 * Keys are page numbers with the top bit flipped (simd_bias), so that SSE2's signed compare orders them as unsigned.
 * A result is a mask: bit i belongs to key i.
 *
 * Two forms of each function, tested against each other: _vector in plain builds with SSE2, and where accesses are told
 * to a simulated cache (VMMAP_TOLD: seven loads cost what seven loads cost); _scalar elsewhere and wherever a tool
 * watches single accesses (ThreadSanitizer, test points, write counting). Keys may be stored by another
 * thread meanwhile:
 *   _scalar   acquire loads: S1 -> the writer's release store of that key.
 *   _vector   aligned 16-byte loads: x86 keeps loads in order and never tears an aligned 4-byte part of them, so each
 *             lane is what a 4-byte load would have read, in acquire order. What is left is to hold the compiler: the
 *             statement at the end lets no later access of the source move before the loads. It is no fence.
 */
#ifndef BASE_SIMD_H
#define BASE_SIMD_H

#include "base/atomic.h"
#include "base/compiler.h"

#ifndef SIMD_KEYS                                /* the models have smaller nodes                                  */
#define SIMD_KEYS 28
#endif
#define SIMD_ALL  ((UINT32_C(1) << SIMD_KEYS) - 1)

static ALWAYS_INLINE uint32_t simd_bias(uint32_t page) { return page ^ UINT32_C(0x80000000); }

/* Keys in a mask. Baseline x86-64 has no such instruction, and the compiler's own answer is a call into its library. */
static ALWAYS_INLINE unsigned simd_count(uint32_t mask)
{
	mask -= mask >> 1 & UINT32_C(0x55555555);
	mask = (mask & UINT32_C(0x33333333)) + (mask >> 2 & UINT32_C(0x33333333));
	return ((mask + (mask >> 4)) & UINT32_C(0x0f0f0f0f)) * UINT32_C(0x01010101) >> 24;
}

/* Keys (biased) that are below `page` (plain). */
static inline uint32_t simd_below_scalar(const atomic_u32 *key, uint32_t page)
{
	int32_t p = (int32_t)simd_bias(page);
	uint32_t mask = 0;

	for (unsigned i = 0; i < SIMD_KEYS; i++)
		mask |= (uint32_t)((int32_t)atomic_load_acquire(&key[i]) < p) << i;      /* S1 -> F */
	return mask;
}

/* Keys that are `page`. */
static inline uint32_t simd_equal_scalar(const atomic_u32 *key, uint32_t page)
{
	uint32_t p = simd_bias(page), mask = 0;

	for (unsigned i = 0; i < SIMD_KEYS; i++)
		mask |= (uint32_t)(atomic_load_acquire(&key[i]) == p) << i;              /* S1 -> F */
	return mask;
}

/* Pairs [first, last] that meet [lo, hi], all inclusive. */
static inline uint32_t simd_meets_scalar(const atomic_u32 *first, const atomic_u32 *last, uint32_t lo, uint32_t hi)
{
	int32_t l = (int32_t)simd_bias(lo), h = (int32_t)simd_bias(hi);
	uint32_t mask = 0;

	for (unsigned i = 0; i < SIMD_KEYS; i++) {
		int32_t f = (int32_t)atomic_load_acquire(&first[i]);                     /* S1 -> F */
		int32_t e = (int32_t)atomic_load_acquire(&last[i]);             /* S1 -> F */

		mask |= (uint32_t)(f <= h && e >= l) << i;
	}
	return mask;
}

#if defined(__SSE2__) && (!BUILT_WITH_TSAN || defined(VMMAP_TOLD))
#include <emmintrin.h>
#define SIMD_HAVE_VECTOR 1

/* GCC's -O2 would keep the loop, and with it the seven vectors in memory: twice the time of a whole lookup. */
#ifdef __clang__
#define SIMD_UNROLL _Pragma("unroll")
#else
#define SIMD_UNROLL _Pragma("GCC unroll 7")
#endif

static ALWAYS_INLINE __m128i simd_at(const atomic_u32 *key, unsigned i)
{
	return _mm_load_si128((const __m128i *)(const void *)(key + 4 * i));
}

/* Seven vectors of all-ones or all-zeros lanes to 28 bits. */
static ALWAYS_INLINE uint32_t simd_mask(const __m128i v[7])
{
	__m128i low = _mm_packs_epi16(_mm_packs_epi32(v[0], v[1]), _mm_packs_epi32(v[2], v[3]));
	__m128i high = _mm_packs_epi16(_mm_packs_epi32(v[4], v[5]), _mm_packs_epi32(v[6], _mm_setzero_si128()));
	uint32_t mask = (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;

	__asm__ __volatile__("" : "+r"(mask) : : "memory");
	return mask;
}

static ALWAYS_INLINE uint32_t simd_below_vector(const atomic_u32 *key, uint32_t page)
{
	__m128i p = _mm_set1_epi32((int)simd_bias(page)), v[7];

	SIMD_UNROLL
	for (unsigned i = 0; i < 7; i++)
		v[i] = _mm_cmpgt_epi32(p, simd_at(key, i));
	return simd_mask(v);
}

static ALWAYS_INLINE uint32_t simd_equal_vector(const atomic_u32 *key, uint32_t page)
{
	__m128i p = _mm_set1_epi32((int)simd_bias(page)), v[7];

	SIMD_UNROLL
	for (unsigned i = 0; i < 7; i++)
		v[i] = _mm_cmpeq_epi32(p, simd_at(key, i));
	return simd_mask(v);
}

static ALWAYS_INLINE uint32_t simd_meets_vector(const atomic_u32 *first, const atomic_u32 *last, uint32_t lo,
						uint32_t hi)
{
	__m128i l = _mm_set1_epi32((int)simd_bias(lo)), h = _mm_set1_epi32((int)simd_bias(hi)), v[7];

	SIMD_UNROLL
	for (unsigned i = 0; i < 7; i++)
		v[i] = _mm_or_si128(_mm_cmpgt_epi32(simd_at(first, i), h), _mm_cmpgt_epi32(l, simd_at(last, i)));
	return ~simd_mask(v) & SIMD_ALL;
}
#else
#define SIMD_HAVE_VECTOR 0
#endif

#if SIMD_HAVE_VECTOR && !defined(VMMAP_POINTS) && !defined(VMMAP_COUNT_WRITES)
#define simd_below simd_below_vector
#define simd_equal simd_equal_vector
#define simd_meets simd_meets_vector
#else
#define simd_below simd_below_scalar
#define simd_equal simd_equal_scalar
#define simd_meets simd_meets_scalar
#endif

#endif
