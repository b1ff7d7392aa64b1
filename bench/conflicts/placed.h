/* SPDX-License-Identifier: MIT */
/*
 * placed.h - a test with addresses: what to call, and what the answers and the map must be.
 *
 * PACKED    Page i is at PLACED_BASE + i * 4096.
 * SPREAD    The same, and each stretched border (ref.h) is `distance` bytes wide. So page i lies behind as many
 *           distances as there are stretched borders at or below its lower border; a range [lo, hi) begins where page
 *           lo begins and ends where page hi - 1 ends. Two calls inside one VMA are not spread: no other VMAs could lie
 *           between them. Where a VMA that only one of them names lies on both sides of the border it is as large as
 *           that (the set-up's loads and stores leave the distance out); else the distance is unmapped, and
 *           PLACED_FILLERS VMAs of one page each, a page apart, lie from its middle on: four leaves' worth, so that,
 *           however the leaves are filled, two hold nothing else.
 *           Offsets in objects are distances from PLACED_BASE, so they grow with it; those that count from a region's
 *           start (call.h) are not stretched, and no border inside of such a mapping is.
 * ANYWHERE  is where the engine wants it; PLACED_BASE is far below the arenas that it uses.
 *
 * An answer's rows and addresses are concrete. A call with `placed` may return any address; `zone` says what must be
 * mapped there afterwards, with addresses from its start on.
 */
#ifndef BENCH_CONFLICTS_PLACED_H
#define BENCH_CONFLICTS_PLACED_H

#include "bench/conflicts/suite.h"

#define PLACED_BASE     (UINT64_C(1) << 40)
#define PLACED_DISTANCE (UINT64_C(1) << 34)      /* D, unless told: table entries of two such places share no line */
#define PLACED_MOST     (UINT64_C(1) << 43)      /* D at most: five of them stay below the arenas                  */
#define PLACED_ALIAS    (UINT64_C(1) << 45)      /* offset where counting from a region's start begins             */
#define PLACED_OBJECT   (UINT64_C(1) << 46)      /* bytes of files A and B                                         */
#define PLACED_FILLERS  112u                     /* each: PROT_NONE, one page, every other page                    */

enum placement { PLACED_PACKED, PLACED_SPREAD, PLACEMENTS };
extern const char *const placement_name[PLACEMENTS];

/* One call of vmmap.h. */
struct step {
	uint8_t kind, form;                      /* call.h                                                         */
	uint8_t object, tag, page;               /* page: number of the first one, for call_value()                */
	int prot, flags, advice;
	uint64_t addr, len;                      /* mmap_within: the window [addr, addr + len)                     */
	uint64_t new_len, new_addr;              /* new_len also: bytes of mmap_within                             */
	uint64_t offset;
};

struct placed_rows { struct row row[REF_ROWS]; uint32_t loose; uint8_t rows; };
struct placed_word { uint64_t addr, value; };

struct placed {
	struct step setup[2 * SCENE_CALLS + REF_STRETCHES], call[2];
	unsigned setups, fillers, words;
	struct { uint64_t addr, len, row; } filler[REF_STRETCHES];       /* what is cleared; where they begin       */
	uint64_t lo, hi;                         /* the test's pages, fillers included                             */
	uint64_t brk;
	bool offsets;                            /* shared anonymous objects, too, count their offsets             */
	struct answer answer[2];                 /* the same in both orders                                        */
	struct placed_rows map, zone[2];         /* the VMAs at the end; those of A's, of B's place                */
	struct placed_word word[CALL_PAGES];     /* first bytes of each page that can be read                      */
};

/* 0; -EINVAL: PLACED_SPREAD of a test that is packed only; -ENOMEM. distance: of pages, up to PLACED_MOST. */
int placed_make(struct placed *out, const struct test *t, enum placement placement, uint64_t distance);
/* The calls, as C. */
void placed_print(FILE *out, const struct placed *p);

#endif
