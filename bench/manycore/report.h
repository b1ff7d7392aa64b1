/* SPDX-License-Identifier: MIT */
/* report.h - what has been measured, for people and as JSON. */
#ifndef BENCH_MANYCORE_REPORT_H
#define BENCH_MANYCORE_REPORT_H

#include <stdio.h>
#include "base/tool/json.h"
#include "bench/manycore/options.h"

/* What every result has to be read with. NULL past the last. */
const char *report_limit(unsigned i);
void report_limits(struct json *object);                 /* all of them                                             */
/* One line: what DIR/validation.json says, which `validate --json` has written; else that there is none. */
const char *report_validation(const char *dir, char *text, size_t bytes);
void report_print(FILE *out, const struct options *o, const struct measure_result *r);
/* Puts all of it into an object. */
void report_json(struct json *object, const struct options *o, const struct measure_result *r);

#endif
