/* SPDX-License-Identifier: MIT */
/* fixture.h - a script, run over a machine of its own, and what it prints. */
#ifndef TESTS_UNIT_PHYSMEM_FIXTURE_H
#define TESTS_UNIT_PHYSMEM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/physmem/script.h"

static struct script script;
static char *printed;
static size_t printed_bytes;

static inline void script_open(void)
{
	memset(&script, 0, sizeof(script));
	script.name = "test";
	script.out = open_memstream(&printed, &printed_bytes);
	assert_non_null(script.out);
}

static inline int script_do(const char *text) { return script_run_text(&script, text); }

static inline const char *script_printed(void)
{
	fflush(script.out);
	return printed;
}

static inline void script_close(void)
{
	assert_int_equal(board_close(&script.board), 0);
	fclose(script.out);
	free(printed);
}

/* The same of a script alone. */
static inline int script_once(const char *text)
{
	int status;

	script_open();
	status = script_do(text);
	script_close();
	return status;
}

#endif
