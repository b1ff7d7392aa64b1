/* SPDX-License-Identifier: MIT */
/*
 * verify.c - the verifier's life, its reports, and the inspection of a quiet map.
 *
 * QUIET     all threads rest between two calls (profile_pause): vmmap_audit() and physmem_audit() are silent; a map
 *           whose forks are gone has one entry for each frame, and the frame's record says so; the usage figures are
 *           those of the listing; every page of which the model is certain is in the listing as the model has it;
 *           the frames that physical memory gave away are the resident pages (in profiles without shared objects).
 */
#include "stress/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "stress/verify_in.h"

#define CANARY_EVERY 16u                         /* steps                                                          */
#define PRINTED_CALLS 12u                        /* of each thread, after a violation                              */

const char *const verify_sin_name[SIN_COUNT] = {
	[SIN_GHOST] = "ghost", [SIN_FOREIGN] = "foreign", [SIN_PROT] = "prot", [SIN_STALE] = "stale",
	[SIN_LOST_WRITE] = "lost-write", [SIN_LEAK] = "leak", [SIN_OVERLAP] = "overlap", [SIN_HOLE] = "hole",
	[SIN_AUDIT] = "audit", [SIN_USAGE] = "usage", [SIN_GP_WAIT] = "gp-wait", [SIN_ERRNO] = "errno",
	[SIN_OVERTAKEN] = "overtaken", [SIN_STUCK] = "stuck",
};

/* ---- life ---- */

struct verify *verify_create(const struct verify_config *config)
{
	struct verify *v = calloc(1, sizeof(*v));
	pthread_rwlockattr_t attr;

	if (!v)
		return NULL;
	v->config = *config;
	v->began = clock_ns();
	v->forgotten = PHYSMEM_NONE;
	v->shadow = shadow_create(config->threads);
	v->thread = aligned_alloc(_Alignof(struct verify_thread), config->threads * sizeof(*v->thread));
	if (!v->shadow || !v->thread) {
		free(v->thread);
		free(v);
		return NULL;
	}
	memset(v->thread, 0, config->threads * sizeof(*v->thread));
	for (unsigned i = 0; i < config->threads; i++) {
		v->thread[i].v = v;
		v->thread[i].number = i;
		v->thread[i].canary = CANARY_BASE + i * CANARY_APART;
		v->thread[i].prng = prng_seed(config->seed, 1000 + i);
	}
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&v->claims, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&v->lock, NULL);
	return v;
}

void verify_destroy(struct verify *v)
{
	shadow_destroy(v->shadow);
	pthread_rwlock_destroy(&v->claims);
	pthread_mutex_destroy(&v->lock);
	free(v->thread);
	free(v);
}

void verify_attach(struct verify *v, struct vmmap *vm, struct physmem *pm, const struct profile *profile)
{
	v->vm = vm;
	v->pm = pm;
	v->profile = profile;
	v->map++;
	v->gp_waits = vmmap_grace_period_waits();
	for (unsigned i = 0; i < v->config.threads; i++)
		v->thread[i].vm = vm;
}

struct verify_thread *verify_thread_at(struct verify *v, unsigned i)
{
	return &v->thread[i];
}

bool verify_between_steps(struct verify_thread *t)
{
	if (t->v->config.stamps && t->steps++ % CANARY_EVERY == 0)
		verify_canary(t);
	return atomic_load_relaxed(&t->v->violations);
}

/* ---- reports ---- */

void verify_report(struct verify *v, enum verify_sin sin, uint64_t addr, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&v->lock);
	if (v->kept < VERIFY_KEPT) {
		struct verify_violation *x = &v->violation[v->kept++];

		x->sin = sin;
		x->addr = addr;
		x->ns = clock_ns() - v->began;
		va_start(args, format);
		vsnprintf(x->text, sizeof(x->text), format, args);
		va_end(args);
	}
	pthread_mutex_unlock(&v->lock);
	atomic_add_acqrel(&v->violations, 1);
}

uint64_t verify_violations(const struct verify *v)
{
	return atomic_load_acquire(&v->violations);
}

uint64_t verify_checks(const struct verify *v)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < v->config.threads; i++)
		sum += v->thread[i].checks;
	return sum;
}

uint64_t verify_gp_waits(const struct verify *v)
{
	return vmmap_grace_period_waits() - v->gp_waits;
}

enum verify_sin verify_first(const struct verify *v)
{
	return v->kept ? v->violation[0].sin : SIN_NONE;
}

void verify_print(struct verify *v, FILE *out)
{
	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < v->kept; i++)
		fprintf(out, "violation: %s at 0x%" PRIx64 " after %.3f s: %s\n", verify_sin_name[v->violation[i].sin],
			v->violation[i].addr, (double)v->violation[i].ns / 1e9, v->violation[i].text);
	if (verify_violations(v) > v->kept)
		fprintf(out, "... and %" PRIu64 " more\n", verify_violations(v) - v->kept);
	pthread_mutex_unlock(&v->lock);
	fprintf(out, "last calls (seconds, call, range, argument, result):\n");
	for (unsigned i = 0; i < v->config.threads; i++)
		oplog_print(&v->thread[i].log, i, PRINTED_CALLS, v->began, out);
}

/* ---- the quiet map ---- */

struct listing { struct vmmap_vma *vma; size_t n, room; uint64_t bytes; bool wrong; };

static int list_one(const struct vmmap_vma *vma, void *arg)
{
	struct listing *l = arg;

	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->vma = realloc(l->vma, l->room * sizeof(*l->vma));
		if (!l->vma)
			abort();
	}
	l->wrong |= vma->start >= vma->end || (l->n && vma->start < l->vma[l->n - 1].end);
	l->bytes += vma->end - vma->start;
	l->vma[l->n++] = *vma;
	return 0;
}

static const struct vmmap_vma *covering(const struct listing *l, uint64_t addr)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (l->vma[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->n && l->vma[lo].start <= addr ? &l->vma[lo] : NULL;
}

struct comparison { struct verify *v; const struct listing *listing; uint64_t pages; };

static void compare_page(uint64_t addr, uint64_t word, void *arg)
{
	struct comparison *c = arg;
	const struct vmmap_vma *vma = covering(c->listing, addr);

	c->pages++;
	if (vma && !(word & SHADOW_MAPPED))
		verify_report(c->v, SIN_GHOST, addr, "listed at a quiet moment, though unmapped");
	else if (!vma && word & SHADOW_MAPPED)
		verify_report(c->v, SIN_HOLE, addr, "not listed at a quiet moment, though mapped");
	else if (vma && vma->prot != shadow_prot(word))
		verify_report(c->v, SIN_PROT, addr, "listed with protection %d, must be %d", vma->prot,
			      shadow_prot(word));
}

static void quiet_audit(struct verify *v)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	uint64_t waits = vmmap_grace_period_waits();
	uint64_t bad = out ? vmmap_audit(v->vm, out) + physmem_audit(v->pm, out) : 0;

	v->gp_waits += vmmap_grace_period_waits() - waits;
	if (out)
		fclose(out);
	if (bad) {
		for (size_t i = 0; i < len; i++)
			if (text[i] == '\n')
				text[i] = ';';
		verify_report(v, SIN_AUDIT, 0, "%" PRIu64 " found: %.150s", bad, text);
	}
	free(text);
}

void verify_holds(struct verify_thread *t, int64_t frames)
{
	t->holds += frames;
}

static uint64_t all_hold(const struct verify *v)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < v->config.threads; i++)
		sum += v->thread[i].holds;
	return (uint64_t)sum;
}

static void quiet_frames(struct verify *v, const struct vmmap_usage *use, bool objects)
{
	struct physmem_usage frames;

	physmem_get_usage(v->pm, &frames);
	if (frames.free + frames.cached + frames.deferred + frames.balloon + frames.poisoned + frames.owned !=
	    frames.frames)
		verify_report(v, SIN_LEAK, 0, "%" PRIu64 " frames are not %" PRIu64 " free + %" PRIu64 " cached + %"
			      PRIu64 " deferred + %" PRIu64 " owned", frames.frames, frames.free, frames.cached,
			      frames.deferred, frames.owned);
	else if (!objects && frames.owned != use->resident_pages + all_hold(v))
		verify_report(v, SIN_LEAK, 0, "%" PRIu64 " frames are owned, %" PRIu64 " pages are resident, %" PRIu64
			      " the threads have", frames.owned, use->resident_pages, all_hold(v));
}

void verify_no_objects(struct verify *v)
{
	struct vmmap_usage use;

	if (!v->config.stamps)
		return;
	quiet_audit(v);                                  /* also waits until objects unmapped before are gone */
	vmmap_get_usage(v->vm, &use);
	quiet_frames(v, &use, false);
}

void verify_quiet(struct verify *v)
{
	struct listing listing = { NULL, 0, 0, 0, false };
	struct comparison c = { v, &listing, 0 };
	struct vmmap_usage use;
	uint64_t waits = verify_gp_waits(v);

	vmmap_get_usage(v->vm, &use);
	if (v->config.stamps)
		quiet_frames(v, &use, v->profile->blind);
	quiet_audit(v);
	vmmap_walk(v->vm, 0, UINT64_MAX, list_one, &listing);
	if (listing.wrong)
		verify_report(v, SIN_USAGE, 0, "the listing is out of order");
	if (use.vmas != listing.n || use.mapped_bytes != listing.bytes)
		verify_report(v, SIN_USAGE, 0, "usage says %" PRIu64 " VMAs, %" PRIu64 " bytes; listed are %zu, %"
			      PRIu64, use.vmas, use.mapped_bytes, listing.n, listing.bytes);
	if (v->config.stamps) {
		shadow_walk(v->shadow, compare_page, &c);
		v->thread[0].checks += c.pages;          /* thread 0 rests */
	}
	if (waits && !v->profile->destroys)
		verify_report(v, SIN_GP_WAIT, 0, "%" PRIu64 " grace periods were waited for", waits);
	free(listing.vma);
}

void verify_overtakes(struct verify *v, uint64_t most)
{
	if (most > v->config.threads + 2)
		verify_report(v, SIN_OVERTAKEN, 0, "a waiter was overtaken %" PRIu64 " times, at most %u are promised",
			      most, v->config.threads + 2);
}

void verify_gone(struct verify *v)
{
	struct physmem_usage use;

	if (v->forgotten != PHYSMEM_NONE)
		physmem_frame_free(v->pm, v->forgotten);
	v->forgotten = PHYSMEM_NONE;
	physmem_get_usage(v->pm, &use);
	if (use.owned)
		verify_report(v, SIN_LEAK, 0, "the map is gone and %" PRIu64 " frames are still owned", use.owned);
	v->vm = NULL;
}
