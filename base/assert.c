/* SPDX-License-Identifier: MIT */
/* assert.c - says what failed, in one write, and aborts. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/assert.h"

_Noreturn void assert_failed(const char *what, const char *file, int line, const char *fmt, ...)
{
	char text[512], why[256];
	va_list args;
	int n;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	n = snprintf(text, sizeof(text), "vmmap: %s:%d: check failed: %s%s%s\n", file, line, what,
		     why[0] ? ": " : "", why);
	if (n > (int)sizeof(text) - 1)
		n = (int)sizeof(text) - 1;
	/* Not stdio: its lock may be held by the thread that failed. A lost message must not hide the abort. */
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		abort();
	abort();
}
