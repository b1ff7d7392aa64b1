/* SPDX-License-Identifier: MIT */
/* test_picture.c - pictures of a machine: each frame in the right cell, characters, gaps, names, images. */
#include <errno.h>
#include <unistd.h>

#include "bench/physmem/picture.h"
#include "tests/unit/physmem/fixture.h"

/* What the walk over the frames says, of one frame at a time. */
static unsigned state_of(uint64_t pfn)
{
	struct survey_counts one = { { 0 } };
	unsigned s = 0;

	survey_count(script.board.pm, pfn, 1, &one);
	while (one.n[s] == 0)
		s++;
	assert_int_equal(one.n[s], 1);
	return s;
}

static void compare(const struct picture *p)
{
	for (uint64_t i = 0; i < p->rows; i++)
		for (unsigned k = 0; k < p->columns; k++) {
			struct survey_counts sum = { { 0 } };

			for (uint64_t f = 0; f < p->cell; f++)
				sum.n[state_of(p->row[i].pfn + k * p->cell + f)]++;
			assert_memory_equal(&sum, &p->row[i].cell[k], sizeof(sum));
		}
}

static void each_frame_is_in_its_cell(void **state)
{
	static const uint64_t cells[] = { 0, 1, 8, 100, 512, 2048 };
	struct physmem_usage usage;
	struct picture p;

	(void)state;
	script_open();
	assert_int_equal(script_do("machine boot=4K+4M boot=8M+6000K limit=64M; plug 32M 12K odd;"
				   "plug 40M 4M m movable; alloc a 700; alloc b 3 order=5; alloc c order=9;"
				   "free a step=3; map s/h 3M; touch s/h; drop s/h step=3p; pin p s/h 1M step=7p"),
			 CLI_OK);
	physmem_get_usage(script.board.pm, &usage);
	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++) {
		picture_make(&p, &script.board, 32, cells[i]);
		compare(&p);
		assert_int_equal(p.all.n[SURVEY_PINNED], 37);            /* of 256 pages each seventh */
		assert_int_equal(p.all.n[PHYSMEM_MOVABLE] + p.all.n[SURVEY_PINNED] + p.all.n[PHYSMEM_UNMOVABLE],
				 usage.owned);
		assert_int_equal(p.all.n[PHYSMEM_FREE] + p.all.n[PHYSMEM_CACHED], usage.frames - usage.owned);
		assert_true(cells[i] != 0 || p.rows <= 32);
		picture_free(&p);
	}
	script_close();
}

static void characters(void **state)
{
	(void)state;
	script_open();
	assert_int_equal(script_do("machine memory=4M limit=64M; alloc a order=9; alloc b order=8; plug 32M 1M d;"
				   "plug 33M 1M; picture cell=128K"), CLI_OK);
	assert_string_equal(script_printed(),
		"a character is 128 KiB, a row 8 MiB; a small letter: some of it is free\n"
		"             0 |UUUUUUUUUUUUUUUUUUUUUUUU........                                | boot\n"
		"                (absent: 24 MiB)\n"
		"       2000000 |................                                                | d\n"
		"  .     free       3 MiB       anybody can have it\n"
		"  U u  unmovable  3 MiB       taken by name: stays where it is\n");
	script_close();
}

/* One frame of 16 is taken: a small letter. Of two states a cell shows the one that hinders more. */
static void small_letters(void **state)
{
	(void)state;
	script_open();
	assert_int_equal(script_do("machine memory=1M bytes=off; alloc a 2 order=2; free a 1; picture cell=64K"),
			 CLI_OK);
	assert_non_null(strstr(script_printed(), " 0 |u..............."));
	assert_int_equal(script_do("picture cell=1M"), CLI_OK);
	assert_non_null(strstr(script_printed(), " 0 |u "));
	script_close();
}

/* What is pinned hinders an unplug more than what can be moved. */
static void pins_are_seen(void **state)
{
	(void)state;
	script_open();
	assert_int_equal(script_do("machine memory=2M; map s/h 128K; touch s/h; pin p s/h 1p; picture cell=128K"),
			 CLI_OK);
	assert_non_null(strchr(script_printed(), 'P'));
	assert_null(strstr(script_printed(), "|M"));
	assert_non_null(strstr(script_printed(), "  P p  pinned     4 KiB "));
	script_close();
}

static void images(void **state)
{
	char dir[] = "/tmp/vmmap-picture-XXXXXX", command[128];

	(void)state;
	assert_non_null(mkdtemp(dir));
	script_open();
	assert_int_equal(script_do("machine; fails ENOENT picture no/where/a.svg"), CLI_OK);
	snprintf(command, sizeof(command), "picture %s/a.svg", dir);
	script_do(command);                                              /* the script is there without gnuplot */
	snprintf(command, sizeof(command), "%s/a.gp", dir);
	assert_int_equal(access(command, R_OK), 0);
	unlink(command);
	snprintf(command, sizeof(command), "%s/a.svg", dir);
	unlink(command);
	assert_int_equal(rmdir(dir), 0);
	script_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_frame_is_in_its_cell),
		cmocka_unit_test(characters),
		cmocka_unit_test(small_letters),
		cmocka_unit_test(pins_are_seen),
		cmocka_unit_test(images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
