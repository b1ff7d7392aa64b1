/* SPDX-License-Identifier: MIT */
/* machine.c - reads it from the system and from the compiler's own macros. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/tool/machine.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#if defined(__SANITIZE_THREAD__)
#define BUILD "tsan"
#elif defined(__SANITIZE_ADDRESS__)
#define BUILD "asan"
#elif defined(VMMAP_ASSERTS)
#define BUILD "dev"
#elif defined(NDEBUG) && defined(__OPTIMIZE__)
#define BUILD "release"
#else
#define BUILD "debug"
#endif

static void read_cpu(char *to, size_t bytes)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(to, bytes, "unknown CPU");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *value = strchr(line, ':');

		if (value == NULL || strncmp(line, "model name", 10) != 0)
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = 0;
		snprintf(to, bytes, "%s", value);
		break;
	}
	if (f != NULL)
		fclose(f);
}

static unsigned usable_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

void machine_read(struct machine *m)
{
	struct utsname u;
	int words;

	memset(m, 0, sizeof(*m));
	read_cpu(m->cpu, sizeof(m->cpu));
	m->cores = usable_cores();
	m->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	if (uname(&u) == 0) {
		/* The release may carry a local suffix after the version: leave that out. */
		words = (int)strspn(u.release, "0123456789.");
		snprintf(m->kernel, sizeof(m->kernel), "%.16s %.*s", u.sysname, words < 40 ? words : 40, u.release);
		snprintf(m->arch, sizeof(m->arch), "%.15s", u.machine);
	}
	snprintf(m->compiler, sizeof(m->compiler), "%.63s", COMPILER);
	m->compiler[strcspn(m->compiler, "(")] = 0;
	while (m->compiler[0] && m->compiler[strlen(m->compiler) - 1] == ' ')
		m->compiler[strlen(m->compiler) - 1] = 0;
	m->build = BUILD;
}

char *machine_line(const struct machine *m, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "%u x %s, %.0f GiB, %s, %s, %s build", m->cores, m->cpu,
		 (double)m->memory_bytes / (1 << 30), m->kernel, m->compiler, m->build);
	return buf;
}

void machine_json(const struct machine *m, struct json *object, const char *key)
{
	struct json *o = json_sub(object, key);

	json_text(o, "cpu", m->cpu);
	json_text(o, "arch", m->arch);
	json_uint(o, "cores", m->cores);
	json_uint(o, "memory_bytes", m->memory_bytes);
	json_text(o, "kernel", m->kernel);
	json_text(o, "compiler", m->compiler);
	json_text(o, "build", m->build);
}
