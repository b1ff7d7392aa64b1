/* SPDX-License-Identifier: MIT */
/* point_none.c - the face of point.c in builds without test points: nothing is there, nothing happens. */
#include "base/point.h"

#ifndef VMMAP_POINTS

#include <errno.h>

bool point_available(void)
{
	return false;
}

int point_mutant_select(const char *name)
{
	return name == NULL ? 0 : -ENOENT;
}

void point_yield(uint32_t one_in, uint64_t seed)
{
	(void)one_in, (void)seed;
}

void point_doze(uint32_t one_in)
{
	(void)one_in;
}

void point_role(const char *role)
{
	(void)role;
}

int point_stop(const char *role, const char *at, const char *until_role, const char *until_point)
{
	return point_stop_nth(role, at, until_role, until_point, 1);
}

int point_stop_nth(const char *role, const char *at, const char *until_role, const char *until_point, uint32_t n)
{
	(void)role;
	(void)at;
	(void)until_role;
	(void)until_point;
	(void)n;
	return -ENOENT;
}

int point_call(const char *role, const char *at, void (*fn)(void *arg), void *arg)
{
	(void)role;
	(void)at;
	(void)fn;
	(void)arg;
	return -ENOENT;
}

bool point_wait_reached(const char *role, const char *at, uint64_t timeout_ns)
{
	(void)role;
	(void)at;
	(void)timeout_ns;
	return false;
}

void point_release(const char *role, const char *at)
{
	(void)role;
	(void)at;
}

void point_reset(void)
{
}

uint64_t point_timeouts(void)
{
	return 0;
}

uint64_t point_hits(const char *name)
{
	(void)name;
	return UINT64_MAX;
}

void point_fork_prepare(void)
{
}

void point_fork_done(void)
{
}

void point_list(FILE *out)
{
	fprintf(out, "no points in this build\n");
}

#endif
