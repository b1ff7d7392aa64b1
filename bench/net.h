/* SPDX-License-Identifier: MIT */
/*
 * net.h - what a call takes beside the loop around it: the difference of two blocks of one round.
 *
 * A few nanoseconds, of which single rounds may say anything. So ratios are of the medians of such differences;
 * intervals by bootstrap over rounds. Rates in, nanoseconds out.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include "bench/pairs.h"

#define NET_ROUNDS 500u                          /* at most: --pairs                                                */

/* What arm a takes beyond arm `loop`, in nanoseconds. */
struct stats_interval net_ns(const struct pairs_result *got, unsigned a, unsigned loop);
/* ... over what arm b takes. */
struct stats_interval net_ratio(const struct pairs_result *got, unsigned a, unsigned b, unsigned loop);

#endif
