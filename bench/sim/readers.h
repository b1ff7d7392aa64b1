/* SPDX-License-Identifier: MIT */
/* readers.h - included first where base/ is compiled for logical cores: liburcu's reader is each core's, not each OS
 * thread's (grace.c). */
#ifndef BENCH_SIM_READERS_H
#define BENCH_SIM_READERS_H

#include <urcu/tls-compat.h>

struct urcu_reader *grace_registry(void);        /* the calling core's                                              */
#undef URCU_TLS
#define URCU_TLS(name) (*grace_registry())

#endif
