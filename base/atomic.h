/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - shared words, and the only place that spells memory_order_*.
 *
 * The order is part of the operation's name. Each use in a protocol file names its partner: "R1 -> A1".
 * Stand-alone fences are banned: ThreadSanitizer does not see them; synchronise by accesses.
 *
 * In a counting build (VMMAP_COUNT_WRITES) each store and read-modify-write first reports its address, so that a
 * test can prove which shared lines an operation writes. A failed compare-and-swap counts: it takes the line too.
 */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic(uint64_t) atomic_u64;
typedef _Atomic(uint32_t) atomic_u32;
typedef _Atomic(uint16_t) atomic_u16;
typedef _Atomic(uint8_t)  atomic_u8;

#ifdef VMMAP_COUNT_WRITES
void atomic_count_write(const volatile void *where);             /* base/count.c */
#define ATOMIC_NOTE(p) atomic_count_write((const volatile void *)(p))
#else
#define ATOMIC_NOTE(p) ((void)0)
#endif

#define atomic_load_relaxed(p)      atomic_load_explicit((p), memory_order_relaxed)
#define atomic_load_acquire(p)      atomic_load_explicit((p), memory_order_acquire)
#define atomic_load_seqcst(p)       atomic_load_explicit((p), memory_order_seq_cst)

#define atomic_store_relaxed(p, v)  (ATOMIC_NOTE(p), atomic_store_explicit((p), (v), memory_order_relaxed))
#define atomic_store_release(p, v)  (ATOMIC_NOTE(p), atomic_store_explicit((p), (v), memory_order_release))
#define atomic_store_seqcst(p, v)   (ATOMIC_NOTE(p), atomic_store_explicit((p), (v), memory_order_seq_cst))

#define atomic_swap_acqrel(p, v)    (ATOMIC_NOTE(p), atomic_exchange_explicit((p), (v), memory_order_acq_rel))
#define atomic_swap_seqcst(p, v)    (ATOMIC_NOTE(p), atomic_exchange_explicit((p), (v), memory_order_seq_cst))

/* true: done. false: *expected holds what is there. */
#define atomic_cas_relaxed(p, expected, v) (ATOMIC_NOTE(p), \
	atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_relaxed, memory_order_relaxed))
#define atomic_cas_acquire(p, expected, v) (ATOMIC_NOTE(p), \
	atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_acquire, memory_order_acquire))
#define atomic_cas_release(p, expected, v) (ATOMIC_NOTE(p), \
	atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_release, memory_order_relaxed))
#define atomic_cas_acqrel(p, expected, v)  (ATOMIC_NOTE(p), \
	atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_acq_rel, memory_order_acquire))
#define atomic_cas_seqcst(p, expected, v)  (ATOMIC_NOTE(p), \
	atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_seq_cst, memory_order_seq_cst))

/* Return the value before. */
#define atomic_add_relaxed(p, v)    (ATOMIC_NOTE(p), atomic_fetch_add_explicit((p), (v), memory_order_relaxed))
#define atomic_add_acqrel(p, v)     (ATOMIC_NOTE(p), atomic_fetch_add_explicit((p), (v), memory_order_acq_rel))
#define atomic_add_seqcst(p, v)     (ATOMIC_NOTE(p), atomic_fetch_add_explicit((p), (v), memory_order_seq_cst))
#define atomic_sub_release(p, v)    (ATOMIC_NOTE(p), atomic_fetch_sub_explicit((p), (v), memory_order_release))
#define atomic_sub_acqrel(p, v)     (ATOMIC_NOTE(p), atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel))
#define atomic_or_relaxed(p, v)     (ATOMIC_NOTE(p), atomic_fetch_or_explicit((p), (v), memory_order_relaxed))
#define atomic_and_relaxed(p, v)    (ATOMIC_NOTE(p), atomic_fetch_and_explicit((p), (v), memory_order_relaxed))
#define atomic_or_acqrel(p, v)      (ATOMIC_NOTE(p), atomic_fetch_or_explicit((p), (v), memory_order_acq_rel))
#define atomic_or_seqcst(p, v)      (ATOMIC_NOTE(p), atomic_fetch_or_explicit((p), (v), memory_order_seq_cst))
#define atomic_and_acqrel(p, v)     (ATOMIC_NOTE(p), atomic_fetch_and_explicit((p), (v), memory_order_acq_rel))
#define atomic_and_release(p, v)    (ATOMIC_NOTE(p), atomic_fetch_and_explicit((p), (v), memory_order_release))

/* The type of a word that is not atomic and goes from thread to thread: the protocol orders each use behind the one
 * before. Says so to the reader, and to the models (tests/models), which check it. */
#define PLAIN(T) T

/* A counter with one writer and many readers (statistics of a slot): a plain add, published whole. */
#define atomic_bump(p, v)           atomic_store_relaxed((p), atomic_load_relaxed(p) + (v))

static inline void atomic_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

#endif
