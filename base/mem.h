/* SPDX-License-Identifier: MIT */
/*
 * mem.h - memory for our own metadata, by purpose: counted, and failing on demand.
 *
 * libvmmap links no malloc: it calls a table of functions (default: libc's aligned_alloc and free). Each place that
 * asks for memory is a site (base/site.h): hence the macros, and the brackets around the names of what they wrap.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include "base/compiler.h"
#include "base/site.h"

enum mem_purpose { MEM_MAP, MEM_VMA, MEM_NODE, MEM_TABLE, MEM_FRAME, MEM_OBJECT, MEM_SLOT, MEM_OTHER, MEM_PURPOSES };

struct mem_functions {
	void *(*alloc)(size_t align, size_t bytes);      /* need not be zeroed                                     */
	void  (*free)(void *p, size_t bytes);
};
void mem_set_functions(const struct mem_functions *f);           /* before the first instance; NULL: default      */

/* Zeroed memory; align a power of two; NULL for want of memory or by order of mem_fail_nth. */
void *mem_alloc(enum mem_purpose purpose, size_t bytes, size_t align) MUST_CHECK;
#define mem_alloc(purpose, bytes, align) BASE_SITE(SITE_MEMORY, (mem_alloc)(purpose, bytes, align), NULL)
void  mem_free(enum mem_purpose purpose, void *p, size_t bytes);         /* p may be NULL                         */
/* Large, lazily backed (mmap): frame arrays, node slabs. Zeroed. */
void *mem_reserve(enum mem_purpose purpose, size_t bytes) MUST_CHECK;
#define mem_reserve(purpose, bytes) BASE_SITE(SITE_MEMORY, (mem_reserve)(purpose, bytes), NULL)
void  mem_unreserve(enum mem_purpose purpose, void *p, size_t bytes);
/* A part of what mem_reserve gave is zero again, and costs nothing; part: whole pages. */
void  mem_discard(void *p, size_t bytes);
/* Asks for huge pages behind a part of what mem_reserve gave; a hint. */
void  mem_want_huge(void *p, size_t bytes);

uint64_t mem_bytes(enum mem_purpose purpose);                    /* live, over all instances                       */
const char *mem_purpose_name(enum mem_purpose purpose);

/* The n-th allocation of the calling thread from now (1 = the next) fails, once; 0 disarms. True: it has fired. */
void mem_fail_nth(uint64_t n);
/* The same, and all after it until it is disarmed. */
void mem_fail_from(uint64_t n);
bool mem_fail_fired(void);

#endif
