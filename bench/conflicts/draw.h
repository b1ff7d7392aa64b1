/* SPDX-License-Identifier: MIT */
/* draw.h - arguments for a call of a kind, drawn with an eye on the layout: see suite.h. */
#ifndef BENCH_CONFLICTS_DRAW_H
#define BENCH_CONFLICTS_DRAW_H

#include "base/prng.h"
#include "bench/conflicts/ref.h"

struct draw {
	struct prng rng;
	const struct ref *layout;                /* after the set-up, unstretched                                  */
	bool heap;                               /* pages of the heap are named, too                               */
};

/* False: nothing to be done with this layout. core: 1, 2. */
bool draw_call(struct draw *d, unsigned kind, unsigned core, struct call *out);

#endif
