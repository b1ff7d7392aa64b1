/* SPDX-License-Identifier: MIT */
/*
 * host.h - the host of a script's machine: says what it has been told to say, and uses what it is given.
 *
 * What it accepts it overwrites, so that memory which was in use all the same shows in the next verify.
 */
#ifndef BENCH_PHYSMEM_HOST_H
#define BENCH_PHYSMEM_HOST_H

#include <stdbool.h>
#include <vmmap/physmem_host.h>

struct host {
	struct physmem *pm;
	bool bytes;                              /* frames have contents                                           */
	enum physmem_verdict verdict;
};

/* physmem_report_config.tell, and physmem_balloon_config.inflate; arg: a struct host. */
void host_tell(void *arg, struct physmem_told *told, unsigned n);
/* physmem_balloon_config.deflate. */
void host_untell(void *arg, const struct physmem_told *told, unsigned n);

#endif
