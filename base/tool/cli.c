/* SPDX-License-Identifier: MIT */
/* cli.c - texts to numbers, messages with cause and remedy, subcommands. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"
#include "base/tool/cli.h"

struct unit { const char *name; double factor; };

static const struct unit time_units[] = {
	{ "", 1e9 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 },
	{ "m", 60e9 }, { "min", 60e9 }, { "h", 3600e9 },
};
static const struct unit size_units[] = {
	{ "", 1 }, { "b", 1 },
	{ "k", 0x1p10 }, { "kb", 0x1p10 }, { "kib", 0x1p10 }, { "m", 0x1p20 }, { "mb", 0x1p20 }, { "mib", 0x1p20 },
	{ "g", 0x1p30 }, { "gb", 0x1p30 }, { "gib", 0x1p30 }, { "t", 0x1p40 }, { "tb", 0x1p40 }, { "tib", 0x1p40 },
};
static const struct unit count_units[] = { { "", 1 }, { "k", 1e3 }, { "m", 1e6 }, { "g", 1e9 } };

static char program_name[96];

static void say(const char *remedy, const char *cause, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", program_name[0] ? program_name : program_invocation_short_name);
	vfprintf(stderr, cause, args);
	fputc('\n', stderr);
	if (remedy != NULL)
		fprintf(stderr, "  %s\n", remedy);
}

void cli_complain(const char *remedy, const char *cause, ...)
{
	va_list args;

	va_start(args, cause);
	say(remedy, cause, args);
	va_end(args);
}

_Noreturn void cli_die(const char *remedy, const char *cause, ...)
{
	va_list args;

	va_start(args, cause);
	say(remedy, cause, args);
	va_end(args);
	exit(CLI_USAGE);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	error_t rc;

	snprintf(program_name, sizeof(program_name), "%s", base_name(argv[0]));
	argp_err_exit_status = CLI_USAGE;
	rc = argp_parse(argp, argc, argv, 0, NULL, input);
	if (rc != 0)
		cli_die("see --help", "%s", strerror(rc));
}

static void list_commands(FILE *out, const struct cli_command *commands, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
}

static void print_help(const char *self, const char *about, const struct cli_command *commands, size_t n)
{
	const char *more = strchr(about, '\v');

	printf("Usage: %s COMMAND [OPTION...]\n%.*s\n\n", self, more != NULL ? (int)(more - about) : (int)strlen(about),
	       about);
	list_commands(stdout, commands, n);
	printf("\n'%s COMMAND --help' tells the options of one.\n", self);
	if (more != NULL)
		printf("\n%s\n", more + 1);
}

int cli_run(const char *about, const struct cli_command *commands, size_t n, int argc, char **argv)
{
	static char full_name[96];
	const char *self = base_name(argv[0]);

	snprintf(program_name, sizeof(program_name), "%s", self);
	if (argc < 2) {
		cli_complain("commands:", "which command?");
		list_commands(stderr, commands, n);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(self, about, commands, n);
		return CLI_OK;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(full_name, sizeof(full_name), "%s %s", self, commands[i].name);
		snprintf(program_name, sizeof(program_name), "%s", full_name);
		argv[1] = full_name;
		return commands[i].run(argc - 1, argv + 1);
	}
	cli_complain("commands:", "'%s' is not a command", argv[1]);
	list_commands(stderr, commands, n);
	return CLI_USAGE;
}

/* Number with a unit (units[0]: a bare number); digits may be grouped by commas. *out is written only on 0. */
static int with_unit(const char *text, const struct unit *units, size_t n, uint64_t *out)
{
	char plain[64], *end;
	unsigned long long whole;
	size_t len = 0;
	double value;

	for (const char *c = text; *c != 0; c++) {
		if (*c == ',' && c != text && isdigit((unsigned char)c[-1]) && isdigit((unsigned char)c[1]))
			continue;
		if (len + 1 == sizeof(plain))
			return -EINVAL;
		plain[len++] = *c;
	}
	plain[len] = 0;
	if ((!isdigit((unsigned char)plain[0]) && plain[0] != '.') || strncasecmp(plain, "0x", 2) == 0)
		return -EINVAL;
	errno = 0;
	whole = strtoull(plain, &end, 10);
	if (*end == 0 && units[0].factor == 1) {         /* a double would lose its low bits */
		if (errno == ERANGE)
			return -ERANGE;
		*out = whole;
		return 0;
	}
	value = strtod(plain, &end);
	for (size_t i = 0; end != plain && i < n; i++) {
		if (strcasecmp(end, units[i].name) != 0)
			continue;
		value = value * units[i].factor + 0.5;
		if (!(value < 0x1p64))
			return -ERANGE;
		*out = (uint64_t)value;
		return 0;
	}
	return -EINVAL;
}

int cli_parse_duration(const char *text, uint64_t *ns)
{
	return with_unit(text, time_units, ARRAY_SIZE(time_units), ns);
}

int cli_parse_size(const char *text, uint64_t *bytes)
{
	return with_unit(text, size_units, ARRAY_SIZE(size_units), bytes);
}

int cli_parse_count(const char *text, uint64_t *n)
{
	return with_unit(text, count_units, ARRAY_SIZE(count_units), n);
}

int cli_parse_seed(const char *text, uint64_t *seed)
{
	unsigned long long value;
	char *end;

	if (strcmp(text, "random") == 0) {
		*seed = cli_random_seed();
		return 0;
	}
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (*end != 0)
		return -EINVAL;
	if (errno == ERANGE)
		return -ERANGE;
	*seed = value;
	return 0;
}

uint64_t cli_duration(const char *option, const char *text)
{
	uint64_t ns;

	if (cli_parse_duration(text, &ns) != 0)
		cli_die("examples: 10ms 1.5s 2m; a bare number means seconds",
			"%s: '%s' is not a duration", option, text);
	return ns;
}

uint64_t cli_size(const char *option, const char *text)
{
	uint64_t bytes;

	if (cli_parse_size(text, &bytes) != 0)
		cli_die("examples: 4096 64k 2M 1.5G; powers of 1024", "%s: '%s' is not a size", option, text);
	return bytes;
}

uint64_t cli_count(const char *option, const char *text, uint64_t lo, uint64_t hi)
{
	uint64_t n;

	if (cli_parse_count(text, &n) != 0 || n < lo || n > hi)
		cli_die("examples: 4 1000 10k 1M 1e6; powers of 1000",
			"%s: '%s' is not a count from %llu to %llu", option, text, (unsigned long long)lo,
			(unsigned long long)hi);
	return n;
}

uint64_t cli_seed(const char *option, const char *text)
{
	uint64_t seed;

	if (cli_parse_seed(text, &seed) != 0)
		cli_die("give a number of 64 bits, decimal or 0x..., or 'random'",
			"%s: '%s' is not a seed", option, text);
	return seed;
}

double cli_real(const char *option, const char *text, double lo, double hi)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != 0 || !(value >= lo && value <= hi))
		cli_die("give a decimal number", "%s: '%s' is not a number from %g to %g", option, text, lo, hi);
	return value;
}

size_t cli_choice(const char *option, const char *text, const char *const *names, size_t n)
{
	char list[1024] = "one of:";
	size_t len = strlen(list);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, names[i]) == 0)
			return i;
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, " %s", names[i]);
	}
	cli_die(list, "%s: there is no '%s'", option, text);
}

size_t cli_list(const char *option, char *text, char **out, size_t max)
{
	size_t n = 0;

	for (char *item = text; item != NULL; ) {
		char *comma = strchr(item, ',');

		if (comma != NULL)
			*comma = 0;
		if (*item == 0)
			cli_die("separate the elements by single commas",
				"%s: an element of the list is empty", option);
		if (n == max)
			cli_die("give a shorter list", "%s: more than %zu elements", option, max);
		out[n++] = item;
		item = comma ? comma + 1 : NULL;
	}
	return n;
}

uint64_t cli_random_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = clock_ns();
	return seed;
}
