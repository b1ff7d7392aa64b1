/* SPDX-License-Identifier: MIT */
/* rcu.h - stands in for base/rcu.h in all models but rcu's: memory stays what it is, so that a section only nests. */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#include "base/assert.h"
#include "base/thread.h"

struct rcu_item { struct rcu_item *next; void (*fn)(struct rcu_item *); };

static inline void rcu_enter(struct thread_slot *self) { self->rcu_nest++; }
static inline void rcu_leave(struct thread_slot *self) { ASSERT(self->rcu_nest > 0); self->rcu_nest--; }
static inline void rcu_enter_brief(struct thread_slot *self) { rcu_enter(self); }
static inline void rcu_leave_brief(struct thread_slot *self) { rcu_leave(self); }
static inline bool rcu_inside(const struct thread_slot *self) { return self->rcu_nest != 0; }
static inline void rcu_retire(struct thread_slot *, struct rcu_item *, void (*)(struct rcu_item *)) { }

#endif
