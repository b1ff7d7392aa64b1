/* SPDX-License-Identifier: MIT */
/* figure.h - numbers of a machine by name: what `show` prints, `expect` compares and --json writes. */
#ifndef BENCH_PHYSMEM_FIGURE_H
#define BENCH_PHYSMEM_FIGURE_H

#include "base/tool/json.h"
#include "bench/physmem/board.h"

struct figure_value { uint64_t n; bool frames; };        /* frames: it is an amount of memory                      */

/* "free", "dimm1.free", "shell.resident". False: there is no such figure. */
bool figure_get(struct board *b, const char *name, struct figure_value *value);
/* A line for each of the machine's own, with what it means. */
void figure_print_all(struct board *b, FILE *out);
/* What they mean, for help: also the figures of names. */
void figure_help(FILE *out);
/* Members of an object: all of the machine's own. */
void figure_json(struct board *b, struct json *object);

#endif
