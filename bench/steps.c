/* SPDX-License-Identifier: MIT */
/* steps.c - see steps.h. The child stops itself in front of the code and behind it. */
#include "bench/steps.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void traced(void (*fn)(void *arg), void *arg)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(1);
	raise(SIGSTOP);
	fn(arg);
	raise(SIGSTOP);
	_exit(0);
}

/* Waits until the child stops. Its signal; 0: it has ended. */
static int stopped(pid_t child)
{
	int status = 0;

	return waitpid(child, &status, 0) == child && WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

static uint64_t step_to_stop(pid_t child)
{
	uint64_t steps = 0;

	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0)
			return 0;
		switch (stopped(child)) {
		case SIGTRAP: steps++; break;
		case SIGSTOP: return steps;
		default: return 0;
		}
	}
}

uint64_t steps_count(void (*fn)(void *arg), void *arg)
{
	uint64_t steps = 0;
	pid_t child = fork();
	int status;

	if (child == 0)
		traced(fn, arg);
	if (child < 0)
		return 0;
	if (stopped(child) != SIGSTOP)
		return 0;                        /* it may not be traced: it has ended, and was waited for          */
	steps = step_to_stop(child);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return steps;
}
