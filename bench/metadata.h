/* SPDX-License-Identifier: MIT */
/* metadata.h - bytes per VMA, for the command and for `bars`. */
#ifndef BENCH_METADATA_H
#define BENCH_METADATA_H

#include <stdint.h>

struct metadata_row { uint64_t vmas; double bytes_per_vma, rss_per_vma; };

/* Maps `vmas` VMAs one by one, looks, unmaps them one by one, audits; in a process of its own, so that what was mapped
 * before does not hide in its size. 0; -EPROTO: a call failed or the audit did (said on stderr); another errno. */
int metadata_measure(const char *policy, uint64_t vmas, struct metadata_row *row);

#endif
