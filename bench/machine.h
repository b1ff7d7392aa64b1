/* SPDX-License-Identifier: MIT */
/*
 * machine.h - a machine's memory, looked up in several ways: by this library's tables, and as NetBSD does it.
 *
 * LAYOUT    One segment is of 1 MiB. Several are fragments: of each 8 frames the first 1 to 7 are gone, as in NetBSD's
 *           load tests (t_uvm_physseg_load.c). MACHINE_WHOLE: 8 frames each, none gone, which is that file's machine of
 *           32 boot segments in 1 MiB. How many are gone is computed, not stored: drawing an address costs no miss.
 * BYTES     that are drawn are of frames that are there; MACHINE_HOLES: any below the end of memory, as in that file,
 *           half of them in no segment.
 * RIVALS    A sorted array under libc's bsearch(), and a red-black tree (the BSDs' own <sys/tree.h>): bare, without the
 *           locks and second looks that this library's indexes of the same names have. Nodes lie side by side in the
 *           order of their addresses, entries are of 24 bytes: better than NetBSD's own. One machine at a time.
 * CHECKED   Each lookup's result is used: the frame's byte address is compared with what was asked, and what is drawn
 *           next waits for it. One that is wrong ends the program. Where a frame is computed, not searched, a processor
 *           goes on before it knows that the frame is there; MACHINE_READ waits for that too, which no rival has to.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdint.h>

#include "bench/gang.h"
#include "bench/pairs.h"

struct machine;
struct physseg_table;
struct physseg_frame;

enum machine_way {
	MACHINE_LOOP,                            /* looks nothing up: what the loop itself takes                    */
	MACHINE_FRAME,                           /* physseg_phys_to_frame                                           */
	MACHINE_READ,                            /* the same, and the frame's record is read                        */
	MACHINE_SECTIONS,                        /* the same, records in sections                                   */
	MACHINE_FIND,                            /* physseg_find, index bitmap                                      */
	MACHINE_ARRAY,                           /* rivals                                                          */
	MACHINE_RBTREE,
	MACHINE_WAYS,
};

enum { MACHINE_WHOLE = 1, MACHINE_HOLES = 2 };

/* 1 <= segments <= 1,000,000. 0; -ENOMEM, or what a table said. */
int  machine_create(struct machine **out, uint64_t segments, unsigned flags);
void machine_destroy(struct machine *m);

/* n lookups of random bytes, the next one drawn when this one's result is known. Returns nanoseconds. */
uint64_t machine_lookups(struct machine *m, enum machine_way way, uint64_t n, uint64_t seed);

/* The function that a way calls for each lookup (NULL: none), and the table that it gets. */
typedef struct physseg_frame *machine_look(struct physseg_table *t, uint64_t phys);
machine_look *machine_looks(enum machine_way way);
struct physseg_table *machine_table(struct machine *m, enum machine_way way);
/* Random bytes, as above. */
void machine_draw(struct machine *m, uint64_t *phys, unsigned n, uint64_t seed);

struct machine_arm { struct machine *machine; enum machine_way way; double ms; struct gang *gang; };
int machine_block(void *ctx, uint64_t seed, struct pairs_block *out);    /* pairs_arm.block                         */

#endif
