/* SPDX-License-Identifier: MIT */
/* stage.h - where the pitfalls are played: calls in pages from a region's start, on the engine or on the kernel. */
#ifndef TESTS_ORACLE_STAGE_H
#define TESTS_ORACLE_STAGE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "stress/oracle/party.h"

#define LO    UINT64_C(0x10000000)
#define PAGES 2048u
#define R     PROT_READ
#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define MOVE  (MREMAP_MAYMOVE | MREMAP_FIXED)
#define ANYWHERE UINT64_MAX                      /* as a page: no address                                          */

int64_t run(struct op op);
uint64_t at(uint64_t page);                      /* its address                                                    */
/* These return a page, 0, or -errno. */
int64_t map_file(uint64_t page, uint64_t n, int prot, int flags, uint8_t object, uint64_t offset);
int64_t map(uint64_t page, uint64_t n, int prot, int flags);     /* private anonymous                               */
int64_t fixed(uint64_t page, uint64_t n, int prot);
int64_t unmap(uint64_t page, uint64_t n);
int64_t protect(uint64_t page, uint64_t n, int prot);
int64_t advise(uint64_t page, uint64_t n, int advice);
int64_t remap(uint64_t page, uint64_t n, uint64_t new_n, int flags, uint64_t to);
int64_t brk_to(uint64_t bytes);                  /* bytes from the region's start                                  */
void write_pages(uint64_t page, uint64_t n);     /* page p gets 1000 + p                                           */
int64_t read_page(uint64_t page);
void is(const char *want);                       /* the map must be this: "0-4 rw-p, 4-6 r--p"                     */

int stage_reset(void **state);                   /* cmocka's set-up of one row                                     */
/* Runs the rows on the engine under every policy, or, with the argument "kernel", on the running kernel. */
int stage_main(int argc, char **argv, const struct CMUnitTest *rows, size_t n);

#endif
