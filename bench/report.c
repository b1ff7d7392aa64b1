/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. */
#include "bench/report.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/tool/cli.h"
#include "base/tool/machine.h"

static bool on_terminal(void)
{
	static int known;

	if (!known)
		known = isatty(STDERR_FILENO) ? 1 : 2;
	return known == 1;
}

void report_progress(const char *fmt, ...)
{
	va_list args;

	if (!on_terminal())
		return;
	va_start(args, fmt);
	fputs("\r\033[K", stderr);
	vfprintf(stderr, fmt, args);
	fflush(stderr);
	va_end(args);
}

void report_progress_end(void)
{
	if (on_terminal())
		fputs("\r\033[K", stderr);
}

void report_pairs(void *ctx, unsigned done, unsigned pairs)
{
	report_progress("%s: %u of %u", (const char *)ctx, done, pairs);
	if (done >= pairs)
		report_progress_end();
}

FILE *report_text(const char *json)
{
	return json && strcmp(json, "-") == 0 ? stderr : stdout;
}

const char *report_machine(void)
{
	static char line[256];
	struct machine m;

	if (!line[0]) {
		machine_read(&m);
		machine_line(&m, line, sizeof(line));
	}
	return line;
}

struct json *report_begin(const char *command)
{
	struct json *object = json_object();
	struct machine m;

	machine_read(&m);
	json_text(object, "command", command);
	machine_json(&m, object, "machine");
	return object;
}

int report_end(struct json *object, const char *json)
{
	int err = json ? json_write(object, json) : 0;

	if (err)
		cli_complain("give a path that can be written, or '-' for standard output",
			     "--json: cannot write '%s': %s", json, strerror(-err));
	json_free(object);
	return err ? CLI_USAGE : CLI_OK;
}

void report_interval(struct json *object, const char *key, struct stats_interval i)
{
	json_real(object, key, i.median);
	json_real(object, "lo", i.lo);
	json_real(object, "hi", i.hi);
}
