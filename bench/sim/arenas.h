/* SPDX-License-Identifier: MIT */
/*
 * arenas.h - the engine's memory, from an arena for each logical core, as an allocator for many cores has them.
 *
 * The program has one OS thread, so libc would serve all cores from one arena: neighbouring blocks, and lines, of
 * different cores. Here a block comes from the arena of the core that asks, goes back to that arena whoever frees it,
 * and shares no line with another block. Blocks come back last in, first out. What the allocator itself would touch is
 * not told.
 *
 * Source: Berger et al., "Hoard" (ASPLOS 2000), for blocks that go home.
 */
#ifndef BENCH_SIM_ARENAS_H
#define BENCH_SIM_ARENAS_H

/* Before the engine asks for any memory. */
void arenas_begin(void);

#endif
