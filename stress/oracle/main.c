/* SPDX-License-Identifier: MIT */
/* main.c - vmmap-oracle: the running kernel against the engine. Options, summary, JSON. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/tool/cli.h"
#include "base/tool/json.h"
#include "base/tool/machine.h"
#include "stress/oracle/oracle.h"

#define EXIT_SKIP 77                             /* CTest's SKIP_RETURN_CODE                                       */

struct options {
	const char *policy, *json;
	uint64_t ops, seed, seeds, pages, list_every, noreserve;
};

static const struct argp_option option_list[] = {
	{ "policy", 'p', "NAME", 0, "locking policy of the engine (default vma; help: list them)", 0 },
	{ "ops", 'n', "N", 0, "calls in all (default 1M)", 0 },
	{ "seed", 's', "S", 0, "first seed (default 1)", 0 },
	{ "seeds", 'k', "K", 0, "how many seeds share the calls (default: one per 50,000 calls)", 0 },
	{ "noreserve", 'r', "PERCENT", 0, "mappings with MAP_NORESERVE (default 20)", 0 },
	{ "pages", 'g', "N", 0, "size of the region (default 2048)", 0 },
	{ "list-every", 'l', "N", 0, "calls between two comparisons of the whole VMA list (default 16)", 0 },
	{ "json", 'j', "FILE", 0, "write the result as JSON (-: to stdout)", 0 },
	{ 0 },
};

static const char doc[] =
	"Runs random programs of memory calls on the running kernel, in a child process, and on the engine; "
	"compares every result, the VMA lists, and contents.\v"
	"Examples:\n"
	"  vmmap-oracle                                  1,000,000 calls over 20 seeds, policy vma\n"
	"  vmmap-oracle --policy=rwlock --ops=10k        a quick look\n"
	"  vmmap-oracle --seed=7 --seeds=1 --ops=50k --list-every=1   one seed again, every list compared\n\n"
	"Exit status: 0 no divergence, 1 divergence (the shrunk program is printed), 2 usage or could not run, "
	"77 this machine or sandbox does not let us.";

static void list_policies(void)
{
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		printf("%-10s %s\n", vmmap_policy_name(i), vmmap_policy_idea(i));
	exit(CLI_OK);
}

static bool known_policy(const char *name)
{
	unsigned i = 0;

	while (vmmap_policy_name(i) && strcmp(vmmap_policy_name(i), name))
		i++;
	return vmmap_policy_name(i) != NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'p':
		if (!strcmp(arg, "help"))
			list_policies();
		o->policy = arg;
		return 0;
	case 'n': o->ops = cli_count("ops", arg, 1, UINT64_C(100000000000)); return 0;
	case 's': o->seed = cli_seed("seed", arg); return 0;
	case 'k': o->seeds = cli_count("seeds", arg, 1, 1000000); return 0;
	case 'r': o->noreserve = cli_count("noreserve", arg, 0, 100); return 0;
	case 'g': o->pages = cli_count("pages", arg, 256, 16384); return 0;
	case 'l': o->list_every = cli_count("list-every", arg, 1, 256); return 0;
	case 'j': o->json = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static void progress(const struct oracle *o)
{
	static uint64_t last;
	uint64_t now = clock_ns();

	if (now - last < 200000000 || !isatty(STDERR_FILENO))
		return;
	last = now;
	fprintf(stderr, "\r%s: seed %" PRIu64 ", %" PRIu64 " of %" PRIu64 " calls, %" PRIu64 " divergences  ",
		o->policy, o->seed_now, o->done, o->ops,
		o->divergences[SIDE_ENGINE] + o->divergences[SIDE_KERNEL]);
}

static const struct oracle *running;             /* for on_abort                                                   */

/* An assertion of the engine failed: say where. */
static void on_abort(int sig)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "vmmap-oracle: the engine aborted, policy %s, within %" PRIu64 " calls: "
			 "--seed=%" PRIu64 " --seeds=1 --ops=50k\n", running->policy, running->done, running->seed_now);

	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(CLI_VIOLATION);
	signal(sig, SIG_DFL);
}

static double share(uint64_t part, uint64_t whole) { return whole ? (double)part / (double)whole : 0; }

static uint64_t all_succeeded(const struct oracle *o)
{
	uint64_t sum = 0;

	for (int i = 0; i < KIND_CALLS; i++)
		sum += o->succeeded[i];
	return sum;
}

static void summary(const struct oracle *o, double seconds)
{
	printf("policy %s, seeds %" PRIu64 "..%" PRIu64 ": %" PRIu64
	       " calls, %.0f per second, %.1f %% succeeded, %.1f %% aimed at a VMA\n",
	       o->policy, o->seed, o->seed + o->seeds - 1, o->done, (double)o->done / seconds,
	       100 * share(all_succeeded(o), o->done), 100 * share(o->aimed, o->done));
	printf("%" PRIu64 " splits, %" PRIu64 " merges; %" PRIu64 " VMA lists and %" PRIu64
	       " with flags compared; %" PRIu64 " loads, %" PRIu64 " stores\n",
	       o->splits, o->merges, o->lists, o->deep_lists, o->calls[KIND_READ], o->calls[KIND_WRITE]);
	for (int i = 0; i < KIND_CALLS; i++)
		printf("  %-18s %8" PRIu64 "  %5.1f %%  succeeded %5.1f %%\n", op_kind_name[i], o->calls[i],
		       100 * share(o->calls[i], o->done), 100 * share(o->succeeded[i], o->calls[i]));
	for (int i = 0; i < LACK_COUNT; i++) {
		if (o->lack >> i & 1)
			printf("left out, this kernel differs from 6.18: %s\n", kernel_lack_name[i]);
	}
	printf("known differences: none\n");
	printf("divergences: engine %" PRIu64 ", kernel %" PRIu64 " (of the model)\n", o->divergences[SIDE_ENGINE],
	       o->divergences[SIDE_KERNEL]);
}

/* With the JSON on stdout, everything else goes to stderr. Returns where stdout went, -1: nowhere. */
static int summary_to(const char *json)
{
	int out = json && !strcmp(json, "-") ? dup(STDOUT_FILENO) : -1;

	if (out >= 0)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	return out;
}

static int write_json(const struct oracle *o, const char *path, double seconds, int out)
{
	struct json *root = json_object(), *calls, *ok, *list;
	struct machine machine;
	int err;

	json_text(root, "policy", o->policy);
	json_uint(root, "ops", o->done);
	json_uint(root, "seed", o->seed);
	json_uint(root, "seeds", o->seeds);
	json_uint(root, "ok", all_succeeded(o));
	json_uint(root, "splits", o->splits);
	json_uint(root, "merges", o->merges);
	calls = json_sub(root, "calls");
	ok = json_sub(root, "succeeded");
	for (int i = 0; i < KIND_CALLS; i++) {
		json_uint(calls, op_kind_name[i], o->calls[i]);
		json_uint(ok, op_kind_name[i], o->succeeded[i]);
	}
	json_uint(root, "loads", o->calls[KIND_READ]);
	json_uint(root, "stores", o->calls[KIND_WRITE]);
	json_uint(root, "lists", o->lists);
	json_real(root, "ops_per_second", (double)o->done / seconds);
	json_uint(root, "divergences", o->divergences[SIDE_ENGINE] + o->divergences[SIDE_KERNEL]);
	json_array(root, "known_differences");
	list = json_array(root, "left_out");
	for (int i = 0; i < LACK_COUNT; i++) {
		if (o->lack >> i & 1)
			json_push_text(list, kernel_lack_name[i]);
	}
	machine_read(&machine);
	machine_json(&machine, root, "machine");
	fflush(stdout);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	err = json_write(root, path);
	json_free(root);
	return err;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.policy = "vma", .ops = 1000000, .seed = 1, .pages = 2048, .list_every = 16, .noreserve = 20};
	struct argp argp = { option_list, parse, NULL, doc, NULL, NULL, NULL };
	struct oracle *o = calloc(1, sizeof(*o));
	char why[128] = "";
	double seconds;
	uint64_t start;
	int err, out;

	setvbuf(stdout, NULL, _IOLBF, 0);
	cli_parse(&argp, argc, argv, &opt);
	if (!known_policy(opt.policy))
		cli_die("--policy=help lists them", "no such policy: %s", opt.policy);
	out = summary_to(opt.json);
	if (!o)
		cli_die(NULL, "out of memory");
	*o = (struct oracle){.policy = opt.policy,
			     .lo = 0x10000000,
			     .pages = opt.pages,
			     .ops = opt.ops,
			     .seed = opt.seed,
			     .seeds = opt.seeds ? opt.seeds : (opt.ops + 49999) / 50000,
			     .progress = progress,
			     .list_every = (unsigned)opt.list_every,
			     .noreserve = (unsigned)opt.noreserve};
	err = oracle_open(o, why);
	if (err && o->kernel)
		cli_die("--policy=help lists the policies", "%s", why);
	if (err) {
		printf("SKIP: the kernel cannot be an oracle here: %s (%s)\n", why, strerror(-err));
		return EXIT_SKIP;
	}
	running = o;
	signal(SIGABRT, on_abort);
	start = clock_ns();
	err = oracle_run(o);
	seconds = (double)(clock_ns() - start) / 1e9;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%79s\r", "");
	if (err)
		cli_die(NULL, "%s", o->error);
	summary(o, seconds);
	if (opt.json && (err = write_json(o, opt.json, seconds, out)))
		cli_die(NULL, "%s: %s", opt.json, strerror(-err));
	err = o->divergences[SIDE_ENGINE] + o->divergences[SIDE_KERNEL] ? CLI_VIOLATION : CLI_OK;
	oracle_close(o);
	free(o);
	return err;
}
