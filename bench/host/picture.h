/* SPDX-License-Identifier: MIT */
/* picture.h - what the arms of an experiment came to: a table, JSON, and a picture by gnuplot. */
#ifndef BENCH_HOST_PICTURE_H
#define BENCH_HOST_PICTURE_H

#include "base/tool/json.h"
#include "bench/host/experiment.h"

struct picture_row {
	const char *name;
	struct experiment_arm arm;
	struct experiment_outcome *outcome;
};

void picture_table(const struct experiment_setup *s, const struct picture_row *row, unsigned n);
void picture_json(const struct experiment_setup *s, const struct picture_row *row, unsigned n, struct json *root);
/* host.svg, host.png and host.gp, which made them, in directory dir. 0; -ENOENT: no gnuplot; another errno. */
int  picture_plot(const struct experiment_setup *s, const struct picture_row *row, unsigned n, const char *dir);

#endif
