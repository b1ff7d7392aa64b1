/* SPDX-License-Identifier: MIT */
/*
 * report.h - what every sub-command says: progress on a terminal, a readable result, one JSON object.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "base/compiler.h"
#include "base/tool/json.h"
#include "bench/pairs.h"

/* One line that is overwritten by the next; only if standard error is a terminal. */
void report_progress(const char *fmt, ...) PRINTF_LIKE(1, 2);
void report_progress_end(void);
/* pairs_plan.progress: ctx is the text in front of "7 of 15". */
void report_pairs(void *ctx, unsigned done, unsigned pairs);

/* Where the readable result goes: standard output, unless the JSON goes there. */
FILE *report_text(const char *json);
/* One line that names the machine. */
const char *report_machine(void);

/* An object with "command" and "machine" in it. */
struct json *report_begin(const char *command);
/* Writes it if `json` asks for it, and frees it. The exit code: CLI_OK, or CLI_USAGE when it cannot be written. */
int report_end(struct json *object, const char *json);

/* Puts `key`, lo and hi. */
void report_interval(struct json *object, const char *key, struct stats_interval i);

#endif
