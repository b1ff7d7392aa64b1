/* SPDX-License-Identifier: MIT */
/* hist.c - merging and reading histograms. */
#include <math.h>
#include <string.h>
#include "base/tool/hist.h"

uint64_t hist_bucket_top(uint32_t bucket)
{
	uint32_t e, sub;

	if (bucket < HIST_SUB)
		return bucket;
	e = bucket / HIST_SUB - 1;               /* width of the bucket is 2^e */
	sub = bucket % HIST_SUB;
	return ((uint64_t)(HIST_SUB + sub) << e) + ((UINT64_C(1) << e) - 1);
}

void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void hist_merge(struct hist *into, const struct hist *from)
{
	into->count += from->count;
	into->sum += from->sum;
	into->max = from->max > into->max ? from->max : into->max;
	for (uint32_t i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
	uint64_t want = (uint64_t)ceil((double)h->count * percent / 100.0);
	uint64_t seen = 0;

	if (h->count == 0)
		return 0;
	if (want == 0)
		want = 1;
	if (want > h->count)
		want = h->count;
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= want)
			return hist_bucket_top(i) < h->max ? hist_bucket_top(i) : h->max;
	}
	return h->max;
}

double hist_mean(const struct hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0.0;
}
