/* SPDX-License-Identifier: MIT */
/* stage.c - see stage.h. */
#include "tests/oracle/stage.h"

static struct party party;
static struct engine engine;
static struct kernel *kernel;
static const char *policy;

int64_t run(struct op op)
{
	int64_t result;

	assert_int_equal(party.run(party.self, &op, &result), 0);
	return result;
}

uint64_t at(uint64_t page) { return LO + page * PAGE; }

/* An address in pages from the region's start, or -errno. */
static int64_t page_of(int64_t result) { return result < 0 ? result : (result - (int64_t)LO) / (int64_t)PAGE; }

int64_t map_file(uint64_t page, uint64_t n, int prot, int flags, uint8_t object, uint64_t offset)
{
	return page_of(run((struct op){.call = OP_MMAP,
				       .addr = page == UINT64_MAX ? 0 : at(page),
				       .len = n * PAGE,
				       .prot = prot,
				       .flags = flags,
				       .object = object,
				       .offset = offset * PAGE}));
}

int64_t map(uint64_t page, uint64_t n, int prot, int flags)
{
	return map_file(page, n, prot, flags | ANON, OBJECT_NONE, 0);
}

int64_t fixed(uint64_t page, uint64_t n, int prot) { return map(page, n, prot, MAP_FIXED); }

int64_t unmap(uint64_t page, uint64_t n)
{
	return run((struct op){ .call = OP_MUNMAP, .addr = at(page), .len = n * PAGE });
}

int64_t protect(uint64_t page, uint64_t n, int prot)
{
	return run((struct op){ .call = OP_MPROTECT, .addr = at(page), .len = n * PAGE, .prot = prot });
}

int64_t advise(uint64_t page, uint64_t n, int advice)
{
	return run((struct op){ .call = OP_MADVISE, .addr = at(page), .len = n * PAGE, .advice = advice });
}

int64_t remap(uint64_t page, uint64_t n, uint64_t new_n, int flags, uint64_t to)
{
	return page_of(run((struct op){ .call = OP_MREMAP, .addr = at(page), .len = n * PAGE, .new_len = new_n * PAGE,
					.flags = flags, .new_addr = at(to) }));
}

void write_pages(uint64_t page, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(
			run((struct op){.call = OP_WRITE, .addr = at(page + i), .value = 1000 + page + i}), 0);
}

int64_t read_page(uint64_t page) { return run((struct op){ .call = OP_READ, .addr = at(page) }); }

int64_t brk_to(uint64_t bytes) { return run((struct op){ .call = OP_BRK, .addr = LO + bytes }) - (int64_t)LO; }

/* The map must be this. */
void is(const char *want)
{
	static struct row rows[PAGES];
	static char have[4096];
	int n = party.list(party.self, rows, PAGES);
	size_t used = 0;

	have[0] = 0;
	for (int i = 0; i < n && used < sizeof(have) - 64; i++)
		used += (size_t)sprintf(have + used, "%s%d-%d %c%c%c%c", i ? ", " : "",
					(int)((rows[i].start - LO) / PAGE), (int)((rows[i].end - LO) / PAGE),
					rows[i].prot & R ? 'r' : '-', rows[i].prot & PROT_WRITE ? 'w' : '-',
					rows[i].prot & PROT_EXEC ? 'x' : '-', rows[i].shared ? 's' : 'p');
	assert_string_equal(have, want);
}

int stage_reset(void **state)
{
	(void)state;
	return party.reset(party.self);
}

static int open_engine(void **state)
{
	int err = engine_open(&engine, policy, VMMAP_TOPDOWN, LO, LO + PAGES * PAGE);

	(void)state;
	party = party_engine(&engine);
	return err;
}

static int close_engine(void **state)
{
	(void)state;
	engine_close(&engine);
	return engine.leaked != 0;
}

static int on_the_kernel(const struct CMUnitTest *rows, size_t n)
{
	char why[128] = "";
	int failed;

	if (kernel_start(&kernel, LO, LO + PAGES * PAGE, why)) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	party = party_kernel(kernel);
	failed = _cmocka_run_group_tests("pitfalls: the running kernel", rows, n, NULL, NULL);
	kernel_stop(kernel);
	return failed;
}

int stage_main(int argc, char **argv, const struct CMUnitTest *rows, size_t n)
{
	int failed = 0;

	if (argc > 1 && !strcmp(argv[1], "kernel"))
		return on_the_kernel(rows, n);
	for (unsigned i = 0; (policy = vmmap_policy_name(i)); i++) {
		char name[64];

		snprintf(name, sizeof(name), "pitfalls: %s", policy);
		failed += _cmocka_run_group_tests(name, rows, n, open_engine, close_engine);
	}
	return failed;
}
