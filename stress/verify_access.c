/* SPDX-License-Identifier: MIT */
/*
 * verify_access.c - stamps: what is stored, what must be loaded, and what each answer says about the page.
 *
 * OWN LANE   with the page's word certain and equal before and after the load, the lane holds
 *              zero              if the page was born zero after this thread's last store had ended
 *              that store        if it went to this very page (its word did not change around it) and every change of
 *                                the page since is accounted for (ZERO), or there was none (same generation) and the
 *                                page is private (mremap can leave two addresses for one shared page)
 *              (either)          otherwise
 * OTHERS     their word 0, or zero: no two threads' stamps have equal first words, nor two pages'.
 * BETWEEN    beyond the lanes of all threads a page is zero, always.
 * MOVED      mremap carries stamps to other pages. A page whose contents are tracked (ZERO) got none; in the others,
 *            and only in profiles that fight, any stamp of this map may be found. A shared page is not tracked in such
 *            profiles: a piece of the mapping may have been moved away and grown there, over this page of the object.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/point.h"
#include "stress/verify_in.h"

#define MAGIC UINT64_C(0x5a3)

uint64_t stamp_word0(const struct verify *v, unsigned thread, uint64_t addr)
{
	return MAGIC << 52 | (uint64_t)(v->map & 0xff) << 44 | (uint64_t)thread << 36 | addr >> PAGE_SHIFT;
}

uint64_t stamp_word1(struct verify_thread *t, const struct shadow_page *page)
{
	return atomic_load_acquire(&page->content) << 32 | (uint32_t)++t->sequence;
}

unsigned stamp_offset(unsigned thread)
{
	return thread * STAMP_BYTES;
}

static bool of_this_map(const struct verify *v, uint64_t word0)
{
	return word0 >> 44 == (MAGIC << 8 | (v->map & 0xff));
}

static bool quiet_between(uint64_t before, uint64_t after)
{
	return before == after && shadow_certain(before);
}

/* What the page's word and `content` were all the time while something was loaded, if quiet. */
struct verify_seen { uint64_t word, content; bool quiet; };

/* Is every change of what the page holds accounted for? */
static bool tracked(const struct verify *v, const struct verify_seen *seen)
{
	bool elsewhere = seen->word & SHADOW_SHARED && v->profile->blind && !BASE_MUTANT(verify_tracks_shared);

	return seen->quiet && seen->word & SHADOW_ZERO && !elsewhere;
}

/* ---- answers ---- */

static bool allows(int prot, int access)
{
	if (access == PROT_READ)
		return prot != PROT_NONE;                /* as on x86: what can be written or run can be read */
	return prot & access;
}

void verify_answer_check(struct verify_thread *t, const struct verify_answer *a)
{
	int prot = shadow_prot(a->before);
	unsigned owner = (unsigned)((a->before & SHADOW_OWNER) >> SHADOW_OWNER_SHIFT);

	if (a->err && a->err != -EFAULT)
		verify_report(t->v, SIN_ERRNO, a->addr, "an access failed: %s", strerror(-a->err));
	if (!quiet_between(a->before, a->after))
		return;
	t->checks++;
	if (!(a->before & SHADOW_MAPPED)) {
		if (!a->err && t->alone)
			verify_report(t->v, SIN_GHOST, a->addr, "reached after munmap had returned");
		return;
	}
	/* alone: a probe; it may meet what another thread was given after our munmap */
	if (owner && owner != t->number + 1 && (!t->alone || BASE_MUTANT(verify_probe_owns)))
		verify_report(t->v, SIN_OVERLAP, a->addr, "thread %u's page was given to thread %u too", owner - 1,
			      t->number);
	if (!a->err && !allows(prot, a->access))
		verify_report(t->v, SIN_PROT, a->addr, "access %d was let through, protection is %d", a->access, prot);
	if (a->err != -EFAULT)
		return;
	if (a->code == VMMAP_MAPERR)
		verify_report(t->v, SIN_HOLE, a->addr, "mapped, but not found (MAPERR)");
	else if (allows(prot, a->access) && a->code == VMMAP_ACCERR)
		verify_report(t->v, SIN_PROT, a->addr, "access %d was refused, protection is %d", a->access, prot);
	else if (allows(prot, a->access) && !(a->before & SHADOW_SHARED))       /* shared: beyond the object's end */
		verify_report(t->v, SIN_HOLE, a->addr, "access %d failed, protection is %d", a->access, prot);
}

int verify_fault(struct verify_thread *t, uint64_t addr, int access)
{
	struct vmmap_fault_info info = { 0 };
	struct verify_answer a = { .addr = addr, .access = access };
	struct shadow_page *page = t->v->config.stamps ? shadow_page_at(t->v->shadow, addr) : NULL;

	oplog_begin(&t->log, CALL_FAULT, addr, 0, (unsigned)access);
	a.before = page ? shadow_look(page) : 0;
	a.err = vmmap_fault(t->vm, addr, access, &info);
	a.after = page ? shadow_look(page) : 0;
	a.code = info.code;
	oplog_end(&t->log, a.err);
	if (page)
		verify_answer_check(t, &a);
	return a.err;
}

/* ---- loads ---- */

static void wrong_value(struct verify_thread *t, uint64_t addr, const uint64_t got[2], const uint64_t want[2])
{
	uint64_t mine = stamp_word0(t->v, t->number, addr);
	enum verify_sin sin = SIN_LOST_WRITE;

	if (got[0] && got[0] != mine)
		sin = SIN_FOREIGN;
	else if (!want[0])
		sin = SIN_STALE;
	verify_report(t->v, sin, addr, "thread %u's stamp: %016" PRIx64 " %016" PRIx64 ", must be %016" PRIx64 " %016"
		      PRIx64, t->number, got[0], got[1], want[0], want[1]);
}

static void own_lane(struct verify_thread *t, struct shadow_page *page, uint64_t addr, const struct verify_seen *seen,
		     const uint64_t got[2])
{
	const struct shadow_lane *lane = shadow_lane_at(t->v->shadow, page, t->number);
	uint64_t mine = stamp_word0(t->v, t->number, addr), want[2] = { 0, 0 };
	bool known = tracked(t->v, seen), untouched;

	t->checks++;
	if (known && seen->content > lane->after) {
		if (got[0] || got[1])
			wrong_value(t, addr, got, want);
		return;
	}
	want[0] = mine;
	want[1] = lane->value;
	untouched = !(seen->word & SHADOW_SHARED) && seen->word >> SHADOW_GENERATION_SHIFT == lane->generation;
	if (seen->quiet && lane->exact && (known || untouched)) {
		if (got[0] != want[0] || got[1] != want[1])
			wrong_value(t, addr, got, want);
		return;
	}
	if (got[0] && got[0] != mine && (!t->v->profile->blind || known || !of_this_map(t->v, got[0])))
		wrong_value(t, addr, got, want);
}

/* The whole page: other threads' lanes, and what lies beyond them. */
static void other_lanes(struct verify_thread *t, uint64_t addr, bool known)
{
	const struct verify *v = t->v;
	uint64_t got[2];
	unsigned i;

	for (i = 0; i < v->config.threads; i++) {
		memcpy(got, t->page + stamp_offset(i), sizeof(got));
		if (i == t->number || !got[0] || got[0] == stamp_word0(v, i, addr))
			continue;
		if (!v->profile->blind || known || !of_this_map(v, got[0]))
			verify_report(t->v, SIN_FOREIGN, addr, "thread %u's lane holds %016" PRIx64, i, got[0]);
	}
	for (i = stamp_offset(v->config.threads); i < VMMAP_PAGE_SIZE; i += sizeof(got[0])) {
		memcpy(got, t->page + i, sizeof(got[0]));
		if (got[0]) {
			verify_report(t->v, of_this_map(v, got[0]) ? SIN_FOREIGN : SIN_STALE, addr,
				      "offset %u, where nobody writes, holds %016" PRIx64, i, got[0]);
			return;
		}
	}
	t->checks++;
}

int verify_read(struct verify_thread *t, uint64_t addr)
{
	struct verify_answer a = { .addr = addr & ~(PAGE_BYTES - 1), .access = PROT_READ };
	bool whole = t->v->config.stamps && prng_below(&t->prng, 16) == 0;
	size_t len = whole ? VMMAP_PAGE_SIZE : STAMP_BYTES;
	unsigned offset = whole ? 0 : stamp_offset(t->number);
	struct verify_seen seen = { 0, 0, false };
	struct shadow_page *page;
	uint64_t got[2];
	ssize_t n;

	oplog_begin(&t->log, CALL_READ, a.addr + offset, len, 0);
	page = t->v->config.stamps ? shadow_page_at(t->v->shadow, a.addr) : NULL;
	a.before = page ? shadow_look(page) : 0;
	n = vmmap_read(t->vm, a.addr + offset, t->page + offset, len);
	seen.content = page ? atomic_load_acquire(&page->content) : 0;   /* of the state that both looks saw */
	a.after = page ? shadow_look(page) : 0;
	BASE_POINT(verify_read_looked);
	if (BASE_MUTANT(verify_content_late) && page)
		seen.content = atomic_load_acquire(&page->content);
	oplog_end(&t->log, n);
	a.err = n < 0 ? (int)n : 0;
	if (!page)
		return a.err;
	verify_answer_check(t, &a);
	if (n < (ssize_t)len)
		return a.err ? a.err : -EFAULT;
	memcpy(got, t->page + stamp_offset(t->number), sizeof(got));
	seen.word = a.before;
	seen.quiet = quiet_between(a.before, a.after);
	own_lane(t, page, a.addr, &seen, got);
	if (whole)
		other_lanes(t, a.addr, tracked(t->v, &seen));
	return 0;
}

/* ---- stores ---- */

int verify_write(struct verify_thread *t, uint64_t addr)
{
	struct verify_answer a = { .addr = addr & ~(PAGE_BYTES - 1), .access = PROT_WRITE };
	struct shadow *shadow = t->v->shadow;
	struct shadow_page *page = t->v->config.stamps ? shadow_page_at(shadow, a.addr) : NULL;
	struct shadow_lane *lane;
	uint64_t stamp[2] = { stamp_word0(t->v, t->number, a.addr), page ? stamp_word1(t, page) : 1 };
	uint64_t ended;
	ssize_t n;

	oplog_begin(&t->log, CALL_WRITE, a.addr + stamp_offset(t->number), STAMP_BYTES, 0);
	a.before = page ? shadow_look(page) : 0;
	n = vmmap_write(t->vm, a.addr + stamp_offset(t->number), stamp, STAMP_BYTES);
	ended = shadow_now(shadow);      /* before the look: what has not begun by then draws a later ticket */
	a.after = page ? shadow_look(page) : 0;
	oplog_end(&t->log, n);
	a.err = n < 0 ? (int)n : 0;
	if (!page)
		return a.err;
	verify_answer_check(t, &a);
	if (n < (ssize_t)STAMP_BYTES)
		return a.err ? a.err : -EFAULT;
	lane = shadow_lane_at(shadow, page, t->number);
	*lane = (struct shadow_lane){ stamp[1], ended, a.after >> SHADOW_GENERATION_SHIFT,
				      quiet_between(a.before, a.after) && a.before & SHADOW_MAPPED };
	return 0;
}

int verify_touch(struct verify_thread *t, uint64_t addr)
{
	uint64_t dice = t->v->config.stamps ? prng_next(&t->prng) : 0;
	int err;

	if (!t->v->config.stamps)
		return verify_fault(t, addr, PROT_WRITE);
	if ((dice & 7) == 0) {
		err = verify_read(t, addr);
		if (err)
			return err;
	}
	if ((dice & 0x38) == 0) {
		err = verify_fault(t, addr, PROT_WRITE);
		if (err)
			return err;
	}
	err = verify_write(t, addr);
	if (err || dice & 0x1c0)
		return err;
	return verify_read(t, addr);
}
