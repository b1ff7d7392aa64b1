/* SPDX-License-Identifier: MIT */
/* weaken.h - the one site whose memory order is weaker in this run, and the one rule that is broken. */
#ifndef TESTS_MODELS_WEAKEN_H
#define TESTS_MODELS_WEAKEN_H

#include "base/atomic.h"

/* "file function operation n" of a site; the n-th such operation of its function, from 1. */
void weaken_names(void (*fn)(const char *name, const struct model_site *site));
/* False: there is no such site. */
bool weaken_select(const char *name, const char *order);
void weaken_break(const char *mutant);
enum model_order weaken_order(const struct model_site *site);

#endif
