/* SPDX-License-Identifier: MIT */
/*
 * urcu-memb.h - stands in for liburcu's in the model of rcu.c: its sections order nothing, which is less than they do.
 * The membarrier is relacy's: all threads meet in it.
 */
#ifndef TESTS_MODELS_URCU_MEMB_H
#define TESTS_MODELS_URCU_MEMB_H

struct rcu_head { struct rcu_head *next; };
struct call_rcu_data;
struct urcu_reader { int registered; };
extern struct urcu_reader urcu_memb_reader;
#define URCU_TLS(name) name

static inline void urcu_memb_read_lock(void) { }
static inline void urcu_memb_read_unlock(void) { }
static inline void urcu_memb_register_thread(void) { }
static inline void urcu_memb_unregister_thread(void) { }
static inline struct call_rcu_data *urcu_memb_get_thread_call_rcu_data(void) { return nullptr; }
static inline struct call_rcu_data *urcu_memb_get_default_call_rcu_data(void) { return nullptr; }
static inline void urcu_memb_set_thread_call_rcu_data(struct call_rcu_data *) { }
void urcu_memb_call_rcu(struct rcu_head *head, void (*fn)(struct rcu_head *));
void urcu_memb_synchronize_rcu(void);

int model_membarrier(int command);
#undef syscall
#define syscall(number, command, flags, cpu) model_membarrier(command)

#endif
