/* SPDX-License-Identifier: MIT */
/* compiler.h - what we ask of the compiler, in one place. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define likely(x)        __builtin_expect(!!(x), 1)
#define unlikely(x)      __builtin_expect(!!(x), 0)
#define NOINLINE         __attribute__((noinline))
#define ALWAYS_INLINE    inline __attribute__((always_inline))
#define MUST_CHECK       __attribute__((warn_unused_result))
#define UNUSED           __attribute__((unused))
#define PRINTF_LIKE(f,a) __attribute__((format(printf, f, a)))
#define API              __attribute__((visibility("default")))      /* the only symbols that leave libvmmap */
/* No access is moved over it, by the compiler; what the CPU does is the protocol's affair. */
#define COMPILER_BARRIER() __asm__ __volatile__("" ::: "memory")

/* Two lines of 64: the adjacent-line prefetcher makes pairs of lines travel together. */
#define CACHE_LINE       64
#define CACHE_PAIR       128
#define LINE_ALIGNED     __attribute__((aligned(CACHE_LINE)))
#define PAIR_ALIGNED     __attribute__((aligned(CACHE_PAIR)))

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))

#if defined(__SANITIZE_THREAD__)
#define BUILT_WITH_TSAN  1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BUILT_WITH_TSAN  1
#endif
#endif
#ifndef BUILT_WITH_TSAN
#define BUILT_WITH_TSAN  0
#endif

#define PAGE_SHIFT       12
#define PAGE_BYTES       (UINT64_C(1) << PAGE_SHIFT)
#define ADDRESS_BITS     47
#define ADDRESS_END      (UINT64_C(1) << ADDRESS_BITS)

#endif
