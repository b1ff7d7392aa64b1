/* SPDX-License-Identifier: MIT */
/* budget.c - see budget.h. */
#include "bench/manycore/budget.h"

#include <errno.h>
#include <stdlib.h>
#include "base/compiler.h"
#include "bench/manycore/shape.h"

#define TRIAL_FIRST 1u
#define TRIAL_GROWS 4u
#define TRIAL_PART  20                           /* of the budget                                                   */
#define WARM_LEAST  3                            /* blocks of a quarter: fewer are never steady                     */
#define FLOOR       100u                         /* operations a core with which a point is whole                   */

struct price { double set_up, op; };             /* seconds; op: one of each core                                   */

/* Sets o->m.ops to what the last trial had, if the next one takes too long. */
static int try_it(struct options *o, struct price *price)
{
	struct measure_params p = o->m;
	struct measure_result *r = malloc(sizeof(*r));
	int err = r != NULL ? 0 : -ENOMEM;

	p.warm_most = 0;
	for (p.ops = TRIAL_FIRST; !err; p.ops *= TRIAL_GROWS) {
		err = shape_measure(&p, r, (unsigned)o->seconds + 1);
		if (err == -EIO && p.ops > TRIAL_FIRST) {
			o->m.ops = p.ops / TRIAL_GROWS;
			err = 0;
			break;
		}
		*price = (struct price){ r->set_up_cpu_s, r->cpu_s / r->ops };
		if (r->cpu_s >= o->seconds / TRIAL_PART || p.ops * TRIAL_GROWS > o->m.ops)
			break;
	}
	free(r);
	return err;
}

static double cost(const struct price *price, uint64_t ops, unsigned blocks)
{
	return price->set_up + price->op * (double)ops * (1 + blocks / 4.0);
}

/* Blocks of warm-up that the budget has room for, beside the window. */
static unsigned blocks_for(const struct options *o, const struct price *price, unsigned least)
{
	unsigned n = least;

	while (n < o->m.warm_most && cost(price, o->m.ops, n + 1) <= o->seconds)
		n++;
	return n;
}

static const uint64_t fewer[] = { 5000, 2000, 1000, 500, 200, 100, 50, 20, 10 };

static unsigned least_warm(uint64_t ops)
{
	return ops < FLOOR ? 1 : WARM_LEAST;
}

bool budget_less(struct options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(fewer); i++)
		if (fewer[i] * 3 < o->m.ops) {
			o->m.ops = fewer[i];
			o->m.warm_most = least_warm(o->m.ops);
			return true;
		}
	return false;
}

int budget_fit(struct options *o)
{
	struct price price = { 0 };
	unsigned least = WARM_LEAST;
	int err = try_it(o, &price);

	if (err)
		return err == -EIO ? -E2BIG : err;
	for (size_t i = 0; i < ARRAY_SIZE(fewer) && cost(&price, o->m.ops, least) > o->seconds; i++)
		if (fewer[i] < o->m.ops) {
			o->m.ops = fewer[i];
			least = least_warm(o->m.ops);
		}
	o->m.warm_most = blocks_for(o, &price, least);
	return 0;
}
