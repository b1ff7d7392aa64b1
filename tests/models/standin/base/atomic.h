/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - stands in for base/atomic.h where the engine's own files are compiled, as C++, into the models: the same
 * names, carried out by relacy on a modelled memory.
 *
 * WORDS    A word keeps its layout: it is a plain T. What the modelled memory knows of it is found by its address
 *          (model.cc), and begins with what stood in the word when it was first used.
 * SITES    Each use registers itself: file, function, operation, and its place among those of the same operation in
 *          that function. So a test can weaken the order of one use while the program runs, and orders.py, which reads
 *          the engine's source, finds the same names.
 */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <type_traits>

enum model_order { MODEL_RELAXED, MODEL_ACQUIRE, MODEL_RELEASE, MODEL_ACQREL, MODEL_SEQCST };
enum model_change { MODEL_SWAP, MODEL_ADD, MODEL_SUB, MODEL_OR, MODEL_AND };

struct model_site {
	const char *unit, *file, *function, *operation;
	int line, counter;
	enum model_order order;
};

#define MODEL_SITE(operation, order) __extension__ ({ \
	static const struct model_site model_site_ = \
		{ __BASE_FILE__, __FILE__, __func__, operation, __LINE__, __COUNTER__, order }; \
	static const struct model_site *model_entry_ __attribute__((used, section("model_sites"))) = &model_site_; \
	model_entry_; })

uint64_t model_load(const void *word, unsigned bytes, const struct model_site *site);
void     model_store(void *word, unsigned bytes, uint64_t value, const struct model_site *site);
uint64_t model_rmw(void *word, unsigned bytes, enum model_change change, uint64_t by, const struct model_site *site);
bool     model_cas(void *word, unsigned bytes, uint64_t *expected, uint64_t value, const struct model_site *site);
void     model_forget(void *word);               /* the memory of word begins a new life                           */
void     model_plain_load(const void *word);
void     model_plain_store(void *word);

template <typename T> uint64_t model_bits(T value)
{
	uint64_t bits = 0;

	memcpy(&bits, &value, sizeof(value));
	return bits;
}

template <typename T> T model_value(uint64_t bits)
{
	T value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

template <typename T> struct model_atomic {
	T word;

	constexpr model_atomic(T value = T()) : word(value)
	{
		if (!std::is_constant_evaluated())
			model_forget(this);
	}
	/* A use without an operation's name: seq_cst, as C has it. */
	operator T() const
	{
		static const struct model_site site = { "", "", "", "plain", 0, 0, MODEL_SEQCST };

		return model_value<T>(model_load(this, sizeof(T), &site));
	}
	model_atomic &operator=(const model_atomic &other)
	{
		word = other.word;
		model_forget(this);
		return *this;
	}
};

/* A word that is not atomic, but handed from thread to thread: each use is checked for a data race. */
template <typename T> struct model_plain {
	T word;

	operator T() const { model_plain_load(this); return word; }
	T operator->() const { model_plain_load(this); return word; }
	T operator=(T value) { model_plain_store(this); return word = value; }
};
#define PLAIN(T) model_plain<T>

typedef model_atomic<uint64_t> atomic_u64;
typedef model_atomic<uint32_t> atomic_u32;
typedef model_atomic<uint16_t> atomic_u16;
typedef model_atomic<uint8_t>  atomic_u8;
#define _Atomic(T) model_atomic<T>

template <typename T> T model_load_as(const model_atomic<T> *p, const struct model_site *site)
{
	return model_value<T>(model_load(p, sizeof(T), site));
}

template <typename T, typename V> void model_store_as(model_atomic<T> *p, V value, const struct model_site *site)
{
	model_store(p, sizeof(T), model_bits((T)value), site);
}

template <typename T, typename V>
T model_rmw_as(model_atomic<T> *p, enum model_change change, V by, const struct model_site *site)
{
	return model_value<T>(model_rmw(p, sizeof(T), change, model_bits((T)by), site));
}

template <typename T, typename E, typename V>
bool model_cas_as(model_atomic<T> *p, E *expected, V value, const struct model_site *site)
{
	uint64_t bits = model_bits((T)*expected);
	bool done = model_cas(p, sizeof(T), &bits, model_bits((T)value), site);

	*expected = (E)model_value<T>(bits);
	return done;
}

#define atomic_load_relaxed(p)       model_load_as((p), MODEL_SITE("load_relaxed", MODEL_RELAXED))
#define atomic_load_acquire(p)       model_load_as((p), MODEL_SITE("load_acquire", MODEL_ACQUIRE))
#define atomic_load_seqcst(p)        model_load_as((p), MODEL_SITE("load_seqcst", MODEL_SEQCST))
#define atomic_store_relaxed(p, v)   model_store_as((p), (v), MODEL_SITE("store_relaxed", MODEL_RELAXED))
#define atomic_store_release(p, v)   model_store_as((p), (v), MODEL_SITE("store_release", MODEL_RELEASE))
#define atomic_store_seqcst(p, v)    model_store_as((p), (v), MODEL_SITE("store_seqcst", MODEL_SEQCST))
#define atomic_swap_acqrel(p, v)     model_rmw_as((p), MODEL_SWAP, (v), MODEL_SITE("swap_acqrel", MODEL_ACQREL))
#define atomic_swap_seqcst(p, v)     model_rmw_as((p), MODEL_SWAP, (v), MODEL_SITE("swap_seqcst", MODEL_SEQCST))
#define atomic_cas_relaxed(p, e, v)  model_cas_as((p), (e), (v), MODEL_SITE("cas_relaxed", MODEL_RELAXED))
#define atomic_cas_acquire(p, e, v)  model_cas_as((p), (e), (v), MODEL_SITE("cas_acquire", MODEL_ACQUIRE))
#define atomic_cas_release(p, e, v)  model_cas_as((p), (e), (v), MODEL_SITE("cas_release", MODEL_RELEASE))
#define atomic_cas_acqrel(p, e, v)   model_cas_as((p), (e), (v), MODEL_SITE("cas_acqrel", MODEL_ACQREL))
#define atomic_cas_seqcst(p, e, v)   model_cas_as((p), (e), (v), MODEL_SITE("cas_seqcst", MODEL_SEQCST))
#define atomic_add_relaxed(p, v)     model_rmw_as((p), MODEL_ADD, (v), MODEL_SITE("add_relaxed", MODEL_RELAXED))
#define atomic_add_acqrel(p, v)      model_rmw_as((p), MODEL_ADD, (v), MODEL_SITE("add_acqrel", MODEL_ACQREL))
#define atomic_add_seqcst(p, v)      model_rmw_as((p), MODEL_ADD, (v), MODEL_SITE("add_seqcst", MODEL_SEQCST))
#define atomic_sub_release(p, v)     model_rmw_as((p), MODEL_SUB, (v), MODEL_SITE("sub_release", MODEL_RELEASE))
#define atomic_sub_acqrel(p, v)      model_rmw_as((p), MODEL_SUB, (v), MODEL_SITE("sub_acqrel", MODEL_ACQREL))
#define atomic_or_acqrel(p, v)       model_rmw_as((p), MODEL_OR, (v), MODEL_SITE("or_acqrel", MODEL_ACQREL))
#define atomic_or_seqcst(p, v)       model_rmw_as((p), MODEL_OR, (v), MODEL_SITE("or_seqcst", MODEL_SEQCST))
#define atomic_and_acqrel(p, v)      model_rmw_as((p), MODEL_AND, (v), MODEL_SITE("and_acqrel", MODEL_ACQREL))
#define atomic_and_release(p, v)     model_rmw_as((p), MODEL_AND, (v), MODEL_SITE("and_release", MODEL_RELEASE))
#define atomic_bump(p, v)            atomic_store_relaxed((p), atomic_load_relaxed(p) + (v))

void atomic_pause(void);

/* What is C and not C++, in the engine's files. */
#define try        try_
#define _Noreturn  __attribute__((noreturn))
#define _Static_assert(...) static_assert(true, "")     /* of layouts: the models make nodes smaller */

#endif
