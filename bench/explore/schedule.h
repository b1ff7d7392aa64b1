/* SPDX-License-Identifier: MIT */
/*
 * schedule.h - a schedule as data: which core ran how far, as a short string.
 *
 *   "0:153,1,0:12,1,0"   core 0 makes 153 accesses, core 1 runs until it ends or cannot go on, core 0 makes 12 more ...
 *
 *   "0:153,(1,2)40"      (...)N: what stands between, N times
 *
 * Accesses are all told ones but those of a core's own stack. A core that cannot run is passed over; behind the last
 * segment cores go on in the order of their numbers. So the string alone makes a run, and any string makes some run.
 */
#ifndef BENCH_EXPLORE_SCHEDULE_H
#define BENCH_EXPLORE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_SEGMENTS 16384
#define SEGMENT_WHOLE     UINT32_MAX     /* until it ends or cannot go on                                           */

struct segment { uint32_t core, accesses; };
/* Weak memory: the core's load number `access` (its accesses are counted from 1) sees not the newest value, but one
 * that is `age` stores older. In the string, behind all segments: "@CORE.ACCESS-AGE". */
struct stale { uint32_t core, access, age; };
#define SCHEDULE_STALE 1024
struct schedule {
	uint32_t n, stales;
	struct segment segment[SCHEDULE_SEGMENTS];
	struct stale stale[SCHEDULE_STALE];
};

void schedule_clear(struct schedule *s);
void schedule_stale(struct schedule *s, uint32_t core, uint32_t access, uint32_t age);

void schedule_add(struct schedule *s, uint32_t core, uint32_t accesses);         /* dropped where it is full        */
/* False: text is no schedule. */
bool schedule_parse(struct schedule *s, const char *text);
/* As snprintf. */
size_t schedule_print(const struct schedule *s, char *text, size_t bytes);
uint32_t schedule_preemptions(const struct schedule *s);         /* segments that end before they had to            */

#endif
