/* SPDX-License-Identifier: MIT */
/* survey.h - what the frames of a machine are used for, counted; what is known of one. Quiescent only: the program has
 * one thread. */
#ifndef BENCH_PHYSMEM_SURVEY_H
#define BENCH_PHYSMEM_SURVEY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <vmmap/physmem.h>

/* enum physmem_state, and of what is a map's or an object's what is pinned: from what hinders least to what hinders
 * most. Of these a cell of a picture shows the last. */
enum { SURVEY_PINNED = PHYSMEM_STATES, SURVEY_STATES };
struct survey_text {
	const char *name, *meaning;
	char full, part;                         /* in a picture: none of the cell's frames is free; some are      */
	uint32_t rgb;
};
extern const struct survey_text survey_text[SURVEY_STATES];

struct survey_counts { uint64_t n[SURVEY_STATES]; };
/* Adds the frames [pfn, pfn + pages), which may lie anywhere. */
void survey_count(struct physmem *pm, uint64_t pfn, uint64_t pages, struct survey_counts *counts);

/* Blocks of 2 MiB of which some frame is there: all; with nothing taken; by what is taken. */
struct survey_blocks { uint64_t present, free, movable, unmovable, whole; };
void survey_blocks(struct physmem *pm, struct survey_blocks *out);

/* Segments in order of address: index 0, 1, ... False: no more. */
struct survey_segment { uint64_t pfn, pages; bool movable; };
bool survey_segment(struct physmem *pm, unsigned index, struct survey_segment *out);

/* One frame, in words: a line for itself, one for its block. */
void survey_frame(struct physmem *pm, uint64_t pfn, FILE *out);

/* physmem_audit. */
uint64_t survey_audit(struct physmem *pm, FILE *report);

#endif
