/* SPDX-License-Identifier: MIT */
/*
 * access_calls.h - what code compiled with -fsanitize=thread calls, and access_memset ... access_tell: definitions,
 * over four functions that stand before the line which includes this. One file of a program includes it: access.c, for
 * a listener; or one that knows who listens, so that the compiler can put the two together (bench/manycore/told.c).
 *
 *   bool tell(const struct access *a)                       before it happens; false: nothing else is to be told of it
 *   bool load_elsewhere(const struct access *a, uint64_t *value)                  as access.h: load
 *   bool store_elsewhere(const struct access *a, uint64_t value)                  store
 *   void tell_after(const struct access *a, uint64_t seen, uint64_t stored)       after
 */
#ifndef BENCH_SIM_ACCESS_CALLS_H
#define BENCH_SIM_ACCESS_CALLS_H

#include <string.h>

#define CALLER __builtin_return_address(0)

static ALWAYS_INLINE void tell_plain(const void *at, size_t bytes, enum access_op op, const void *pc)
{
	struct access a = { (uintptr_t)at, bytes, op, false, false, __ATOMIC_RELAXED, pc };

	(void)tell(&a);
}

void access_tell(const void *at, size_t bytes, enum access_op op)
{
	tell_plain(at, bytes, op, CALLER);
}

/* ---- the compiler's interface: plain accesses ---- */

void __tsan_init(void);
void __tsan_init(void) { }
void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc) { (void)pc; }
void __tsan_func_exit(void);
void __tsan_func_exit(void) { }

#define PLAIN_ACCESS(name, bytes, op) \
	void __tsan_##name(void *at); \
	void __tsan_##name(void *at) { tell_plain(at, bytes, op, CALLER); }
#define PLAIN_SIZE(bytes) \
	PLAIN_ACCESS(read##bytes, bytes, ACCESS_LOAD) \
	PLAIN_ACCESS(write##bytes, bytes, ACCESS_STORE) \
	PLAIN_ACCESS(unaligned_read##bytes, bytes, ACCESS_LOAD) \
	PLAIN_ACCESS(unaligned_write##bytes, bytes, ACCESS_STORE) \
	PLAIN_ACCESS(volatile_read##bytes, bytes, ACCESS_LOAD) \
	PLAIN_ACCESS(volatile_write##bytes, bytes, ACCESS_STORE) \
	PLAIN_ACCESS(read_write##bytes, bytes, ACCESS_RMW)
PLAIN_SIZE(1)
PLAIN_SIZE(2)
PLAIN_SIZE(4)
PLAIN_SIZE(8)
PLAIN_SIZE(16)

void __tsan_read_range(void *at, size_t bytes);
void __tsan_read_range(void *at, size_t bytes) { tell_plain(at, bytes, ACCESS_LOAD, CALLER); }
void __tsan_write_range(void *at, size_t bytes);
void __tsan_write_range(void *at, size_t bytes) { tell_plain(at, bytes, ACCESS_STORE, CALLER); }

/* ---- atomic accesses ---- */

#define ATOMIC_ACCESS(at, op, order) \
	struct access a = { (uintptr_t)(at), sizeof(*(at)), op, true, false, order, CALLER }

#define ATOMIC_LOAD(bits, T) \
	T __tsan_atomic##bits##_load(const T *at, int order); \
	T __tsan_atomic##bits##_load(const T *at, int order) \
	{ \
		uint64_t elsewhere; \
		T seen; \
		ATOMIC_ACCESS(at, ACCESS_LOAD, order); \
		if (!tell(&a)) \
			return *at; \
		seen = load_elsewhere(&a, &elsewhere) ? (T)elsewhere : *at; \
		tell_after(&a, seen, seen); \
		return seen; \
	}

#define ATOMIC_STORE(bits, T) \
	void __tsan_atomic##bits##_store(T *at, T value, int order); \
	void __tsan_atomic##bits##_store(T *at, T value, int order) \
	{ \
		ATOMIC_ACCESS(at, ACCESS_STORE, order); \
		T seen; \
		if (!tell(&a)) { \
			*at = value; \
			return; \
		} \
		seen = *at; \
		if (!store_elsewhere(&a, value)) \
			*at = value; \
		tell_after(&a, seen, value); \
	}

/* name: exchange, fetch_add ...; what: the new value, from `seen` and `value`. */
#define ATOMIC_RMW(bits, T, name, what) \
	T __tsan_atomic##bits##_##name(T *at, T value, int order); \
	T __tsan_atomic##bits##_##name(T *at, T value, int order) \
	{ \
		ATOMIC_ACCESS(at, ACCESS_RMW, order); \
		bool told = tell(&a); \
		T seen = *at; \
		*at = (T)(what); \
		if (told) \
			tell_after(&a, seen, *at); \
		return seen; \
	}

/* Fails only where the value differs, the weak form too. The order told is that of success. */
#define ATOMIC_SWAP_IF(bits, T) \
	static ALWAYS_INLINE T swap_if_##bits(T *at, T expected, T value, int order, const void *pc) \
	{ \
		struct access a = { (uintptr_t)at, sizeof(T), ACCESS_RMW, true, false, order, pc }; \
		bool told = tell(&a); \
		T seen = *at; \
		if (seen == expected) \
			*at = value; \
		a.failed = seen != expected; \
		if (told) \
			tell_after(&a, seen, *at); \
		return seen; \
	}
#define ATOMIC_CAS(bits, T, name) \
	int __tsan_atomic##bits##_##name(T *at, T *expected, T value, int order, int failed); \
	int __tsan_atomic##bits##_##name(T *at, T *expected, T value, int order, int failed) \
	{ \
		T seen = swap_if_##bits(at, *expected, value, order, CALLER); \
		(void)failed; \
		if (seen == *expected) \
			return 1; \
		*expected = seen; \
		return 0; \
	}
#define ATOMIC_CAS_VALUE(bits, T) \
	T __tsan_atomic##bits##_compare_exchange_val(T *at, T expected, T value, int order, int failed); \
	T __tsan_atomic##bits##_compare_exchange_val(T *at, T expected, T value, int order, int failed) \
	{ \
		(void)failed; \
		return swap_if_##bits(at, expected, value, order, CALLER); \
	}

#define ATOMIC_SIZE(bits, T) \
	ATOMIC_LOAD(bits, T) \
	ATOMIC_STORE(bits, T) \
	ATOMIC_RMW(bits, T, exchange, value) \
	ATOMIC_RMW(bits, T, fetch_add, seen + value) \
	ATOMIC_RMW(bits, T, fetch_sub, seen - value) \
	ATOMIC_RMW(bits, T, fetch_and, seen & value) \
	ATOMIC_RMW(bits, T, fetch_or, seen | value) \
	ATOMIC_RMW(bits, T, fetch_xor, seen ^ value) \
	ATOMIC_SWAP_IF(bits, T) \
	ATOMIC_CAS(bits, T, compare_exchange_strong) \
	ATOMIC_CAS(bits, T, compare_exchange_weak) \
	ATOMIC_CAS_VALUE(bits, T)
ATOMIC_SIZE(8, uint8_t)
ATOMIC_SIZE(16, uint16_t)
ATOMIC_SIZE(32, uint32_t)
ATOMIC_SIZE(64, uint64_t)

/* ---- memset, memcpy, memmove: the engine's flavour calls these by a macro (cmake/modules.cmake) ---- */

void *access_memset(void *to, int byte, size_t bytes)
{
	if (bytes != 0)
		tell_plain(to, bytes, ACCESS_STORE, CALLER);
	return memset(to, byte, bytes);
}

void *access_memcpy(void *to, const void *from, size_t bytes)
{
	if (bytes != 0) {
		tell_plain(from, bytes, ACCESS_LOAD, CALLER);
		tell_plain(to, bytes, ACCESS_STORE, CALLER);
	}
	return memcpy(to, from, bytes);
}

void *access_memmove(void *to, const void *from, size_t bytes)
{
	if (bytes != 0) {
		tell_plain(from, bytes, ACCESS_LOAD, CALLER);
		tell_plain(to, bytes, ACCESS_STORE, CALLER);
	}
	return memmove(to, from, bytes);
}

#endif
