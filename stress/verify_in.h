/* SPDX-License-Identifier: MIT */
/* verify_in.h - the inside of the verifier: for verify*.c only. */
#ifndef STRESS_VERIFY_IN_H
#define STRESS_VERIFY_IN_H

#include <pthread.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "stress/oplog.h"
#include "stress/profile.h"
#include "stress/shadow.h"
#include "stress/verify.h"

#define VERIFY_KEPT   8u                         /* violations kept with their text                                */
#define STAMP_BYTES   16u
#define CANARY_PAGES  8u
#define CANARY_BASE   (UINT64_C(3) << 40)
#define CANARY_APART  (UINT64_C(16) << 20)

struct verify_thread {
	struct verify *v;
	struct vmmap *vm;
	unsigned number;
	struct prng prng;
	uint64_t sequence;                       /* of this thread's stamps                                        */
	uint64_t checks, steps, canaries;
	int64_t holds;                           /* frames: verify_holds                                           */
	uint64_t canary;                         /* its address                                                    */
	bool alone;                              /* holds the claims' gate: "not mapped" is certain                */
	bool in_canary;
	struct oplog log;
	unsigned char page[VMMAP_PAGE_SIZE];     /* scratch                                                        */
} PAIR_ALIGNED;

struct verify_violation { enum verify_sin sin; uint64_t addr, ns; char text[200]; };

struct verify {
	struct verify_config config;
	struct shadow *shadow;
	struct vmmap *vm;
	struct physmem *pm;
	const struct profile *profile;
	unsigned map;                            /* number of the map in stamps: another for each attach           */
	uint64_t began;
	uint64_t gp_waits;                       /* grace periods waited for before the run, and by our own audits  */
	pthread_rwlock_t claims;                 /* shared: a claim runs; exclusive: none does                     */
	pthread_mutex_t lock;                    /* of what follows                                                */
	unsigned kept;
	struct verify_violation violation[VERIFY_KEPT];
	atomic_u64 violations;
	atomic_u32 planted;                      /* the sin has been committed                                     */
	uint64_t forgotten;                      /* the frame of the planted leak, given back in the end             */
	struct verify_thread *thread;
};

/* ---- verify_access.c: stamps ---- */
uint64_t stamp_word0(const struct verify *v, unsigned thread, uint64_t addr);
uint64_t stamp_word1(struct verify_thread *t, const struct shadow_page *page);
unsigned stamp_offset(unsigned thread);
/* What a fault or an access of `access` (PROT_*) at addr said, held against the page's word around it. */
struct verify_answer { uint64_t addr, before, after; int access; int err; int code; };
void verify_answer_check(struct verify_thread *t, const struct verify_answer *a);

/* ---- verify_calls.c ---- */
void verify_probe_ghost(struct verify_thread *t, uint64_t addr); /* nobody maps here: a load must fail              */

/* ---- verify_canary.c ---- */
void verify_canary(struct verify_thread *t);

#endif
