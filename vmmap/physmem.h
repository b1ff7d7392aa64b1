/* SPDX-License-Identifier: MIT */
/*
 * physmem.h - physical memory: frames, in an instance that several maps may share.
 */
#ifndef VMMAP_PHYSMEM_H
#define VMMAP_PHYSMEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)      /* the library is compiled with hidden visibility */

struct physmem;

struct physmem_range { uint64_t pfn, pages; };

struct physmem_config {                          /* start from PHYSMEM_CONFIG; 0 / NULL = the default              */
	size_t size;                             /* sizeof(struct physmem_config)                                  */
	const struct physmem_range *segments;    /* boot segments, ascending, disjoint; NULL: `pages` from pfn 0   */
	unsigned nsegments;
	uint64_t pages;                          /* default 2^18 = 1 GiB                                           */
	int bytes;                               /* 1: frames have contents (checked accesses); 0: metadata only   */
};
#define PHYSMEM_CONFIG { sizeof(struct physmem_config), NULL, 0, 0, 0 }

int  physmem_create(struct physmem **out, const struct physmem_config *config);  /* -EINVAL -ENOMEM            */
void physmem_destroy(struct physmem *pm);        /* every frame must be free: aborts in dev builds otherwise       */

#define PHYSMEM_NONE UINT64_MAX
uint64_t physmem_frame_alloc(struct physmem *pm);                /* pfn, or PHYSMEM_NONE; contents undefined       */
int      physmem_frame_free(struct physmem *pm, uint64_t pfn);   /* -EINVAL: foreign, double                       */
void    *physmem_frame_bytes(struct physmem *pm, uint64_t pfn);  /* NULL when metadata only                        */

struct physmem_usage {
	uint64_t frames;                         /* in all segments                                                */
	uint64_t free;                           /* in the depot                                                   */
	uint64_t cached;                         /* in per-slot caches                                             */
	uint64_t deferred;                       /* freed, waiting for readers (the TLB shootdown's stand-in)      */
	uint64_t owned;                          /* frames - free - cached - deferred                              */
};
void physmem_get_usage(struct physmem *pm, struct physmem_usage *out);   /* exact when quiescent                   */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
