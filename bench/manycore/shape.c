/* SPDX-License-Identifier: MIT */
/*
 * shape.c - see shape.h. All cores run until the same virtual time, after a warm-up that is not counted. Logical cores
 * can be begun once in a process, so each run is a child that writes its result into a pipe.
 */
#include "bench/manycore/shape.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/prng.h"

#define WARM_PS (50000 * TURN_PS)
#define END_PS  (250000 * TURN_PS)
#define SEARCH_PS (100 * TURN_PS)                /* what a search's caller does                                     */
/*
 * The published counter is that of one page which each core maps and unmaps, again and again: an iteration adds to it
 * twice. On one core, where nothing is waited for, the published curve has 1.08 million iterations a second
 * (1.077 +- 0.02, read from its plot): 928 ns each, of which our two additions take 13.
 */
#define MAP_PS    (915 * TURN_PS)

struct trial {
	const struct turn_costs *costs;
	const struct reference *index;           /* NULL: the counter                                               */
	uint32_t readers, writers;
};

static struct trial trial;
static uint64_t counted;

static void count_one(void)
{
	counted += core_current->time >= WARM_PS;
}

/* Keys that no writer has: what disturbs is the structure. */
static void read_keys(void *arg)
{
	struct prng p = prng_seed(7, (uintptr_t)arg);

	while (core_current->time < END_PS) {
		core_current->time += SEARCH_PS;
		(void)trial.index->find(2 * (uint32_t)prng_below(&p, REFERENCE_KEYS / 2));
		count_one();
	}
}

/* Odd keys, every writer its own. */
static void write_keys(void *arg)
{
	struct prng p = prng_seed(8, (uintptr_t)arg);
	uint32_t who = (uint32_t)(uintptr_t)arg, each = REFERENCE_KEYS / 2 / trial.writers;

	while (core_current->time < END_PS) {
		uint32_t key = 2 * ((uint32_t)prng_below(&p, each) * trial.writers + who) + 1;

		trial.index->insert(key);
		trial.index->remove(key);
	}
}

static void map_and_unmap(void *arg)
{
	(void)arg;
	while (core_current->time < END_PS) {
		for (int i = 0; i < 2; i++) {
			core_current->time += MAP_PS / 2;
			reference_count();
		}
		count_one();
	}
}

static double try_it(void)
{
	uint32_t n = trial.readers + trial.writers;

	core_begin(n);
	if (trial.index != NULL)
		trial.index->setup();
	turn_begin(trial.costs);
	for (uint32_t i = 0; i < n; i++) {
		if (trial.index == NULL)
			core_give(i, map_and_unmap, NULL);
		else if (i < trial.readers)
			core_give(i, read_keys, (void *)(uintptr_t)i);
		else
			core_give(i, write_keys, (void *)(uintptr_t)(i - trial.readers));
	}
	CHECK(core_run() == 0);
	return (double)counted * 1e12 / (double)(END_PS - WARM_PS);
}

/* fn fills `bytes` of out, in a child; -EIO where that takes longer than cpu_s (0: no limit). */
static int in_child(int (*fn)(const void *arg, void *out), const void *arg, void *out, size_t bytes, unsigned cpu_s)
{
	int fd[2], status, err = 0;
	size_t got = 0;
	pid_t pid;

	fflush(NULL);
	if (pipe(fd) != 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (cpu_s > 0)
			(void)setrlimit(RLIMIT_CPU, &(struct rlimit){ cpu_s, cpu_s + 1 });
		err = fn(arg, out);
		for (ssize_t n; got < bytes; got += (size_t)n) {
			n = write(fd[1], (char *)out + got, bytes - got);
			if (n <= 0)
				_exit(127);
		}
		_exit(-err & 0x7f);
	}
	close(fd[1]);
	for (ssize_t n = 1; got < bytes && n > 0; got += n > 0 ? (size_t)n : 0)
		n = read(fd[0], (char *)out + got, bytes - got);
	close(fd[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || got != bytes)
		return -EIO;
	return -WEXITSTATUS(status);
}

static int trial_child(const void *arg, void *out)
{
	trial = *(const struct trial *)arg;
	*(double *)out = try_it();
	return 0;
}

static double run_trial(const struct trial *t)
{
	double rate = 0;

	CHECK(in_child(trial_child, t, &rate, sizeof(rate), 0) == 0);
	return rate;
}

double shape_index(const struct turn_costs *costs, const struct reference *index, uint32_t readers, uint32_t writers)
{
	return run_trial(&(struct trial){ costs, index, readers, writers });
}

double shape_counter(const struct turn_costs *costs, uint32_t cores)
{
	return run_trial(&(struct trial){ costs, NULL, cores, 0 });
}

static int measure_child(const void *arg, void *out)
{
	return measure(arg, out);
}

int shape_measure(const struct measure_params *p, struct measure_result *r, unsigned cpu_s)
{
	return in_child(measure_child, p, r, sizeof(*r), cpu_s);
}
