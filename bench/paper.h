/* SPDX-License-Identifier: MIT */
/* paper.h - the tables of "uvm_hotplug(9)" (AsiaBSDCon 2017), with ours beside them. */
#ifndef BENCH_PAPER_H
#define BENCH_PAPER_H

#include <stdio.h>

#include "base/tool/json.h"
#include "bench/options.h"

/* Measures, prints, adds rows. 0, or what making a machine said. */
int paper_tables(const struct options *o, FILE *out, struct json *rows);

#endif
