/* SPDX-License-Identifier: MIT */
/*
 * stress_main.c - vmmap-stress: profiles under policies, watched.
 *
 * The main thread does no work on the map: it shows progress, brings the threads to rest twice a second to inspect the
 * quiet map (--verify), and notices when nothing moves any more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/point.h"
#include "base/tool/cli.h"
#include "stress/stress_report.h"

#define TICK_NS   UINT64_C(50000000)
#define QUIET_NS  UINT64_C(500000000)            /* between two looks at the quiet map                             */
#define STUCK_NS  UINT64_C(30000000000)          /* a machine with a load of 30 once made 10 s of nothing          */
#define SHRINK    4u                             /* --verify: rounds sixteen times shorter                         */
#define ROWS_MAX  512u
#define NOISE_SLEEPS 16u                         /* --noise: one in so many yields is a sleep                      */

/* ---- what is asked ---- */

static const struct argp_option option_list[] = {
	{ "policy", 'p', "NAME", 0, "locking policy, `all', or `help' for the list (default vma)", 0 },
	{ "profile", 'w', "NAME", 0, "workload, `all', or `help' for the list (default race)", 0 },
	{ "threads", 't', "N", 0, "threads, 1 to 64 (default 4)", 0 },
	{ "seconds", 's', "S", 0, "for each policy and profile; 0.2, 10, 500ms, 2m (default 5)", 0 },
	{ "seed", 'r', "N", 0, "what the threads draw their numbers from (default: a fresh one, printed)", 0 },
	{ "mix", 'm', "CALL=W,...", 0, "weights of the calls of `race', as mmap=20,fault=30; calls left out: none", 0 },
	{ "verify", 'v', NULL, 0, "stamp pages and check every answer; inspect the quiet map twice a second", 0 },
	{ "plant", 'P', "SIN", 0, "commit ghost, foreign, prot, stale, lost-write, leak or overlap, once", 0 },
	{ "json", 'j', "FILE", 0, "write the result as one object; `-' = stdout, then the table goes to stderr", 0 },
	{ "bytes", 'b', NULL, 0, "frames with contents, zeroed when handed out (default: metadata only)", 0 },
	{ "pinned", 'i', "PERCENT", 0, "of the pages of `hotplug-storm', 0 to 100 (default 0)", 0 },
	{ "noise", 'n', "N", 0, "in one of N test points a thread yields or sleeps (vmmap-stress-points only)", 0 },
	{ "placement", 'l', "HOW", 0, "arenas or topdown (default arenas)", 0 },
	{ 0 }
};

static void parse_mix(struct stress_options *o, const char *text)
{
	char *copy = strdup(text), *part[CALL_COUNT];
	size_t n = copy ? cli_list("mix", copy, part, CALL_COUNT) : 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		char *weight = strchr(part[i], '=');

		if (!weight)
			cli_die("give each call a weight, for example --mix=mmap=20,munmap=20,fault=60",
				"--mix: '%s' has no weight", part[i]);
		*weight++ = 0;
		o->weight[cli_choice("mix", part[i], profile_call_name, CALL_COUNT)] =
			(unsigned)cli_count("mix", weight, 0, 1000);
	}
	for (unsigned c = 0; c < CALL_COUNT; c++)
		sum += o->weight[c];
	if (!sum || sum > 500)
		cli_die("make the weights sum to 1 .. 500", "--mix: the weights sum to %" PRIu64, sum);
	o->mix = text;
	free(copy);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const placements[] = { "arenas", "topdown" };
	struct stress_options *o = state->input;

	switch (key) {
	case 'p': o->policy = arg; return 0;
	case 'w': o->profile = arg; return 0;
	case 't': o->threads = (unsigned)cli_count("threads", arg, 1, PROFILE_CREW_MAX); return 0;
	case 's': o->ns = cli_duration("seconds", arg); return 0;
	case 'r': o->seed = cli_seed("seed", arg); return 0;
	case 'm': parse_mix(o, arg); return 0;
	case 'v': o->verify = true; return 0;
	case 'P': o->plant = (enum verify_sin)cli_choice("plant", arg, verify_sin_name, SIN_PLANTS); return 0;
	case 'j': o->json = arg; return 0;
	case 'b': o->bytes = true; return 0;
	case 'n': o->noise = (uint32_t)cli_count("noise", arg, 1, 1000000); return 0;
	case 'i': o->pinned = (unsigned)cli_count("pinned", arg, 0, 100); return 0;
	case 'l': o->topdown = cli_choice("placement", arg, placements, 2); return 0;
	case ARGP_KEY_ARG:
		cli_die("every setting is an option: see --help", "'%s' is not an option", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	option_list, parse, NULL,
	"Runs a workload on an address space, under a locking policy, and checks what can be checked from outside.\v"
	"Exit status: 0 nothing found; 1 a violation (then: what, the seed, the last calls of every thread, the "
	"command that runs it again); 2 wrong usage, or it could not run.\n\n"
	"Examples:\n"
	"  vmmap-stress --profile=race --verify --seconds=20\n"
	"  vmmap-stress --policy=all --profile=all --verify --seconds=1 --json=stress.json\n"
	"  vmmap-stress --profile=race --mix=mmap=20,munmap=20,fault=60 --threads=8\n"
	"  vmmap-stress --profile=hotplug-storm --threads=3 --pinned=1 --verify\n"
	"  vmmap-stress --plant=ghost            (exit status 1: the ghost is found)\n"
	"  vmmap-stress-points --noise=16 --verify --seconds=60\n",
	NULL, NULL, NULL
};

static void list_policies(void)
{
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		printf("  %-12s %s%s\n", vmmap_policy_name(i), vmmap_policy_idea(i),
		       vmmap_policy_threads(i) ? "" : " (one thread)");
}

static void list_profiles(void)
{
	for (unsigned i = 0; profile_at(i); i++)
		printf("  %-17s %s\n  %-17s   (%s)\n", profile_at(i)->name, profile_at(i)->idea, "",
		       profile_at(i)->source);
}

/* ---- one run ---- */

static void show(const struct stress_row *row, uint64_t began, const struct profile_run *run, struct verify *verify)
{
	double seconds = (double)(clock_ns() - began) / 1e9;
	uint64_t units = profile_units(run);
	char ops[16], rate[16];

	fprintf(stderr, "\r\033[K%s / %s, %u threads: %.1f s, %s operations, %s/s, %" PRIu64 " violations", row->policy,
		row->profile, row->threads, seconds, report_number((double)units, ops),
		report_number(seconds > 0 ? (double)units / seconds : 0, rate), verify_violations(verify));
	fflush(stderr);
}

static void look(void *arg)
{
	verify_quiet(arg);
}

/* Nothing moves: the threads cannot be joined, so this is the end of the program. */
static _Noreturn void stuck(const struct stress_options *o, const struct stress_row *row, struct profile_run *run,
			    struct verify *verify)
{
	verify_report(verify, SIN_STUCK, 0, "no thread came to rest for %.0f s", (double)STUCK_NS / 1e9);
	fputc('\n', stderr);
	vmmap_dump(profile_vmmap(run, 0), stderr);
	verify_print(verify, stderr);
	fprintf(stderr, "seed %" PRIu64 "; to reproduce:\n  ", o->seed);
	report_command(o, row, stderr);
	fflush(NULL);
	_exit(CLI_VIOLATION);
}

static void watch(const struct stress_options *o, struct stress_row *row, struct profile_run *run,
		  struct verify *verify)
{
	struct timespec tick = { 0, (long)TICK_NS };
	uint64_t began = clock_ns(), quiet = began, still = 0, units = 0;
	bool live = isatty(STDERR_FILENO);
	int err;

	while (profile_running(run)) {
		uint64_t now, before = units;

		nanosleep(&tick, NULL);
		now = clock_ns();
		units = profile_units(run);
		if (live)
			show(row, began, run, verify);
		still = units == before ? still + TICK_NS : 0;           /* in ticks, as profile_pause does        */
		if (o->verify && now - quiet >= QUIET_NS) {
			err = profile_pause(run, look, verify, STUCK_NS);
			if (err == -ETIMEDOUT)
				stuck(o, row, run, verify);
			row->audits += !err;
			quiet = clock_ns();
			still = 0;
		}
		if (still > STUCK_NS)
			stuck(o, row, run, verify);
		if (verify_violations(verify))
			profile_stop(run);
	}
	if (live)
		fprintf(stderr, "\r\033[K");
}

static void tell(const struct stress_options *o, const struct stress_row *row, struct verify *verify, FILE *out)
{
	if (!verify_violations(verify))
		return;
	verify_print(verify, out);
	fprintf(out, "seed %" PRIu64 "; to reproduce:\n  ", o->seed);
	report_command(o, row, out);
}

static void one_run(const struct stress_options *o, const struct profile *profile, struct stress_row *row, FILE *out)
{
	struct verify_config config = { o->verify, o->plant, row->threads, o->seed };
	struct profile_params p = PROFILE_PARAMS;
	struct verify *verify = verify_create(&config);
	struct profile_run *run;
	const char *why;
	int err;

	if (!verify)
		cli_die("fewer threads need less", "no memory for the verifier");
	p.policy = row->policy;
	p.threads = row->threads;
	p.seed = o->seed;
	p.bytes = o->bytes || o->verify;
	p.shrink = o->verify ? SHRINK : 0;
	p.placement = o->topdown ? VMMAP_TOPDOWN : VMMAP_ARENAS;
	p.pinned = o->pinned;
	p.verify = verify;
	memcpy(p.mix, o->weight, sizeof(p.mix));
	err = profile_open(&run, profile, &p, &why);
	if (err)
		cli_die(strerror(-err), "%s under %s: %s", row->profile, row->policy, why);
	err = profile_block_start(run, &(struct profile_goal){ .ns = o->ns });
	if (err)
		cli_die("fewer threads may work: --threads", "the threads could not be started: %s", strerror(-err));
	watch(o, row, run, verify);
	profile_block_wait(run, &row->result);
	physmem_get_report(profile_physmem(run, 0), &row->reports);
	row->balloon = physmem_balloon_size(profile_physmem(run, 0));
	if (!verify_violations(verify))
		verify_quiet(verify);
	row->audits++;
	row->figures = profile_figures(run, row->figure);
	verify_overtakes(verify, row->result.counters.max_overtakes);
	row->gp_waits = verify_gp_waits(verify);
	if (!o->verify && !row->result.proven && !verify_violations(verify))
		verify_report(verify, SIN_USAGE, 0, "%" PRIu64 " operations counted, the engine's counters show %"
			      PRIu64, row->result.units, row->result.engine_ops);
	profile_close(run);
	row->seconds = (double)row->result.wall_ns / 1e9;
	row->violations = verify_violations(verify);
	row->checks = verify_checks(verify);
	row->first = verify_first(verify);
	report_row(row, out);
	tell(o, row, verify, out);
	fflush(out);
	verify_destroy(verify);
}

/* ---- all runs ---- */

static bool chosen(const char *asked, const char *name)
{
	return !strcmp(asked, "all") || !strcmp(asked, name);
}

static void check_names(const struct stress_options *o)
{
	bool policy = !strcmp(o->policy, "all");

	for (unsigned i = 0; vmmap_policy_name(i); i++)
		policy |= !strcmp(vmmap_policy_name(i), o->policy);
	if (!policy)
		cli_die("--policy=help lists them", "there is no policy '%s'", o->policy);
	if (strcmp(o->profile, "all") && !profile_find(o->profile))
		cli_die("--profile=help lists them", "there is no profile '%s'", o->profile);
	if (o->pinned && !(profile_find(o->profile) && profile_find(o->profile)->pins))
		cli_die("--profile=hotplug-storm does", "--pinned: '%s' pins no pages", o->profile);
}

static unsigned all_runs(const struct stress_options *o, struct stress_row *rows, FILE *out)
{
	unsigned n = 0;

	report_header(out);
	for (unsigned i = 0; vmmap_policy_name(i); i++) {
		if (!chosen(o->policy, vmmap_policy_name(i)))
			continue;
		for (unsigned j = 0; profile_at(j) && n < ROWS_MAX; j++) {
			struct stress_row *row = &rows[n];

			if (!chosen(o->profile, profile_at(j)->name))
				continue;
			*row = (struct stress_row){ .policy = vmmap_policy_name(i), .profile = profile_at(j)->name,
						    .first = SIN_NONE };
			row->threads = vmmap_policy_threads(i) ? o->threads : 1;
			n++;
			if (row->threads < profile_at(j)->min_threads) {
				row->skipped = "needs two threads";
				report_row(row, out);
			} else {
				one_run(o, profile_at(j), row, out);
			}
		}
	}
	return n;
}

int main(int argc, char **argv)
{
	static struct stress_row rows[ROWS_MAX];
	struct stress_options o = { .policy = "vma", .profile = "race", .threads = 4, .ns = UINT64_C(5000000000),
				    .seed = cli_random_seed(), .plant = SIN_NONE };
	bool help = false;
	unsigned n, ran = 0;
	uint64_t violations = 0;
	FILE *out;

	cli_parse(&argp, argc, argv, &o);
	if (!strcmp(o.policy, "help")) {
		list_policies();
		help = true;
	}
	if (!strcmp(o.profile, "help")) {
		list_profiles();
		help = true;
	}
	if (help)
		return CLI_OK;
	check_names(&o);
	if (o.noise && !point_available())
		cli_die("run vmmap-stress-points, which lies beside it", "--noise: this program has no test points");
	point_yield(o.noise, o.seed);
	point_doze(NOISE_SLEEPS);
	o.verify |= o.plant != SIN_NONE;
	out = o.json && !strcmp(o.json, "-") ? stderr : stdout;
	n = all_runs(&o, rows, out);
	for (unsigned i = 0; i < n; i++) {
		violations += rows[i].violations;
		ran += !rows[i].skipped;
	}
	if (!ran)
		cli_die("take --threads=2 and a policy for many threads", "nothing could run");
	report_total(&o, rows, n, out);
	if (o.json) {
		int err = report_json(&o, rows, n, o.json);

		if (err)
			cli_die("is the directory there, and writable?", "%s: %s", o.json, strerror(-err));
	}
	return violations ? CLI_VIOLATION : CLI_OK;
}
