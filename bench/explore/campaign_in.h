/* SPDX-License-Identifier: MIT */
/* campaign_in.h - what both halves of a campaign start and end with: for campaign*.c only. */
#ifndef BENCH_EXPLORE_CAMPAIGN_IN_H
#define BENCH_EXPLORE_CAMPAIGN_IN_H

#include <sys/types.h>

#include "bench/explore/campaign.h"

/* Memory that children share. Want of it ends the program, here and below. */
void *campaign_shared(size_t bytes);
struct outcome *campaign_outcome(void);
/* A child that ends with its parent, and with nothing to say on standard output. As fork. */
pid_t campaign_child(void);
/* To few switches, and as text. False: what stands there does not fail again. */
bool campaign_shrunk(struct outcome *out, char text[FOUND_TEXT]);

#endif
