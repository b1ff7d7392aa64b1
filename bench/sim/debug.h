/* SPDX-License-Identifier: MIT */
/*
 * debug.h - what the compiler has written down about this program (DWARF, read by elfutils' libdw): the fields of the
 * engine's structs, its variables, and which line of which function a code address is. So no table of fields has to
 * follow the engine by hand, and types that a .c file keeps to itself are known as well.
 *
 * Everything is read at the first question, which takes about 0.1 s. Names are the engine's own.
 */
#ifndef BENCH_SIM_DEBUG_H
#define BENCH_SIM_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debug_type;                               /* a struct                                                       */

/* NULL: no struct of this name is defined anywhere in the program. */
const struct debug_type *debug_struct(const char *name);
const char *debug_name(const struct debug_type *type);
size_t debug_bytes(const struct debug_type *type);
/* ".field", ".field[].inner": what stands at this offset, without indices. NULL: padding, or beyond the end. */
const char *debug_field(const struct debug_type *type, size_t offset);
/* Writes "file.c:variable.field" for an address in a static or thread-local variable, "constants" where there is no
 * name but the bytes are constant. False: neither. */
bool debug_variable(uintptr_t at, char *out, size_t room);
/* "function file:line" for the access before this return address: of inlined helpers in base/, where they were used.
 * "?" where nothing is known. The text stays valid. */
const char *debug_location(const void *pc);
/* The file, from the repository's root, the line and the column that this code was compiled from, be it inlined or not.
 * NULL: unknown. */
const char *debug_line(const void *pc, int *line, int *column);

#endif
