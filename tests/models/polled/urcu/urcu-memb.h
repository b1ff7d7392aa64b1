/* SPDX-License-Identifier: MIT */
/*
 * urcu-memb.h - stands in for liburcu's in the model of rcu.c: its sections order nothing, which is less than they do.
 * The membarrier is relacy's: all threads meet in it.
 */
#ifndef TESTS_MODELS_URCU_MEMB_H
#define TESTS_MODELS_URCU_MEMB_H

struct cds_list_head { struct cds_list_head *next, *prev; };
struct urcu_reader { int registered; struct cds_list_head node; };
extern struct urcu_reader urcu_memb_reader;
#define URCU_TLS(name) name

static inline void urcu_memb_read_lock(void) { }
static inline void urcu_memb_read_unlock(void) { }
static inline void urcu_memb_register_thread(void) { }
static inline void urcu_memb_unregister_thread(void) { }
static inline int urcu_memb_read_ongoing(void) { return 0; }
static inline void cds_list_del(struct cds_list_head *) { }
void urcu_memb_synchronize_rcu(void);

int model_membarrier(int command);
#undef syscall
#define syscall(number, command, flags, cpu) model_membarrier(command)

#endif
