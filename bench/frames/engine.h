/* SPDX-License-Identifier: MIT */
/* engine.h - what a benchmark asks of this library's frames beyond the face of a source. */
#ifndef BENCH_FRAMES_ENGINE_H
#define BENCH_FRAMES_ENGINE_H

#include <stdint.h>

/* Frames that a slot of an instance that is not small keeps, and that the depot does. */
#define ENGINE_KEPT  16384u
#define ENGINE_DEPOT 16384u

/* The depot keeps that many chains. Before the first frame is taken. */
void engine_set_depot(void *s, uint32_t chains);

/*
 * Memory of a machine of so many frames, all of which have been taken. frame: bytes of what there is for each frame,
 * over all arrays. planes: bits a frame of blocks and rows, by their layout. beside: bits a frame of all that has
 * become resident but the arrays: planes, segments and their index, slots. 0; -ENOMEM.
 */
struct engine_bytes { unsigned frame; double planes, beside; };
int engine_bytes(uint64_t frames, struct engine_bytes *out);

#endif
