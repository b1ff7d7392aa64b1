/* SPDX-License-Identifier: MIT */
/* net.c - see net.h. */
#include "bench/net.h"

#include "base/assert.h"
#include "base/prng.h"

#define LEAST_NS 0.2                             /* less is nothing that a clock can tell                           */
#define NOBODY   PAIRS_ARMS

static double net(const struct pairs_result *got, const unsigned *round, unsigned arm, unsigned loop)
{
	double v[NET_ROUNDS], ns;

	for (unsigned i = 0; i < got->pairs; i++) {
		const struct pairs_block *b = got->round[round[i]].block;

		v[i] = 1e9 / b[arm].rate - 1e9 / b[loop].rate;
	}
	ns = stats_median(v, got->pairs);
	return ns > LEAST_NS ? ns : LEAST_NS;
}

static struct stats_interval over_rounds(const struct pairs_result *got, unsigned a, unsigned b, unsigned loop)
{
	struct prng random = prng_seed(got->pairs, 8);
	double v[STATS_RESAMPLES], is = 0;
	unsigned round[NET_ROUNDS];

	CHECK(got->pairs <= NET_ROUNDS);
	for (unsigned r = 0; r <= STATS_RESAMPLES; r++) {
		for (unsigned i = 0; i < got->pairs; i++)
			round[i] = r < STATS_RESAMPLES ? (unsigned)prng_below(&random, got->pairs) : i;
		is = net(got, round, a, loop) / (b == NOBODY ? 1 : net(got, round, b, loop));
		if (r < STATS_RESAMPLES)
			v[r] = is;
	}
	return (struct stats_interval){ is, stats_quantile(v, STATS_RESAMPLES, 0.025),
					stats_quantile(v, STATS_RESAMPLES, 0.975) };
}

struct stats_interval net_ns(const struct pairs_result *got, unsigned a, unsigned loop)
{
	return over_rounds(got, a, NOBODY, loop);
}

struct stats_interval net_ratio(const struct pairs_result *got, unsigned a, unsigned b, unsigned loop)
{
	return over_rounds(got, a, b, loop);
}
