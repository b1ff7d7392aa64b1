/* SPDX-License-Identifier: MIT */
/*
 * frame_report.c - the pass: blocks that are all free are told to the host, and what it says is written down.
 *
 * TRUTH      is the block's word (frame_block.h): reportable, reporting, reported. What those who free have noted
 *            (frame_report_note.c) says where to look: a note too many costs a look. There is none too few: who makes
 *            a block reportable by a CAS of its word notes it after that, and the pass clears a note before it looks.
 * PASS       goes through the bitmap in order of address, so what a host wants together (a bank) comes together; of up
 *            to `most` blocks each CAS makes reportable reporting; the host is told, holding nothing; another CAS
 *            each, by what it has said of this one. Blocks that were taken from since the pass before are left for the
 *            next one: they are in use (`takes`; 256 takes between two passes look like none, which costs a report). A
 *            block that is not reported now, for any reason but that it was taken or REFUSED, stays noted.
 * PRESSURE   a call of tell has at most as many blocks as leave `low` frames to others. That is a look: others may
 *            take these meanwhile. So who finds nothing else says that it holds: from then on no block begins to be
 *            told, and when the call that is going on has ended all that is free can be had. Hence "there is none" is
 *            never the report's doing. Likewise who unplugs: offline first, then hold, then claim.
 * BOUND      if nothing is taken from then on, the host accepts, `low` and a block more are free, and nobody holds:
 *            what is reportable when a pass begins is reported when the next one (ALL) ends; without `idle`, when this
 *            one ends. A pass calls tell at most (blocks / most + banks) times. With the loop of frame_report.h, which
 *            begins one at least each `age`: within 2 ages and the time of 3 passes.
 * EDGES      N1 a block's CAS, then its bit is set -> N2 the swap that clears the bits, then the look at the block.
 *            N3 missed is set, after the block's CAS -> N4 the swap that clears it, then the look at all.
 *            L1 a block's CAS, then the look whether somebody listens -> L2 somebody does, then the look at all: all
 *            four are sequentially consistent, so one of the two sees the other, and nothing is missed at the begin.
 *            C3 a capture's block is written -> C4 it is read. C1 it has been read -> C2 its place is written again.
 *            F1 flight is made odd, then holders are looked at -> H1 holders go up, then flight is looked at: all four
 *            are sequentially consistent, so one of the two sees the other. F2 flight is made even, after the blocks'
 *            CAS -> H2 the look that finds it so. H3 who held lets go, after what he took -> F1.
 *            W1 a pass is asked for, after a note -> W2 the pass takes that on, before it clears the notes.
 * ORDER      turn is only tried for. Nothing is held when tell is called, but turn.
 * PROGRESS   who frees waits for nothing. Who holds waits for one call of tell. A pass that is stopped in tell keeps
 *            its blocks from others, `most` at most, and nobody else reports.
 * NOT HERE   parts of a block: an order below 9 breaks up the host's huge pages, and each needs a call. Blocks that
 *            are not whole, at the ragged end of a segment, are never reported.
 * SOURCE     flag and batches: Linux, mm/page_reporting.c (Duyck 2020). Two thresholds, few at a time "to avoid false
 *            OOMs": Lal's series v8 to v11 (2019), which could miss pages and could fail falsely. Truth in the bits:
 *            HyperAlloc (Wrenger et al., EuroSys 2025).
 */
#include "vmmap/phys/frame_report.h"

#include <errno.h>
#include <limits.h>

#include "base/mem.h"
#include "base/point.h"
#include "vmmap/phys/frame_bits_change.h"

struct pass {
	struct frame_report *r;
	enum frame_report_how how;
	unsigned n;                              /* blocks in r->told                                              */
	bool stop;
	struct frame_report_result out;
};

/* ---- life ---- */

static uint64_t noted_words(uint64_t blocks) { return (blocks + 63) / 64; }

int frame_report_init(struct frame_report *r, struct frame_bits *bits)
{
	uint64_t blocks = bits->frames >> FRAME_BLOCK_ORDER;
	int err;

	*r = (struct frame_report){ .bits = bits, .blocks = blocks };
	r->noted = mem_reserve(MEM_FRAME, noted_words(blocks) * sizeof(*r->noted));
	r->takes = mem_reserve(MEM_FRAME, blocks);
	r->told = mem_alloc(MEM_FRAME, FRAME_REPORT_MOST * sizeof(*r->told), CACHE_LINE);
	err = r->noted == NULL || r->takes == NULL || r->told == NULL ? -ENOMEM : frame_report_note_init(r);
	if (err != 0)
		frame_report_fini(r);
	return err;
}

int frame_report_begin(struct frame_report *r, const struct frame_report_config *c)
{
	if (c->tell == NULL || c->most == 0 || c->most > FRAME_REPORT_MOST || c->notify > c->most ||
	    c->capture > FRAME_REPORT_CAPTURE || (c->capture & (c->capture - 1)) != 0)
		return -EINVAL;
	r->config = *c;
	frame_report_listen(r);
	return 0;
}

void frame_report_end(struct frame_report *r)
{
	atomic_store_seqcst(&r->bits->listener, NULL);                           /* L2 */
}

void frame_report_fini(struct frame_report *r)
{
	frame_report_end(r);
	thread_local_free(&r->captures, NULL, NULL);
	mem_free(MEM_FRAME, r->told, FRAME_REPORT_MOST * sizeof(*r->told));
	mem_unreserve(MEM_FRAME, r->takes, r->blocks);
	mem_unreserve(MEM_FRAME, r->noted, noted_words(r->blocks) * sizeof(*r->noted));
}

/* ---- who wants no block to be told ---- */

int frame_report_hold(struct frame_report *r, uint64_t until_ns)
{
	uint32_t flight;
	int err;

	(void)atomic_add_seqcst(&r->holders, 1);                                 /* H1 */
	for (;;) {
		flight = atomic_load_seqcst(&r->flight);                         /* H2 -> F1, F2 */
		if (!(flight & 1) || BASE_MUTANT(frame_report_hold_hurries))
			return 0;
		err = park_wait(&r->flight, flight, until_ns);
		if (err != 0) {
			frame_report_let(r);
			return err;
		}
	}
}

void frame_report_let(struct frame_report *r)
{
	(void)atomic_sub_release(&r->holders, 1);                                /* H3 */
}

static void end_flight(struct frame_report *r)
{
	(void)atomic_add_seqcst(&r->flight, 1);                                  /* F2 */
	if (atomic_load_seqcst(&r->holders) != 0)                                /* F2 -> H1 */
		park_wake(&r->flight, INT_MAX);
}

static bool begin_flight(struct frame_report *r)
{
	(void)atomic_add_seqcst(&r->flight, 1);                                  /* F1 */
	if (atomic_load_seqcst(&r->holders) == 0 || BASE_MUTANT(frame_report_held_unseen))       /* F1 -> H1, H3 */
		return true;
	end_flight(r);
	return false;
}

/* ---- the host is told ---- */

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* How many blocks may go beside `low` frames. */
static unsigned room(struct frame_report *r)
{
	uint64_t low = r->config.low, most = (uint64_t)r->config.most << FRAME_BLOCK_ORDER;
	uint64_t free = frame_bits_free(r->bits, low + most, &r->rich);

	return free > low ? (unsigned)((free - low) >> FRAME_BLOCK_ORDER) : 0;
}

static void put_off(struct pass *p, unsigned from, unsigned end)
{
	for (unsigned i = from; i < end; i++)
		(void)frame_report_note(p->r, p->r->told[i].block);
	p->out.put_off += end - from;
}

static bool step(struct frame_report *r, uint64_t block, frame_block_step *what)
{
	return frame_bits_change(frame_bits_block(r->bits, block), what, 0, FRAME_CLASS_NONE);
}

/* Of n blocks, those that are reportable still: now they are nobody's. */
static unsigned isolate(struct frame_report *r, struct frame_told *told, unsigned n)
{
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++)
		if (step(r, told[i].block, frame_block_report))
			told[got++] = (struct frame_told){ told[i].block, FRAME_LATER };
	return got;
}

static void write_down(struct pass *p, const struct frame_told *told, unsigned n)
{
	for (; n != 0; told++, n--) {
		bool accepted = told->verdict == FRAME_ACCEPTED;

		CHECK(step(p->r, told->block, accepted ? frame_block_reported : frame_block_unreported));
		if (told->verdict == FRAME_LATER)
			(void)frame_report_note(p->r, told->block);
		p->out.accepted += accepted;
		p->out.refused += told->verdict == FRAME_REFUSED;
		p->out.later += told->verdict == FRAME_LATER;
	}
}

/* False: somebody holds. */
static bool tell(struct pass *p, struct frame_told *told, unsigned n)
{
	struct frame_report *r = p->r;

	BASE_POINT(frame_report_before_flight);
	if (!begin_flight(r))
		return false;
	n = isolate(r, told, n);
	if (n != 0) {
		r->config.tell(r->config.arg, told, n);
		p->out.calls++;
		write_down(p, told, n);
	}
	end_flight(r);
	return true;
}

/* What has come together goes, at once or in as many calls as there is room for: what has been told is free again. */
static void flush(struct pass *p)
{
	unsigned n = p->n, done = 0;

	p->n = 0;
	if (p->how == FRAME_REPORT_SOME && n < p->r->config.notify) {
		put_off(p, 0, n);
		return;
	}
	while (done < n && !p->stop) {
		unsigned may = least(room(p->r), n - done);

		p->out.short_of_room = may == 0;
		p->out.held = may != 0 && !tell(p, &p->r->told[done], may);
		p->stop = p->out.short_of_room || p->out.held;
		if (!p->stop)
			done += may;
	}
	put_off(p, done, n);
}

/* ---- which blocks ---- */

static uint64_t bank_of(struct frame_report *r, uint64_t block)
{
	return r->config.bank != NULL ? r->config.bank(r->config.arg, block) : 0;
}

/* Nobody has taken from it since it was met last. */
static bool is_idle(struct pass *p, uint64_t block, uint64_t word)
{
	unsigned char *last = &p->r->takes[block], takes = (unsigned char)frame_block_takes(word);
	bool idle = *last == takes || !p->r->config.idle || p->how == FRAME_REPORT_NOW;

	*last = takes;
	return idle;
}

/* A block that was noted. */
static void consider(struct pass *p, uint64_t block)
{
	struct frame_report *r = p->r;
	uint64_t word = frame_bits_word(r->bits, block);

	BASE_POINT(frame_report_looked);
	p->out.looks++;
	if (!frame_block_reportable(word))
		return;
	if (p->n == r->config.most || (p->n != 0 && bank_of(r, r->told[0].block) != bank_of(r, block)))
		flush(p);
	if (p->stop || !is_idle(p, block, word)) {
		(void)frame_report_note(r, block);
		p->out.put_off++;
		return;
	}
	r->told[p->n++].block = block;
	r->rich = block;
}

static void go_through(struct pass *p, uint64_t w)
{
	atomic_u64 *word = &p->r->noted[w];
	uint64_t bits;

	p->out.words++;
	if (atomic_load_relaxed(word) == 0)
		return;
	if (BASE_MUTANT(frame_report_clears_late))
		bits = atomic_load_relaxed(word);
	else
		bits = atomic_swap_acqrel(word, 0);                              /* N2 -> N1 */
	for (uint64_t left = bits; left != 0; left &= left - 1)
		consider(p, w * 64 + (unsigned)__builtin_ctzll(left));
	if (BASE_MUTANT(frame_report_clears_late))
		(void)atomic_and_acqrel(word, ~bits);                            /* N2 */
}

int frame_report_pass(struct frame_report *r, enum frame_report_how how, struct frame_report_result *out)
{
	struct pass p = { .r = r, .how = how };

	if (!park_trylock(&r->turn))
		return -EBUSY;
	atomic_store_relaxed(&r->freed, 0);
	(void)atomic_swap_acqrel(&r->wanted, 0);                                 /* W2 -> W1: from here on, anew   */
	p.out.looks = frame_report_collect(r);
	for (uint64_t w = 0; w < noted_words(r->blocks) && !p.stop; w++)
		go_through(&p, w);
	flush(&p);
	park_unlock(&r->turn);
	if (out != NULL)
		*out = p.out;
	return 0;
}
