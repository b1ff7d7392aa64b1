/* SPDX-License-Identifier: MIT */
/* machine.h - what a result was measured on. No names of hosts, users or paths. */
#ifndef BASE_TOOL_MACHINE_H
#define BASE_TOOL_MACHINE_H

#include <stddef.h>
#include <stdint.h>
#include "base/tool/json.h"

struct machine {
	char cpu[96];                    /* "AMD EPYC", as the kernel names it                                       */
	char arch[16];                   /* "x86_64"                                                                 */
	unsigned cores;                  /* that this process may use                                                */
	uint64_t memory_bytes;
	char kernel[64];                 /* "Linux 6.18.1"                                                           */
	char compiler[64];               /* "gcc 12.2.0"                                                             */
	const char *build;               /* release, dev, asan, tsan, debug                                          */
};
void machine_read(struct machine *m);
/* "2 x AMD EPYC, 8 GiB, Linux 6.18.1, gcc 12.2.0, release build". Returns buf. */
char *machine_line(const struct machine *m, char *buf, size_t bytes);
/* Puts an object with the same facts under `key`. */
void machine_json(const struct machine *m, struct json *object, const char *key);

#endif
