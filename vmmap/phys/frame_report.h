/* SPDX-License-Identifier: MIT */
/*
 * frame_report.h - the host is told which blocks of 512 frames are free, so that it can take the memory behind them.
 *
 * A reported block stays free: whoever takes a frame of it finds memory that the host gives anew. Only while the host
 * is being told is a block not to be had; who finds nothing else waits for that (frame_report_hold). Protocol:
 * frame_report.c. Private to vmmap/phys.
 *
 * A thread that reports:
 *     for (until = clock + age; !stop; until = how == FRAME_REPORT_ALL ? clock + age : until) {
 *             how = frame_report_wait(&r, until);
 *             frame_report_pass(&r, how, NULL);
 *     }
 */
#ifndef VMMAP_PHYS_FRAME_REPORT_H
#define VMMAP_PHYS_FRAME_REPORT_H

#include "base/park.h"
#include "base/thread.h"
#include "vmmap/phys/frame_bits.h"

/* What the host says of a block. LATER: in the next pass. REFUSED: not before it has been used again. */
enum frame_verdict { FRAME_LATER, FRAME_ACCEPTED, FRAME_REFUSED };
struct frame_told { uint64_t block; enum frame_verdict verdict; };

struct frame_report_config {
	/* n blocks, ascending, of one bank; all of them LATER, unless it says otherwise. May sleep. May not take frames
	 * of the machine that it is told of. */
	void (*tell)(void *arg, struct frame_told *told, unsigned n);
	/* What the host wants to be told apart: a segment, a node. NULL: all is one. */
	uint64_t (*bank)(void *arg, uint64_t block);
	void *arg;
	unsigned capture;        /* 0: a bitmap of what has become free. Else an array of so many for each slot    */
	unsigned begin;          /* a pass is asked for when so many have become free since the last (bitmap)      */
	unsigned notify;         /* fewer than that wait for a pass for ALL                                        */
	unsigned most;           /* that are told, and not to be had, at a time                                    */
	uint64_t low;            /* frames that stay to be had meanwhile                                           */
	bool idle;               /* only what nobody has taken from since the pass before                          */
};
#define FRAME_REPORT_CONFIG { NULL, NULL, NULL, 0, 64, 1, 32, 2048, true }

#define FRAME_REPORT_MOST    1024u
#define FRAME_REPORT_CAPTURE 1024u

struct frame_capture;

struct frame_report {
	struct frame_listener by_bitmap, by_capture;     /* what frame_bits calls, one of them             [const] */
	struct frame_bits *bits;         /*                                                                [const] */
	uint64_t blocks;                 /* that there may ever be                                         [const] */
	atomic_u32 begin, capture;       /* of config, for those who note                                          */
	struct frame_report_config config; /*                                                              } in turn */
	atomic_u64 *noted;               /* a bit for each block: it may be reportable                             */
	unsigned char *takes;            /* of each block, the low bits of its count when last met         } in turn */
	struct frame_told *told;         /* [FRAME_REPORT_MOST]                                            }       */
	uint64_t rich;                   /* a block near which much is free                                }       */
	struct thread_local_table captures;      /* struct frame_capture                                           */
	struct park_mutex turn;          /* of the pass                                                            */
	atomic_u32 freed;                /* blocks, since the last pass                                            */
	atomic_u32 wanted;               /* 1: a pass is asked for                                                 */
	atomic_u32 missed;               /* 1: a capture was full, so all words are to be looked at                */
	atomic_u32 flight;               /* odd: blocks are being told                                             */
	atomic_u32 holders;              /* who wants none to be                                                   */
};

/* Makes one that is off. 0; -ENOMEM. The bits outlive it. */
int  frame_report_init(struct frame_report *r, struct frame_bits *bits) MUST_CHECK;
/* From here on the bits tell r. 0; -EINVAL: no tell, most 0 or above FRAME_REPORT_MOST, notify above most, capture no
 * power of two or above FRAME_REPORT_CAPTURE. r is off, and no pass goes on. */
int  frame_report_begin(struct frame_report *r, const struct frame_report_config *c) MUST_CHECK;
/* Off. Somebody may be noting something still, which does no harm until frame_report_fini. No pass goes on. */
void frame_report_end(struct frame_report *r);
/* While nobody uses the bits. */
void frame_report_fini(struct frame_report *r);

/* SOME: what there is in banks of `notify` and more. ALL: fewer, too. NOW: and what was taken from lately. */
enum frame_report_how { FRAME_REPORT_SOME, FRAME_REPORT_ALL, FRAME_REPORT_NOW };

struct frame_report_result {
	uint64_t accepted, refused, later;       /* blocks, by verdict                                             */
	uint64_t calls;                          /* of tell                                                        */
	uint64_t put_off;                        /* blocks left for the next pass: not idle, too few, no room      */
	uint64_t words, looks;                   /* loads of words of the bitmap, of blocks                        */
	bool short_of_room, held;                /* why it ended before its end                                    */
};

/* Tells the host. 0 and *out (NULL: not wanted); -EBUSY: another one is at it. Sleeps where tell does. */
int  frame_report_pass(struct frame_report *r, enum frame_report_how how, struct frame_report_result *out);
/* Sleeps until a pass is asked for, SOME, or that time has come: ALL. */
enum frame_report_how frame_report_wait(struct frame_report *r, uint64_t until_ns);
void frame_report_ask(struct frame_report *r);

/* From its return until frame_report_let no block is being told: what is free can be had, and claimed. 0; -ETIMEDOUT:
 * that time has come first, and nothing is held. Waits for one call of tell at most, so not from there. */
int  frame_report_hold(struct frame_report *r, uint64_t until_ns) MUST_CHECK;
void frame_report_let(struct frame_report *r);

/* ---- between the two files ---- */

/* The block may be reportable. Says whether nobody had noted it. */
bool frame_report_note(struct frame_report *r, uint64_t block);
/* What slots have captured is noted. Returns how many words were looked at. */
uint64_t frame_report_collect(struct frame_report *r);
/* Makes what those who note need. 0; -ENOMEM. */
int  frame_report_note_init(struct frame_report *r) MUST_CHECK;
/* From here on they note. */
void frame_report_listen(struct frame_report *r);

#endif
