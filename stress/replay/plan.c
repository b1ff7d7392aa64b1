/* SPDX-License-Identifier: MIT */
/* plan.c - see plan.h. */
#include "stress/replay/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "stress/replay/plan_deps.h"

#define PAGE UINT64_C(4096)
#define UP(x) (((x) + PAGE - 1) & ~(PAGE - 1))
#define LOWEST UINT64_C(65536)

static uint32_t busiest_space(const struct log *log)
{
	uint32_t *calls = calloc(log->spaces + 1, sizeof(*calls)), best = 0;

	for (uint32_t i = 0; calls && i < log->records; i++)
		calls[log->record[i].space] += log->record[i].call < CALL_REPLAYED;
	for (uint32_t i = 1; calls && i < log->spaces; i++)
		best = calls[i] > calls[best] ? i : best;
	free(calls);
	return best;
}

static void set_ranges(struct step *s)
{
	const struct record *r = &s->r;
	bool moved = r->result >= 0 && (uint64_t)r->result != r->addr;

	s->range = (struct span){ r->addr, r->addr + UP(r->len) };
	s->target = (struct span){ 0, 0 };
	if (r->call == CALL_MMAP && r->result >= 0)
		s->range = (struct span){ (uint64_t)r->result, (uint64_t)r->result + UP(r->len) };
	if (r->call == CALL_MREMAP && moved)
		s->target = (struct span){ (uint64_t)r->result, (uint64_t)r->result + UP(r->new_len) };
	else if (r->call == CALL_MREMAP && r->new_len > r->len)
		s->range.hi = r->addr + UP(r->new_len);
}

/* Takes the space's calls that have a result. */
static int collect(struct plan *p)
{
	const struct log *log = p->log;
	uint32_t *dense = malloc((log->threads + 1) * sizeof(*dense));

	p->step = calloc(log->records + 1, sizeof(*p->step));
	if (!dense || !p->step) {
		free(dense);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < log->threads; i++)
		dense[i] = UINT32_MAX;
	for (uint32_t i = 0; i < log->records; i++) {
		const struct record *r = &log->record[i];

		if (r->call >= CALL_REPLAYED)
			continue;
		if (r->space != p->space || !r->finished) {
			p->elsewhere += r->space != p->space;
			p->unfinished += r->space == p->space;
			continue;
		}
		if (dense[r->thread] == UINT32_MAX)
			dense[r->thread] = p->threads++;
		p->step[p->steps] = (struct step){ .r = *r, .thread = dense[r->thread] };
		set_ranges(&p->step[p->steps++]);
	}
	free(dense);
	return p->steps ? 0 : -ENODATA;
}

/* ---- what can be replayed: the map as the log tells it ---- */

static bool argument_error(const struct record *r)
{
	int err = r->result < 0 ? (int)-r->result : 0;

	switch (r->call) {
	case CALL_MMAP: return !r->odd_flags && !r->file && (err == EINVAL || err == EEXIST);
	case CALL_MREMAP: return err == EINVAL;
	case CALL_MPROTECT: case CALL_MUNMAP: return err == EINVAL;
	case CALL_MADVISE: return err == EINVAL && !r->odd_flags;
	default: return false;
	}
}

static bool in_engine(const struct span *s) { return s->lo >= LOWEST && s->hi > s->lo && s->hi < UINT64_C(1) << 47; }

static int apply_brk(struct plan *p, struct step *s, uint64_t *brk)
{
	uint64_t old = UP(*brk), now = UP((uint64_t)s->r.result);
	int err = 0;

	if (s->r.addr && (uint64_t)s->r.result != s->r.addr) {
		p->incomparable++;
		return 0;
	}
	s->range = now > old ? (struct span){ old, now + PAGE } : (struct span){ now, old };
	if (now > old)
		err = spans_add(&p->mapped, old, now);
	else
		err = spans_remove(&p->mapped, now, old);
	*brk = (uint64_t)s->r.result;
	return err ? err : 1;
}

static int apply_mremap(struct plan *p, struct step *s)
{
	struct record *r = &s->r;
	uint64_t len = UP(r->len), new_len = UP(r->new_len);
	bool moved = s->target.hi != 0;
	uint32_t n;
	int err;

	spans_meet(&p->mapped, r->addr, r->addr + (len ? len : PAGE), &n);
	if (n != 1 || (moved && !in_engine(&s->target))) {
		p->foreign++;
		if (moved && !n)
			return spans_remove(&p->mapped, s->target.lo, s->target.hi);
		return 0;
	}
	if (moved && !(r->flags & MREMAP_DONTUNMAP))
		err = spans_remove(&p->mapped, r->addr, r->addr + len);
	else
		err = moved ? 0 : spans_remove(&p->mapped, r->addr + new_len, r->addr + len);
	if (!err)
		err = spans_add(&p->mapped, (uint64_t)r->result, (uint64_t)r->result + new_len);
	return err ? err : 1;
}

/* 1: replay it; 0: not, counted; -errno. */
static int apply(struct plan *p, struct step *s, uint64_t *brk)
{
	struct record *r = &s->r;
	struct span met;
	uint32_t n;
	int err;

	if (r->call == CALL_BRK)
		return apply_brk(p, s, brk);
	if (r->result < 0) {
		p->incomparable += !argument_error(r);
		return argument_error(r);
	}
	if (r->call == CALL_MREMAP)
		return apply_mremap(p, s);
	if (r->call == CALL_MADVISE && r->odd_flags) {
		p->odd++;
		return 0;
	}
	if (r->call != CALL_MPROTECT && r->call != CALL_MADVISE) {
		if (!in_engine(&s->range)) {
			p->foreign++;
			return 0;
		}
		err = r->call == CALL_MMAP ? spans_add(&p->mapped, s->range.lo, s->range.hi) :
					     spans_remove(&p->mapped, s->range.lo, s->range.hi);
		return err ? err : 1;
	}
	met = spans_meet(&p->mapped, s->range.lo, s->range.hi, &n);
	if (n != 1 && r->len) {
		p->foreign++;
		return 0;
	}
	if (r->len && (met.lo != s->range.lo || met.hi != s->range.hi)) {        /* partly exec's: our part of it    */
		r->addr = met.lo;
		r->len = met.hi - met.lo;
		s->range = met;
	}
	return 1;
}

static int simulate(struct plan *p)
{
	uint64_t brk = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < p->steps; i++) {
		if (p->step[i].r.call == CALL_BRK && (!brk || (uint64_t)p->step[i].r.result < brk))
			brk = (uint64_t)p->step[i].r.result;
	}
	p->brk_start = brk;
	for (uint32_t i = 0; i < p->steps; i++) {
		int run = apply(p, &p->step[i], &brk);

		if (run < 0)
			return run;
		if (run)
			p->step[kept++] = p->step[i];
	}
	p->steps = kept;
	return kept ? 0 : -ENODATA;
}

int plan_make(struct plan *plan, const struct log *log)
{
	int err;

	*plan = (struct plan){ .log = log };
	plan->space = busiest_space(log);
	err = collect(plan);
	if (!err)
		err = plan_order(plan);
	if (!err)
		err = simulate(plan);
	if (!err)
		err = plan_deps(plan);
	return err;
}

void plan_free(struct plan *plan)
{
	free(plan->step);
	free(plan->dep);
	spans_free(&plan->mapped);
}
