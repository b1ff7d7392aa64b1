/* SPDX-License-Identifier: MIT */
/*
 * verify_calls.c - the calls that change the map, with the page model told before and after, and a probe now and then.
 *
 * A call at given addresses: begin on its pages, draw the ticket, call, end. A call that chooses its addresses: inside
 * the shared gate draw the ticket, call, settle the claim. A ghost probe takes the gate alone: while it looks, nobody
 * can be given the address, so that a load that succeeds is a ghost and nothing else.
 */
#include <errno.h>
#include <sys/mman.h>

#include "stress/verify_in.h"

static bool followed(const struct verify_thread *t)
{
	return t->v->config.stamps;
}

static uint64_t random_page(struct verify_thread *t, uint64_t addr, uint64_t len)
{
	return addr + prng_below(&t->prng, len >> PAGE_SHIFT) * PAGE_BYTES;
}

static unsigned owner_of(const struct verify_thread *t)
{
	return t->v->profile->blind || t->in_canary ? 0 : t->number + 1;
}

void verify_note(struct verify_thread *t, unsigned call, uint64_t addr, uint64_t len, int64_t result)
{
	oplog_begin(&t->log, call, addr, len, 0);
	oplog_end(&t->log, result);
}

/* ---- mmap ---- */

static int64_t claim(struct verify_thread *t, int64_t got, uint64_t len, uint64_t ticket, struct shadow_change change)
{
	uint64_t met;

	if (got < 0)
		return got;
	t->checks++;
	met = shadow_claim(t->v->shadow, (uint64_t)got, len, ticket, change);
	if (met != UINT64_MAX)
		verify_report(t->v, SIN_OVERLAP, met, "mmap chose 0x%llx, where this page was mapped all the time",
			      (unsigned long long)got);
	return got;
}

static int64_t mmap_fixed(struct verify_thread *t, uint64_t addr, uint64_t len, int prot, int flags)
{
	struct shadow_change change = { SHADOW_MAP, prot, flags & MAP_SHARED, 0 };
	uint64_t ticket;
	int64_t got;

	shadow_begin(t->v->shadow, addr, len);
	ticket = shadow_ticket(t->v->shadow);
	got = vmmap_mmap(t->vm, addr, len, prot, flags, NULL, 0);
	if (got < 0)
		change.effect = SHADOW_NOTHING;
	shadow_end(t->v->shadow, addr, len, ticket, change);
	return got;
}

int64_t verify_mmap(struct verify_thread *t, uint64_t addr, uint64_t len, int prot, int flags)
{
	struct shadow_change change = { SHADOW_MAP, prot, flags & MAP_SHARED, owner_of(t) };
	uint64_t ticket;
	int64_t got;

	oplog_begin(&t->log, CALL_MMAP, addr, len, (unsigned)prot);
	if (!followed(t)) {
		got = vmmap_mmap(t->vm, addr, len, prot, flags, NULL, 0);
	} else if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		got = mmap_fixed(t, addr, len, prot, flags);
	} else {
		pthread_rwlock_rdlock(&t->v->claims);
		ticket = shadow_ticket(t->v->shadow);
		got = claim(t, vmmap_mmap(t->vm, addr, len, prot, flags, NULL, 0), len, ticket, change);
		pthread_rwlock_unlock(&t->v->claims);
	}
	oplog_end(&t->log, got);
	if (followed(t) && got >= 0 && prot & PROT_READ && prng_below(&t->prng, 8) == 0)
		verify_read(t, random_page(t, (uint64_t)got, len));
	return got;
}

int64_t verify_within(struct verify_thread *t, uint64_t lo, uint64_t hi, uint64_t len, int prot)
{
	struct shadow_change change = { SHADOW_MAP, prot, false, owner_of(t) };
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	uint64_t ticket;
	int64_t got;

	oplog_begin(&t->log, CALL_WITHIN, lo, hi - lo, (unsigned)prot);
	if (!followed(t)) {
		got = vmmap_mmap_within(t->vm, lo, hi, PAGE_BYTES, 0, len, prot, flags, NULL, 0);
	} else {
		pthread_rwlock_rdlock(&t->v->claims);
		ticket = shadow_ticket(t->v->shadow);
		got = claim(t, vmmap_mmap_within(t->vm, lo, hi, PAGE_BYTES, 0, len, prot, flags, NULL, 0), len, ticket,
			    change);
		pthread_rwlock_unlock(&t->v->claims);
	}
	oplog_end(&t->log, got);
	return got;
}

/* ---- munmap, mprotect, madvise ---- */

void verify_probe_ghost(struct verify_thread *t, uint64_t addr)
{
	pthread_rwlock_wrlock(&t->v->claims);
	t->alone = true;
	verify_read(t, addr);
	t->alone = false;
	pthread_rwlock_unlock(&t->v->claims);
}

int verify_munmap(struct verify_thread *t, uint64_t addr, uint64_t len)
{
	struct shadow_change change = { SHADOW_UNMAP, 0, false, 0 };
	uint64_t ticket;
	int err;

	oplog_begin(&t->log, CALL_MUNMAP, addr, len, 0);
	if (!followed(t)) {
		err = vmmap_munmap(t->vm, addr, len);
		oplog_end(&t->log, err);
		return err;
	}
	shadow_begin(t->v->shadow, addr, len);
	ticket = shadow_ticket(t->v->shadow);
	err = vmmap_munmap(t->vm, addr, len);
	if (err)
		change.effect = SHADOW_NOTHING;
	shadow_end(t->v->shadow, addr, len, ticket, change);
	oplog_end(&t->log, err);
	if (!err && prng_below(&t->prng, 8) == 0)
		verify_probe_ghost(t, random_page(t, addr, len));
	return err;
}

int verify_mprotect(struct verify_thread *t, uint64_t addr, uint64_t len, int prot)
{
	struct shadow_change change = { SHADOW_PROTECT_ALL, prot, false, 0 };
	uint64_t ticket;
	int err;

	oplog_begin(&t->log, CALL_MPROTECT, addr, len, (unsigned)prot);
	if (!followed(t)) {
		err = vmmap_mprotect(t->vm, addr, len, prot);
		oplog_end(&t->log, err);
		return err;
	}
	shadow_begin(t->v->shadow, addr, len);
	ticket = shadow_ticket(t->v->shadow);
	err = vmmap_mprotect(t->vm, addr, len, prot);
	if (err)
		change.effect = SHADOW_LOSE;             /* over a hole: done up to it */
	shadow_end(t->v->shadow, addr, len, ticket, change);
	oplog_end(&t->log, err);
	if (prng_below(&t->prng, 4) == 0)                /* a store, whether it is allowed or not */
		verify_write(t, random_page(t, addr, len));
	return err;
}

static struct shadow_change advised(int advice, int err)
{
	struct shadow_change change = { SHADOW_BLUR, 0, false, 0 };

	if (advice == MADV_DONTNEED && (!err || err == -ENOMEM))         /* over holes: done around them */
		change.effect = SHADOW_DROP;
	return change;
}

int verify_madvise(struct verify_thread *t, uint64_t addr, uint64_t len, int advice)
{
	bool changes = advice == MADV_DONTNEED || advice == MADV_FREE;
	uint64_t ticket;
	int err;

	oplog_begin(&t->log, CALL_MADVISE, addr, len, (unsigned)advice);
	if (!followed(t) || !changes) {                  /* the other advices leave contents and protection alone */
		err = vmmap_madvise(t->vm, addr, len, advice);
		oplog_end(&t->log, err);
		return err;
	}
	shadow_begin(t->v->shadow, addr, len);
	ticket = shadow_ticket(t->v->shadow);
	err = vmmap_madvise(t->vm, addr, len, advice);
	shadow_end(t->v->shadow, addr, len, ticket, advised(advice, err));
	oplog_end(&t->log, err);
	if (prng_below(&t->prng, 4) == 0)
		verify_read(t, random_page(t, addr, len));
	return err;
}

/* ---- mremap: contents move; what is there afterwards is not followed, only that the source is gone ---- */

static int64_t mremap_followed(struct verify_thread *t, struct verify_remap r)
{
	static const struct shadow_change lose = { SHADOW_LOSE, 0, false, 0 }, gone = { SHADOW_UNMAP, 0, false, 0 };
	struct shadow *s = t->v->shadow;
	uint64_t reach = r.new_len > r.old_len ? r.new_len : r.old_len, ticket;
	bool fixed = r.flags & MREMAP_FIXED, moved, apart;
	int64_t got;

	shadow_begin(s, r.old_addr, reach);
	if (fixed)
		shadow_begin(s, r.new_addr, r.new_len);
	ticket = shadow_ticket(s);
	got = vmmap_mremap(t->vm, r.old_addr, r.old_len, r.new_len, r.flags, r.new_addr);
	moved = got >= 0 && (uint64_t)got != r.old_addr;
	apart = moved && ((uint64_t)got + r.new_len <= r.old_addr || (uint64_t)got >= r.old_addr + reach);
	if (apart && !(r.flags & MREMAP_DONTUNMAP)) {
		shadow_end(s, r.old_addr, r.old_len, ticket, gone);
		shadow_end(s, r.old_addr + r.old_len, reach - r.old_len, ticket, lose);
	} else {
		shadow_end(s, r.old_addr, reach, ticket, lose);
	}
	if (fixed)
		shadow_end(s, r.new_addr, r.new_len, ticket, lose);
	else if (moved)
		claim(t, got, r.new_len, ticket, lose);
	return got;
}

int64_t verify_mremap(struct verify_thread *t, struct verify_remap r)
{
	int64_t got;

	oplog_begin(&t->log, CALL_MREMAP, r.old_addr, r.old_len, (unsigned)r.flags);
	if (!followed(t)) {
		got = vmmap_mremap(t->vm, r.old_addr, r.old_len, r.new_len, r.flags, r.new_addr);
	} else {
		pthread_rwlock_rdlock(&t->v->claims);
		got = mremap_followed(t, r);
		pthread_rwlock_unlock(&t->v->claims);
	}
	oplog_end(&t->log, got);
	return got;
}

/* ---- what was done behind the model's back ---- */

void verify_forget(struct verify *v, uint64_t addr, uint64_t len)
{
	if (v->config.stamps)
		shadow_forget(v->shadow, addr, len);
}

void verify_forget_all(struct verify *v)
{
	shadow_clear(v->shadow);
}

void verify_assume_fresh(struct verify_thread *t, uint64_t addr, uint64_t len, int prot)
{
	struct shadow_change change = { SHADOW_MAP, prot, false, 0 };

	if (!followed(t))
		return;
	shadow_begin(t->v->shadow, addr, len);
	shadow_end(t->v->shadow, addr, len, shadow_ticket(t->v->shadow), change);
}
