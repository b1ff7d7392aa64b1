/* SPDX-License-Identifier: MIT */
/* thread.h - stands in for base/thread.h in the models: the slots are those of the modelled threads. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/atomic.h"
#include "base/compiler.h"

#define MODEL_THREADS    3
#define THREAD_MAX       MODEL_THREADS

struct thread_slot {
	uint32_t number;
	atomic_u64 rcu_word;
	uint32_t rcu_nest;
	uint64_t acquisitions, deadline_ns;
	void *rcu_private;
};

struct thread_slot *thread_self(void);
#define thread_current thread_self()
uint32_t thread_count(void);
struct thread_slot *thread_at(uint32_t number);

static inline uint64_t thread_next_number(struct thread_slot *t)
{
	return (uint64_t)(t->number + 1) << 41 | ++t->acquisitions << 1;
}

struct thread_exit_hook {
	void (*fn)(struct thread_exit_hook *hook, uint32_t slot);
	struct thread_exit_hook *next, **link;
	uint32_t running;
	bool closing;
};

struct thread_local_table { void *block[THREAD_MAX]; };
static inline int thread_local_init(struct thread_local_table *, size_t) { return 0; }
static inline void thread_local_free(struct thread_local_table *, void (*)(void *, void *), void *) { }
static inline void *thread_local_at(struct thread_local_table *t, uint32_t number) { return t->block[number]; }
static inline void *thread_local_mine(struct thread_local_table *t, struct thread_slot *self)
{
	return t->block[self->number];
}

#endif
