/* SPDX-License-Identifier: MIT */
/* main.c - vmmap-host: what free-page reporting is worth to a host with more guests than memory. Options, arms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/host/picture.h"

struct options {
	struct experiment_setup setup;
	const char *json, *plot;
};

enum { SWAP_OUT = 256, SWAP_IN, READ, TOUCH, FAULT, SETTLE };

static const struct argp_option option_list[] = {
	{ "host", 'H', "SIZE", 0, "memory of the host (default 15G)", 0 },
	{ "guest", 'g', "SIZE", 0, "memory of a guest (default 5G)", 0 },
	{ "kernel", 'k', "SIZE", 0, "... that its kernel and services keep (default 512M)", 0 },
	{ "files", 'f', "SIZE", 0, "files that a guest reads, where its cache is to be full (default 4G)", 0 },
	{ "program", 'p', "SIZE", 0, "what the program writes once, and frees (default 4G)", 0 },
	{ "guests", 'n', "N", 0, "at most so many (default 24, at most 64)", 0 },
	{ "last", 'l', "N", 0, "the guest whose program is timed (default 4)", 0 },
	{ "capture", 'c', "N", 0, "reports by arrays of N for each CPU, a power of two (default: a bitmap)", 0 },
	{ "age", 'a', "TIME", 0, "virtual time between two passes that tell all (default 2s)", 0 },
	{ "settle", SETTLE, "TIME", 0, "... between two guests (default 10s)", 0 },
	{ "seed", 's', "S", 0, "order in which files are read and pages come back (default 1)", 0 },
	{ "touch", TOUCH, "TIME", 0, "a page that has a frame (default 250ns)", 1 },
	{ "fault", FAULT, "TIME", 0, "a first touch (default 1us)", 1 },
	{ "swap-out", SWAP_OUT, "TIME", 0, "a page to swap (default 100us)", 1 },
	{ "swap-in", SWAP_IN, "TIME", 0, "a page from swap (default 100us)", 1 },
	{ "read", READ, "TIME", 0, "a page of a file from disk (default 20us)", 1 },
	{ "json", 'j', "FILE", 0, "write the result as JSON (-: to standard output, and nothing else)", 2 },
	{ "plot", 'o', "DIR", 0, "write host.svg, host.png and host.gp there (gnuplot)", 2 },
	{ 0 },
};

static const char doc[] =
	"A host with so much memory starts guests one by one. Each runs a program that wants much memory for a while, "
	"then idles. How many fit before the host has to swap, and how long does the program take in the last one: "
	"without reports of free memory and with them, the guests' file caches empty and full, with a hook by which "
	"the host has caches shrunk before it swaps, and with balloons in place of reports. Virtual time, stated "
	"costs; the same options give the same result.\v"
	"Further costs: a report 5 us and 2 us for each block of 2 MiB; a page out of a cache 200 ns.\n"
	"Examples:\n"
	"  vmmap-host                                    the experiment of KVM Forum 2018, twenty seconds\n"
	"  vmmap-host --swap-out=20us --swap-in=20us     a fast disk\n"
	"  vmmap-host -H 1500M -g 512M -k 50M -f 400M -p 400M   a tenth of it, in a second\n"
	"  vmmap-host --plot=. --json=host.json\n\n"
	"Exit status: 0; 1 a page was lost, a reported one was in use, or a report came later than promised; 2 usage "
	"or could not run.";

static uint64_t frames(const char *option, const char *text)
{
	uint64_t bytes = cli_size(option, text);

	if (bytes < (UINT64_C(1) << 21) || bytes > (UINT64_C(1) << 40))
		cli_die("give a size from 2M to 1T", "--%s: '%s' is no such size", option, text);
	return bytes >> 12;
}

static error_t parse_cost(int key, char *arg, struct host_cost *cost)
{
	switch (key) {
	case TOUCH: cost->touch = cli_duration("touch", arg); return 0;
	case FAULT: cost->fault = cli_duration("fault", arg); return 0;
	case SWAP_OUT: cost->swap_out = cli_duration("swap-out", arg); return 0;
	case SWAP_IN: cost->swap_in = cli_duration("swap-in", arg); return 0;
	case READ: cost->read = cli_duration("read", arg); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	struct experiment_setup *s = &o->setup;

	switch (key) {
	case 'H': s->host_frames = frames("host", arg); return 0;
	case 'g': s->guest.frames = frames("guest", arg) & ~UINT64_C(511); return 0;
	case 'k': s->guest.kernel = frames("kernel", arg); return 0;
	case 'f': s->guest.files = frames("files", arg); return 0;
	case 'p': s->hog = frames("program", arg); return 0;
	case 'n': s->guests = (unsigned)cli_count("guests", arg, 1, EXPERIMENT_GUESTS); return 0;
	case 'l': s->last = (unsigned)cli_count("last", arg, 1, EXPERIMENT_GUESTS); return 0;
	case 'c': s->guest.capture = (unsigned)cli_count("capture", arg, 1, 65536); return 0;
	case 'a': s->guest.age = cli_duration("age", arg); return 0;
	case SETTLE: s->settle = cli_duration("settle", arg); return 0;
	case 's': s->guest.seed = cli_seed("seed", arg); return 0;
	case 'j': o->json = arg; return 0;
	case 'o': o->plot = arg; return 0;
	default: return parse_cost(key, arg, &s->cost);
	}
}

static void check_setup(const struct experiment_setup *s)
{
	if (s->guest.kernel + s->hog + s->guest.reserve > s->guest.frames)
		cli_die("give --guest at least the sum of --kernel and --program, and 1/32 more",
			"a guest has no room for its kernel and the program");
	if (s->guest.kernel * s->last > s->host_frames * 8)
		cli_die("give a larger --host", "the kernels alone are eight times the host");
	if (s->last > s->guests)
		cli_die("give --guests at least that", "--last: there are only %u guests", s->guests);
	if (s->guest.capture & (s->guest.capture - 1))
		cli_die("for example --capture=64", "--capture: %u is no power of two", s->guest.capture);
	if (s->settle < 3 * s->guest.age)
		cli_die("give --settle at least three times --age", "guests do not idle long enough to report");
}

static int tell(const struct options *o, const struct picture_row *row, unsigned n)
{
	bool only_json = o->json != NULL && strcmp(o->json, "-") == 0;
	struct json *root = json_object();
	uint64_t wrong = 0;
	int err = 0;

	for (unsigned i = 0; i < n; i++)
		wrong += row[i].outcome->wrong;
	picture_json(&o->setup, row, n, root);
	json_uint(root, "violations", wrong);
	if (!only_json)
		picture_table(&o->setup, row, n);
	if (o->json != NULL)
		err = json_write(root, o->json);
	json_free(root);
	if (err != 0)
		cli_die("give a path that can be written, or '-' for standard output", "--json: cannot write '%s': %s",
			o->json, strerror(-err));
	err = o->plot != NULL ? picture_plot(&o->setup, row, n, o->plot) : 0;
	if (err != 0)
		cli_die("gnuplot makes the picture of host.gp, in that directory", "%s: %s", o->plot, strerror(-err));
	if (wrong != 0)
		cli_complain("`--json -` says in which row", "%llu violations",
			     (unsigned long long)wrong);
	return wrong != 0 ? CLI_VIOLATION : CLI_OK;
}

int main(int argc, char **argv)
{
	static struct picture_row row[] = {
		{ "no reports, caches empty", { false, false, false, false }, NULL },
		{ "no reports, caches full", { false, true, false, false }, NULL },
		{ "reports, caches empty", { true, false, false, false }, NULL },
		{ "reports, caches full", { true, true, false, false }, NULL },
		{ "reports, full, and hook", { true, true, true, false }, NULL },
		{ "balloon, caches empty", { false, false, true, true }, NULL },
		{ "balloon, caches full", { false, true, true, true }, NULL },
	};
	struct argp argp = { option_list, parse, NULL, doc, NULL, NULL, NULL };
	struct options o = { .setup = {
		.host_frames = 15 << 18, .hog = 4 << 18, .cost = HOST_COST, .guests = 24, .last = 4,
		.settle = UINT64_C(10000000000),
		.guest = { .frames = 5 << 18, .kernel = 1 << 17, .files = 4 << 18, .age = UINT64_C(2000000000),
			   .seed = 1 },
	} };
	int status;

	cli_parse(&argp, argc, argv, &o);
	o.setup.guest.reserve = o.setup.guest.frames / 64;
	check_setup(&o.setup);
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		row[i].outcome = malloc(sizeof(*row[i].outcome));
		if (row[i].outcome == NULL || experiment_run(&o.setup, &row[i].arm, row[i].outcome) != 0)
			cli_die("try smaller sizes, or fewer --guests", "not enough memory");
	}
	status = tell(&o, row, ARRAY_SIZE(row));
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		free(row[i].outcome);
	return status;
}
