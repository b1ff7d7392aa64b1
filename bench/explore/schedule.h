/* SPDX-License-Identifier: MIT */
/*
 * schedule.h - a schedule as data: which core ran how far, as a short string.
 *
 *   "0:153,1,0:12,1,0"   core 0 makes 153 accesses, core 1 runs until it ends or cannot go on, core 0 makes 12 more ...
 *
 * Accesses are all told ones but those of a core's own stack. A core that cannot run is passed over; behind the last
 * segment cores go on in the order of their numbers. So the string alone makes a run, and any string makes some run.
 */
#ifndef BENCH_EXPLORE_SCHEDULE_H
#define BENCH_EXPLORE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_SEGMENTS 4096
#define SEGMENT_WHOLE     UINT32_MAX     /* until it ends or cannot go on                                           */

struct segment { uint32_t core, accesses; };
struct schedule { uint32_t n; struct segment segment[SCHEDULE_SEGMENTS]; };

void schedule_add(struct schedule *s, uint32_t core, uint32_t accesses);         /* dropped where it is full        */
/* False: text is no schedule. */
bool schedule_parse(struct schedule *s, const char *text);
/* As snprintf. */
size_t schedule_print(const struct schedule *s, char *text, size_t bytes);
uint32_t schedule_preemptions(const struct schedule *s);         /* segments that end before they had to            */

#endif
