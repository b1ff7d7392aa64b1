/* SPDX-License-Identifier: MIT */
/* test_frame_bytes.c - contents: every offset and length, and racing copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/unit/phys/crew.h"
#include "tests/unit/phys/outside.h"

static struct physmem *pm;
static uint64_t frame;

static int setup(void **state)
{
	struct physmem_config config = PHYSMEM_CONFIG;

	(void)state;
	config.pages = 64;
	config.bytes = 1;
	if (physmem_create(&pm, &config))
		return -1;
	frame = physmem_frame_alloc(pm);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	physmem_frame_free(pm, frame);
	physmem_destroy(pm);
	return 0;
}

static void test_every_edge(void **state)
{
	unsigned char *bytes = physmem_frame_bytes(pm, frame), in[64], out[64];

	(void)state;
	assert_true(frame_has_bytes(pm));
	for (unsigned offset = 0; offset < 24; offset++) {
		for (unsigned len = 0; len <= 40; len++) {
			frame_zero(pm, frame);
			for (unsigned i = 0; i < 64; i++)
				in[i] = (unsigned char)(offset + len + i + 1);
			frame_write(pm, frame, offset, in + (len & 7), len);
			for (unsigned i = 0; i < 80; i++) {
				bool inside = i >= offset && i < offset + len;

				assert_int_equal(bytes[i], inside ? in[(len & 7) + i - offset] : 0);
			}
			memset(out, 0xee, sizeof(out));
			frame_read(pm, frame, offset, out + (len & 3), len);
			assert_memory_equal(out + (len & 3), bytes + offset, len);
			assert_int_equal(out[(len & 3) + len], 0xee);
		}
	}
}

static void test_page_end_and_copy(void **state)
{
	uint64_t other = physmem_frame_alloc(pm);
	unsigned char whole[4096], back[4096];

	(void)state;
	for (unsigned i = 0; i < sizeof(whole); i++)
		whole[i] = (unsigned char)(i * 7 + (i >> 8));
	frame_write(pm, frame, 0, whole, sizeof(whole));
	frame_write(pm, frame, 4093, "end", 3);
	memcpy(whole + 4093, "end", 3);
	frame_copy(pm, other, frame);
	frame_read(pm, other, 0, back, sizeof(back));
	assert_memory_equal(back, whole, sizeof(whole));
	frame_zero(pm, other);
	frame_read(pm, other, 0, back, sizeof(back));
	for (unsigned i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], 0);
	assert_int_equal(physmem_frame_free(pm, other), 0);
}

static void test_metadata_only_does_nothing(void **state)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	unsigned char buffer[8] = "unseen!";
	struct physmem *meta;
	uint64_t pfn;

	(void)state;
	config.pages = 64;
	assert_int_equal(physmem_create(&meta, &config), 0);
	pfn = physmem_frame_alloc(meta);
	assert_false(frame_has_bytes(meta));
	assert_null(physmem_frame_bytes(meta, pfn));
	frame_zero(meta, pfn);
	frame_write(meta, pfn, 0, "other", 5);
	frame_read(meta, pfn, 0, buffer, 7);
	assert_memory_equal(buffer, "unseen!", 7);
	assert_int_equal(physmem_frame_free(meta, pfn), 0);
	physmem_destroy(meta);
}

struct racer {
	uint64_t pattern, torn;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	uint64_t in[64], out[64];

	for (int i = 0; i < 64; i++)
		in[i] = r->pattern;
	for (int round = 0; round < 5000; round++) {
		frame_write(pm, frame, 0, in, sizeof(in));
		frame_read(pm, frame, 0, out, sizeof(out));
		for (int i = 0; i < 64; i++)
			r->torn += out[i] != UINT64_C(0x1111111111111111) && out[i] != UINT64_C(0x2222222222222222);
	}
	return NULL;
}

/* Aligned words are never torn; ThreadSanitizer sees no race. */
static void test_racing_copies(void **state)
{
	struct racer r[2] = { { UINT64_C(0x1111111111111111), 0 }, { UINT64_C(0x2222222222222222), 0 } };

	(void)state;
	crew_run(2, race, r, sizeof(r[0]));
	assert_int_equal(r[0].torn + r[1].torn, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_edge),
		cmocka_unit_test(test_page_end_and_copy),
		cmocka_unit_test(test_metadata_only_does_nothing),
		cmocka_unit_test(test_racing_copies),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
