/* SPDX-License-Identifier: MIT */
/* noise.c - see noise.h. */
#include "bench/noise.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>

uint64_t noise_steal(void)
{
	unsigned long long v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "r");
	int n = 0;

	if (f) {
		n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
			   &v[6], &v[7]);
		fclose(f);
	}
	return n == 8 ? v[7] : 0;
}

uint64_t noise_switches(void)
{
	struct rusage u;

	return getrusage(RUSAGE_THREAD, &u) == 0 ? (uint64_t)u.ru_nivcsw : 0;
}

unsigned noise_cpus(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}

/* The CPUs of the process as it started: a pinned thread would otherwise see only its own. */
static cpu_set_t allowed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void remember(void)
{
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) == 0) {
		CPU_ZERO(&allowed);
		CPU_SET(0, &allowed);
	}
}

void noise_pin(unsigned i)
{
	unsigned left;
	cpu_set_t one;

	pthread_once(&once, remember);
	left = i % (unsigned)CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || left--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		(void)pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
		return;
	}
}
