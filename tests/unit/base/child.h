/* SPDX-License-Identifier: MIT */
/*
 * child.h - a forked process for tests: runs a function and tells what became of it.
 *
 * The function returns 0 or the line that failed: cmocka's asserts belong to the parent. A child that hangs is ended by
 * its alarm, sooner while a mutant is chosen (then a hang is what the test waits for).
 */
#ifndef TESTS_UNIT_BASE_CHILD_H
#define TESTS_UNIT_BASE_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/compiler.h"

#define CHILD_EXPECT(x) do { \
	if (!(x)) { fprintf(stderr, "child, line %d: %s\n", __LINE__, #x); return 1; } } while (0)

/* Its exit code, or -(the signal that ended it). */
static inline int child_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/*
 * ThreadSanitizer (gcc 12) knows the parent's threads in the child too: it ends it when a new thread gets the stack of
 * one of them, and at _exit it misses joins that are the parent's. There a child ends at once, without _exit: what is
 * tested is the parent's half.
 */
#if BUILT_WITH_TSAN
#define CHILD_RUNS 0
#else
#define CHILD_RUNS 1
#endif

static inline void child_be(int (*fn)(void *arg), void *arg)
{
	if (!CHILD_RUNS)
		syscall(SYS_exit_group, 0);
	alarm(getenv("VMMAP_MUTANT") ? 3 : 120);
	_exit(fn(arg));
}

/* fn in a child of this process. */
static inline int child_run(int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0)
		child_be(fn, arg);
	return child_status(pid);
}

/* AddressSanitizer's allocator (gcc 12) takes no lock over a fork: where another thread was allocating, the child waits
 * for it for ever. Tests that fork beside threads which allocate are left out there. */
#if defined(__SANITIZE_ADDRESS__)
#define CHILD_BESIDE_ALLOCATIONS 0
#else
#define CHILD_BESIDE_ALLOCATIONS 1
#endif

#endif
