/* SPDX-License-Identifier: MIT */
/*
 * maps.h - two memory maps compared as maximal runs of equal attributes: a snapshot of /proc/PID/maps and the engine's.
 *
 * Runs, not VMAs: what a program writes decides which of its VMAs may merge, and a log of calls does not tell.
 */
#ifndef STRESS_REPLAY_MAPS_H
#define STRESS_REPLAY_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <vmmap/vmmap.h>
#include "stress/replay/plan.h"

enum { BACK_ANON, BACK_SHARED_ANON, BACK_FILE, BACK_FILE_0 };    /* BACK_FILE_0 + n: the log's n-th file, from 1    */

struct run { uint64_t lo, hi, offset; int prot; bool shared; uint32_t back; };
struct maps { struct run *run; uint32_t n, room; };

/* /proc/PID/maps as text. Names are looked up in the log; files not in it are BACK_FILE. -errno, -EBADMSG */
int  maps_read(struct maps *maps, FILE *in, const struct log *log);
/* The engine's; numbers[i] is the object number of the log's file i. */
int  maps_engine(struct maps *maps, struct vmmap *map, const uint64_t *numbers, const struct log *log);
void maps_free(struct maps *maps);
uint64_t maps_bytes(const struct maps *maps);

/* Cuts both to `within`, joins equal neighbours, compares. Prints up to 10 differences. paths: compare which file. */
bool maps_same(const struct maps *want, const struct maps *have, const struct spans *within, bool paths, FILE *out);
/* Bytes of maps that lie in `within`. */
uint64_t maps_covered(const struct maps *maps, const struct spans *within);

#endif
