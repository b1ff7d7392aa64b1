/* SPDX-License-Identifier: MIT */
/*
 * verify.h - what must be true of a map under load, checked from outside through the public face.
 *
 * Every call of a verified run goes through verify_<call>(), which tells the page model (shadow.h) before and after,
 * and every store is a *stamp*: 16 bytes in the writing thread's own place ("lane") of the page,
 *
 *   word 0   magic | map | thread | page number       the same for every stamp of this thread in this page
 *   word 1   content generation << 32 | sequence      different for each
 *
 * so that each thread always knows exactly what its lane must hold, also in pages that many threads write. What is
 * proved, under the name by which a breach is reported:
 *
 *   foreign     no value of another page or another map is ever read
 *   ghost       nothing is reached after munmap has returned
 *   hole        what is mapped is reached (of shared mappings: unless beyond their end)
 *   prot        a protection allows what it says and no more
 *   stale       fresh mappings, and pages after DONTNEED, read as zero
 *   lost-write  a completed store is read until the page is unmapped or dropped
 *   overlap     two unaddressed mappings never hold the same page at a time
 *   leak        every frame has an owner: the map's resident pages, and nobody else, at quiet moments and at the end
 *   audit       vmmap_audit() and physmem_audit() find nothing at quiet moments
 *   usage       vmmap_get_usage() agrees with the listing, and the listing with the model
 *   gp-wait     no operation waited for a grace period (but where the profile destroys maps)
 *   overtaken   no waiter was overtaken more than threads + 2 times (promise P-6)
 *   errno       a call failed that had to succeed
 *   stuck       a thread made no step for ten seconds
 *
 * Each check is made only where the model is certain (shadow.h says when that is): no false alarm, by construction.
 * Beside the profile's own pages each thread works through a *canary* of eight pages of its own, which meets every
 * rule in turn whatever the profile does, and is where a planted sin is committed.
 */
#ifndef STRESS_VERIFY_H
#define STRESS_VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct physmem;
struct profile;
struct verify;
struct verify_thread;
struct vmmap;

enum verify_sin {                                /* kinds of breach; the first seven can be planted                */
	SIN_GHOST, SIN_FOREIGN, SIN_PROT, SIN_STALE, SIN_LOST_WRITE, SIN_LEAK, SIN_OVERLAP, SIN_PLANTS,
	SIN_HOLE = SIN_PLANTS, SIN_AUDIT, SIN_USAGE, SIN_GP_WAIT, SIN_OVERTAKEN, SIN_ERRNO, SIN_STUCK, SIN_COUNT,
	SIN_NONE = SIN_COUNT
};
extern const char *const verify_sin_name[SIN_COUNT];

struct verify_config {
	bool stamps;                             /* false: only the operation log                                  */
	enum verify_sin plant;                   /* SIN_NONE, or one to commit once                                */
	unsigned threads;
	uint64_t seed;
};

struct verify *verify_create(const struct verify_config *config);        /* NULL: no memory                        */
void verify_destroy(struct verify *v);

/* By the driver: the map it is about; a thread's face; between two steps; at quiet moments; when the map is gone. */
void verify_attach(struct verify *v, struct vmmap *vm, struct physmem *pm, const struct profile *profile);
struct verify_thread *verify_thread_at(struct verify *v, unsigned i);
bool verify_between_steps(struct verify_thread *t);      /* true: a breach has been found, the run may end         */
void verify_quiet(struct verify *v);
/* The thread has so many frames more (or less) than before that no map has: for profiles that take some by themselves.
 * Between two rests it may be out by what it is doing. */
void verify_holds(struct verify_thread *t, int64_t frames);
/* The map is quiet, and just now maps no shared object: the frames must add up exactly (profiles that fight). */
void verify_no_objects(struct verify *v);
void verify_gone(struct verify *v);

/* max_overtakes of the run, all its maps, against the bound. */
void verify_overtakes(struct verify *v, uint64_t most);

/* ---- calls: as those of vmmap.h ---- */
struct verify_remap { uint64_t old_addr, old_len, new_len; int flags; uint64_t new_addr; };

int64_t verify_mmap(struct verify_thread *t, uint64_t addr, uint64_t len, int prot, int flags);
int64_t verify_within(struct verify_thread *t, uint64_t lo, uint64_t hi, uint64_t len, int prot);
int     verify_munmap(struct verify_thread *t, uint64_t addr, uint64_t len);
int     verify_mprotect(struct verify_thread *t, uint64_t addr, uint64_t len, int prot);
int     verify_madvise(struct verify_thread *t, uint64_t addr, uint64_t len, int advice);
int64_t verify_mremap(struct verify_thread *t, struct verify_remap r);
int     verify_fault(struct verify_thread *t, uint64_t addr, int access);
int     verify_touch(struct verify_thread *t, uint64_t addr);           /* a store, often with loads around it     */
int     verify_read(struct verify_thread *t, uint64_t addr);            /* 0 or -errno                             */
int     verify_write(struct verify_thread *t, uint64_t addr);
/* A line of the operation log for a call that the model does not follow. */
void    verify_note(struct verify_thread *t, unsigned call, uint64_t addr, uint64_t len, int64_t result);
/* For calls made outside these, by a set-up or by the leader of a meeting. Forget before, in the whole range; then each
 * thread says which pages it relies on being freshly mapped: those are followed from there on, others are not. */
void    verify_forget(struct verify *v, uint64_t addr, uint64_t len);
void    verify_forget_all(struct verify *v);             /* gives memory back; by the leader of a meeting only     */
void    verify_assume_fresh(struct verify_thread *t, uint64_t addr, uint64_t len, int prot);

/* ---- what came of it ---- */
void     verify_report(struct verify *v, enum verify_sin sin, uint64_t addr, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
uint64_t verify_violations(const struct verify *v);
uint64_t verify_checks(const struct verify *v);                         /* answers and values held against the model */
uint64_t verify_gp_waits(const struct verify *v);                       /* grace periods that calls waited for     */
enum verify_sin verify_first(const struct verify *v);
void     verify_print(struct verify *v, FILE *out);                     /* the violations, the threads' last calls */

#endif
