/* SPDX-License-Identifier: MIT */
/*
 * frame_report_note.c - which blocks have become reportable: noted by those who free, for the pass. Protocol:
 * frame_report.c.
 *
 * BITMAP   a bit for each block, set after the block's CAS (N1), cleared before the pass looks at the block (N2). The
 *          `begin`-th since the last pass asks for one.
 * CAPTURE  an array for each slot, a ring with one writer, the slot's thread, and one reader, the pass; with `capture`
 *          entries it is full, and asks for a pass. What finds no place is not lost: `missed` is set, and the pass
 *          looks at all words. The pass puts what it finds into the bitmap, which sorts it.
 * CHANGES  reports end and begin again beside those who note: who has seen the listener that there was before notes
 *          what nobody may read; the block's CAS was before that, so the look at all words that comes with each begin
 *          meets it (L1, L2). Hence rings that are of one size, and copies of config.
 * A slot's ring is made at its first note; where there is no memory for it, that is a ring that is full.
 * SOURCE   arrays for each CPU: Nitesh Narayan Lal and Rik van Riel, KVM Forum 2018; bitmap: Lal's series from v10 on.
 */
#include "vmmap/phys/frame_report.h"

#include "base/point.h"
#include "vmmap/phys/frame_bits_change.h"

struct frame_capture {
	atomic_u32 head;                 /* written so far, by the slot's thread                                   */
	atomic_u32 tail;                 /* read so far, by the pass                                               */
	atomic_u32 block[FRAME_REPORT_CAPTURE];  /* numbers of blocks: a machine has less than 2^32 frames         */
};

bool frame_report_note(struct frame_report *r, uint64_t block)
{
	uint64_t bit = UINT64_C(1) << block % 64;

	return !(atomic_or_acqrel(&r->noted[block / 64], bit) & bit);            /* N1 */
}

void frame_report_ask(struct frame_report *r)
{
	if (atomic_swap_acqrel(&r->wanted, 1) == 0)                              /* W1 */
		park_wake(&r->wanted, 1);
}

enum frame_report_how frame_report_wait(struct frame_report *r, uint64_t until_ns)
{
	while (atomic_load_relaxed(&r->wanted) == 0)
		if (park_wait(&r->wanted, 0, until_ns) != 0)
			return FRAME_REPORT_ALL;
	return FRAME_REPORT_SOME;
}

/* ---- by whoever makes a block reportable ---- */

static void note_in_bitmap(struct frame_listener *l, uint64_t block)
{
	struct frame_report *r = container_of(l, struct frame_report, by_bitmap);

	if (frame_report_note(r, block) && atomic_add_relaxed(&r->freed, 1) + 1 == atomic_load_relaxed(&r->begin))
		frame_report_ask(r);
}

/* How many there are then; 0: it was full. */
static uint32_t capture_add(struct frame_capture *c, uint32_t capture, uint64_t block)
{
	uint32_t head = atomic_load_relaxed(&c->head), n = head - atomic_load_acquire(&c->tail);     /* C2 -> C1 */

	if (n >= capture)
		return 0;
	atomic_store_relaxed(&c->block[head % FRAME_REPORT_CAPTURE], (uint32_t)block);
	atomic_store_release(&c->head, head + 1);                                /* C3 */
	return n + 1;
}

static void note_in_capture(struct frame_listener *l, uint64_t block)
{
	struct frame_report *r = container_of(l, struct frame_report, by_capture);
	struct frame_capture *c = thread_local_mine(&r->captures, thread_self());
	uint32_t capture = atomic_load_relaxed(&r->capture), n = c != NULL ? capture_add(c, capture, block) : 0;

	if (n == 0 && !BASE_MUTANT(frame_report_misses) && atomic_swap_acqrel(&r->missed, 1) == 0)   /* N3 */
		frame_report_ask(r);
	else if (n == capture)
		frame_report_ask(r);
}

int frame_report_note_init(struct frame_report *r)
{
	r->by_bitmap.reportable = note_in_bitmap;
	r->by_capture.reportable = note_in_capture;
	return thread_local_init(&r->captures, sizeof(struct frame_capture));
}

void frame_report_listen(struct frame_report *r)
{
	atomic_store_relaxed(&r->begin, r->config.begin);
	atomic_store_relaxed(&r->capture, r->config.capture);
	atomic_store_seqcst(&r->bits->listener, r->config.capture != 0 ? &r->by_capture : &r->by_bitmap);    /* L2 */
	if (!BASE_MUTANT(frame_report_begins_late))
		(void)atomic_swap_acqrel(&r->missed, 1);                         /* N3: what is free already       */
}

/* ---- by the pass ---- */

static void collect_from(struct frame_report *r, struct frame_capture *c)
{
	uint32_t head = atomic_load_acquire(&c->head), tail = atomic_load_relaxed(&c->tail);         /* C4 -> C3 */

	for (; tail != head; tail++)
		(void)frame_report_note(r, atomic_load_relaxed(&c->block[tail % FRAME_REPORT_CAPTURE]));
	atomic_store_release(&c->tail, tail);                                    /* C1 */
}

static void note_all(struct frame_report *r)
{
	for (uint64_t block = 0; block < r->blocks; block++) {
		atomic_u64 *word = frame_bits_block(r->bits, block);

		if (word != NULL && frame_block_reportable(atomic_load_seqcst(word)))    /* L2 -> L1 */
			(void)frame_report_note(r, block);
	}
}

uint64_t frame_report_collect(struct frame_report *r)
{
	for (uint32_t i = 0; r->config.capture != 0 && i < thread_count(); i++) {
		struct frame_capture *c = thread_local_at(&r->captures, i);

		if (c != NULL)
			collect_from(r, c);
	}
	if (atomic_swap_acqrel(&r->missed, 0) == 0)                              /* N4 -> N3 */
		return 0;
	note_all(r);
	return r->blocks;
}
