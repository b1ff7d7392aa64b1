/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - a kernel for logical cores.
 *
 * futex      sleeps and wakes cores; the check of the word and going to sleep are one step, as under the kernel's
 *            bucket lock. Other system calls go through.
 * membarrier nothing to do but to say so: one OS thread sees its own accesses in order. A scheduler that holds stores
 *            back lets them out when it is told.
 * threads    become cores that nobody waits for.
 * clock      virtual.
 * pthread_rwlock is not simulated: the policy `rwlock` cannot run on logical cores.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/atomic.h"
#include "bench/sim/core.h"
#include "bench/sim/kernel.h"

long __real_syscall(long number, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
long __real_sysconf(int name);
long __wrap_syscall(long number, ...);
int __wrap_sched_yield(void);
int __wrap_nanosleep(const struct timespec *want, struct timespec *left);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
long __wrap_sysconf(int name);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *arg), void *arg);
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *value));
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

static uint64_t ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * UINT64_C(1000000000) + (uint64_t)ts->tv_nsec;
}

/* ---- futex, membarrier ---- */

static long futex_wait(const atomic_u32 *word, uint32_t expected, const struct timespec *until)
{
	core_tell(CORE_CALL_WAIT, core_current, word);
	if (atomic_load_relaxed(word) != expected) {
		errno = EAGAIN;
		return -1;
	}
	core_sleep(CORE_FUTEX, word, until == NULL ? CORE_NEVER : ns_of(until));
	if (!core_current->timed_out)
		return 0;
	errno = ETIMEDOUT;
	return -1;
}

static long futex(const atomic_u32 *word, int op, uint32_t value, const struct timespec *until)
{
	switch (op & ~FUTEX_PRIVATE_FLAG) {
	case FUTEX_WAIT_BITSET:
		return futex_wait(word, value, until);
	case FUTEX_WAKE:
		core_tell(CORE_CALL_WAKE, core_current, word);
		return core_wake(word, value);
	default:
		CHECK(false);
	}
	return -1;
}

long __wrap_syscall(long number, ...)
{
	long arg[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_futex)
		return futex((const atomic_u32 *)arg[0], (int)arg[1], (uint32_t)arg[2],
			     (const struct timespec *)arg[3]);
	if (number == SYS_membarrier) {
		if (arg[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED)
			core_tell(CORE_CALL_BARRIER, core_current, NULL);
		return 0;
	}
	return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* ---- time ---- */

int __wrap_sched_yield(void)
{
	core_tell(CORE_CALL_YIELD, core_current, NULL);
	core_yield();
	return 0;
}

int __wrap_nanosleep(const struct timespec *want, struct timespec *left)
{
	(void)left;
	core_tell(CORE_CALL_NAP, core_current, NULL);
	core_sleep(CORE_NAP, NULL, core_now() + ns_of(want));
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	uint64_t now = core_now();

	(void)clock;
	ts->tv_sec = (time_t)(now / 1000000000);
	ts->tv_nsec = (long)(now % 1000000000);
	return 0;
}

uint64_t kernel_real_ns(void)
{
	struct timespec ts;

	__real_clock_gettime(CLOCK_MONOTONIC, &ts);
	return ns_of(&ts);
}

uint64_t kernel_cpu_ns(void)
{
	struct timespec ts;

	__real_clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ns_of(&ts);
}

long __wrap_sysconf(int name)
{
	return name == _SC_NPROCESSORS_ONLN ? kernel_cpus : __real_sysconf(name);
}

/* ---- addresses ---- */

void kernel_same_addresses(char **argv)
{
	int now = personality(0xffffffff);

	if (now == -1 || (now & ADDR_NO_RANDOMIZE) != 0 ||
	    personality((unsigned long)now | ADDR_NO_RANDOMIZE) == -1)
		return;
	(void)execv("/proc/self/exe", argv);     /* where that fails, this run goes on, with addresses of its own */
}

/* ---- threads ---- */

/* Of each core that is one. Not given back when it has begun: a run that is undone begins it again. */
static struct start { void *(*fn)(void *arg); void *arg; } starts[CORE_MAX];

static void begin_thread(void *arg)
{
	const struct start *start = &starts[core_current->number];

	(void)arg;
	start->fn(start->arg);
	kernel_thread_exit();
}

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *arg), void *arg)
{
	struct core *core = core_spawn(begin_thread, NULL);

	(void)attr;
	*id = 0;
	if (core == NULL)
		return EAGAIN;
	starts[core->number] = (struct start){ fn, arg };
	return 0;
}

static void (*exit_handler)(void *value);

/* The library has one key; what else is linked dynamically makes its own behind our back. */
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *value))
{
	CHECK(exit_handler == NULL);
	exit_handler = destructor;
	*key = 0;
	return 0;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	(void)key;
	core_current->exit_value = (void *)(uintptr_t)value;
	return 0;
}

void kernel_thread_exit(void)
{
	void *value;

	while ((value = core_current->exit_value) != NULL) {
		core_current->exit_value = NULL;
		exit_handler(value);
	}
}

/* ---- fork ---- */

static void (*fork_prepare)(void), (*fork_child)(void);

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	CHECK(fork_prepare == NULL);             /* the library's; what is linked dynamically has its own          */
	(void)parent;
	fork_prepare = prepare;
	fork_child = child;
	return 0;
}

void kernel_fork(void)
{
	struct core *self = core_current;

	self->forks = true;
	fork_prepare();
	self->forks = false;
	core_lose_others();
	fork_child();
}
