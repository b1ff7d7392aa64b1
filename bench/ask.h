/* SPDX-License-Identifier: MIT */
/* ask.h - bars of one command: what is asked, what was measured, met or missed; a line and a row for each. */
#ifndef BENCH_ASK_H
#define BENCH_ASK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/tool/json.h"

struct ask { FILE *out; struct json *rows; unsigned measured, missed; };

/* at_most: got <= limit is asked; else got >= limit. */
void ask_bar(struct ask *ask, const char *what, double got, double limit, bool at_most);
/* One line: how many, how many missed. */
void ask_sum(const struct ask *ask);

#endif
