/* SPDX-License-Identifier: MIT */
/*
 * scene.h - set-ups: up to four calls by core 0 that build a layout. Enumerated: a shape (which pages, in which pieces,
 * cut and pierced how) x what its pieces are made of x which pages have been touched, and when x where the break is;
 * each resulting state once.
 */
#ifndef BENCH_CONFLICTS_SCENE_H
#define BENCH_CONFLICTS_SCENE_H

#include <stddef.h>

#include "bench/conflicts/ref.h"

#define SCENE_CALLS 4u

struct scene { struct call call[SCENE_CALLS]; uint8_t n; };

struct scenes {
	struct scene *scene;
	size_t n, heaps;                         /* those from n - heaps on have a heap                            */
};

/* -ENOMEM. The same list, in the same order, each time. */
int  scenes_make(struct scenes *out);
void scenes_free(struct scenes *s);

/* Runs it on a fresh map. False: one of its calls fails. */
bool scene_run(struct ref *r, const struct scene *scene, const struct stretch *stretch);
/* What a mapping of backing i is made of: prot, shared, object, alias; false past the last. */
bool scene_backing(unsigned i, struct call *out);

#endif
