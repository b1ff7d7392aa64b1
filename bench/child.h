/* SPDX-License-Identifier: MIT */
/*
 * child.h - another program, or this one again, and what it says on its standard output.
 *
 * By posix_spawn, not fork: the measuring process is large and has threads, and what comes next is another program.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct child { FILE *out; pid_t pid; };

/* Path of this program with `suffix` appended ("" = itself). 0; -ENOENT: cannot be run. */
int child_path(const char *suffix, char *path, size_t bytes);
/* 0 or -errno. argv ends with NULL. */
int child_start(struct child *child, const char *path, char *const argv[]);
/* Its exit code; -EIO: it did not exit by itself. */
int child_end(struct child *child);

#endif
