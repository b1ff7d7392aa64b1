/* SPDX-License-Identifier: MIT */
/* plot.h - throughput against threads, through gnuplot: SVG and PNG, all policies of a workload on one axis. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include <stddef.h>

#include "bench/stats.h"

struct plot_point { const char *policy, *workload; unsigned threads; struct stats_interval rate; };

/* Writes into directory `dir`, which must exist: one <workload>.svg and .png per workload, throughput.svg and .png with
 * all of them, and throughput.gp, the script that made them. machine: one line for the foot of each picture.
 * 0; -ENOENT: gnuplot is not installed (the script is there); -EIO: gnuplot failed; another errno: cannot write. */
int plot_sweep(const char *dir, const char *machine, const struct plot_point *points, size_t n);
/* Runs gnuplot over the file `script` of directory dir, which is its working directory: the script names files without
 * one. 0, -ENOENT, -EIO, another errno as above. */
int plot_run(const char *dir, const char *script);

#endif
