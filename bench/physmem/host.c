/* SPDX-License-Identifier: MIT */
/* host.c - see host.h. */
#include "bench/physmem/host.h"

#include <string.h>

#include "bench/physmem/board.h"

#define WORD 64u                                 /* bytes of each page that it writes                              */

static void use(struct host *host, uint64_t pfn, uint64_t frames)
{
	for (uint64_t i = 0; host->bytes && i < frames; i++)
		memset(physmem_frame_bytes(host->pm, pfn + i), 0xdd, WORD);
}

void host_tell(void *arg, struct physmem_told *told, unsigned n)
{
	struct host *host = arg;

	for (unsigned i = 0; i < n; i++) {
		told[i].verdict = host->verdict;
		if (host->verdict == PHYSMEM_ACCEPTED)
			use(host, told[i].pfn, UINT64_C(1) << told[i].order);
	}
}

/* What it gives back has other contents than it took. */
void host_untell(void *arg, const struct physmem_told *told, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		use(arg, told[i].pfn, UINT64_C(1) << told[i].order);
}
