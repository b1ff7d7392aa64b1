/* SPDX-License-Identifier: MIT */
/* op_churn.h - the operations churn, churn-reported and churn-closed of op.c. */
#ifndef BENCH_OP_CHURN_H
#define BENCH_OP_CHURN_H

#include "bench/op.h"

int op_churn(struct op_env *env, struct op_thread *t, uint64_t n);
int op_churn_report(struct op_env *env);         /* reports begin                                                  */
int op_churn_reported(struct op_env *env, struct op_thread *t, uint64_t n);
int op_churn_close(struct op_env *env);          /* an isolation begins, and does not end                           */

#endif
