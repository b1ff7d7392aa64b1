/* SPDX-License-Identifier: MIT */
/* kernel_child.h - what parent and child of kernel.c share. */
#ifndef STRESS_ORACLE_KERNEL_CHILD_H
#define STRESS_ORACLE_KERNEL_CHILD_H

#include <semaphore.h>
#include "stress/oracle/kernel.h"

#define KERNEL_ROWS 40000u
#define KERNEL_TEXT (1u << 20)

enum ring_command { RING_RUN, RING_RESET, RING_EXIT };

struct ring {                                    /* MAP_SHARED; go and done hand it to and fro                     */
	sem_t go, done;
	enum ring_command command;
	int error;                               /* of the set-up and of listing                                   */
	bool no_brk, text_lists;
	char why[128];
	uint64_t lo, hi;
	int file[OBJECT_FILES];
	pid_t pid;                               /* who runs them                                                  */
	unsigned n, at, used;                    /* ops, the one that is run: by whoever goes on; rows in use      */
	struct op op[KERNEL_BATCH];
	int64_t result[KERNEL_BATCH];
	uint8_t list_after[KERNEL_BATCH];
	unsigned list_from[KERNEL_BATCH], list_count[KERNEL_BATCH];
	struct row row[KERNEL_ROWS];
	char text[KERNEL_TEXT];
};

_Noreturn void kernel_child(struct ring *ring);

#endif
