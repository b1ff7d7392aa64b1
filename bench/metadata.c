/* SPDX-License-Identifier: MIT */
/* metadata.c - `vmmap-bench metadata`: what a VMA costs. See metadata.h. */
#include "bench/metadata.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmmap/vmmap.h>

#include "base/tool/cli.h"
#include "bench/child.h"
#include "bench/commands.h"
#include "bench/options.h"
#include "bench/report.h"

#define BASE   (UINT64_C(1) << 40)
#define PAGE   UINT64_C(4096)
#define STRIDE (4 * PAGE)
#define WARM   64                                /* VMAs mapped and unmapped before the first look                 */

static const short keys[] = { OPT_POLICY, OPT_VMAS, OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"Maps N VMAs of one page with a gap between, by the public calls, and says what each costs: by the "
	"library's own count of its metadata, and by how much the process has grown. Then unmaps them one by "
	"one and audits the map.\v"
	"Examples:\n"
	"  vmmap-bench metadata\n"
	"  vmmap-bench metadata --vmas 1000,1M --policy vma-count --json -\n"
	"Exit code: 0; 1 if a call failed or the audit found something; 2 if it could not run.",
};

static double resident_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%llu %llu", &size, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* The order is not the one of addresses: a multiplier that has no factor in common with n visits each once. */
static uint64_t place(uint64_t i, uint64_t n)
{
	return BASE + i * UINT64_C(2654435761) % n * STRIDE;
}

static int map_all(struct vmmap *map, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		int64_t at = vmmap_mmap(map, place(i, n), PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, NULL, 0);

		if (at < 0)
			return (int)at;
	}
	return 0;
}

static int unmap_all(struct vmmap *map, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_munmap(map, place(i, n), PAGE);
	return err;
}

static int look(struct vmmap *map, uint64_t n, struct metadata_row *row)
{
	struct vmmap_usage before, after;
	double resident;
	int err = map_all(map, WARM);

	if (!err)
		err = unmap_all(map, WARM);
	if (err)
		return err;
	vmmap_get_usage(map, &before);
	resident = resident_bytes();
	err = map_all(map, n);
	if (err)
		return err;
	vmmap_get_usage(map, &after);
	row->rss_per_vma = (resident_bytes() - resident) / (double)n;
	row->bytes_per_vma = ((double)after.metadata_bytes - (double)before.metadata_bytes) / (double)n;
	if (after.vmas != n)
		return -EPROTO;
	err = unmap_all(map, n);
	vmmap_get_usage(map, &after);
	return err ? err : vmmap_audit(map, stderr) || after.vmas ? -EPROTO : 0;
}

static int measure_here(const char *policy, uint64_t vmas, struct metadata_row *row)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;
	int err;

	*row = (struct metadata_row){ .vmas = vmas };
	config.policy = policy;
	err = vmmap_create(&map, &config);
	if (!err) {
		err = look(map, vmas, row);
		vmmap_destroy(map);
	}
	if (err)
		cli_complain(NULL, "%llu VMAs under %s: %s", (unsigned long long)vmas, policy, strerror(-err));
	return err;
}

int metadata_measure(const char *policy, uint64_t vmas, struct metadata_row *row)
{
	char path[4096], number[32], line[128];
	char *argv[] = { (char *)"vmmap-bench", (char *)"metadata", (char *)"--policy", (char *)policy,
			 (char *)"--vmas", number, NULL };
	unsigned long long counted = 0;
	struct child child;
	int err = child_path("", path, sizeof(path));

	snprintf(number, sizeof(number), "%llu", (unsigned long long)vmas);
	if (!err)
		err = child_start(&child, path, argv);
	if (err)
		return err;
	while (counted != vmas && fgets(line, sizeof(line), child.out))
		if (sscanf(line, "%llu %lf %lf", &counted, &row->bytes_per_vma, &row->rss_per_vma) != 3)
			counted = 0;
	row->vmas = counted;
	return child_end(&child) == CLI_OK && counted == vmas ? 0 : -EPROTO;
}

int metadata_main(int argc, char **argv)
{
	struct options o = { .policy = "vma", .vmas = { 1000, 65536, 1000000 }, .nvmas = 3 };
	struct json *j, *rows;
	FILE *out;

	options_parse(&command, argc, argv, &o);
	out = report_text(o.json);
	j = report_begin("metadata");
	json_text(j, "policy", o.policy);
	rows = json_array(j, "rows");
	fprintf(out, "%9s %16s %16s\n", "VMAs", "bytes per VMA", "RSS per VMA");
	for (size_t i = 0; i < o.nvmas; i++) {
		struct metadata_row r;
		struct json *row;

		report_progress("metadata: %llu VMAs", (unsigned long long)o.vmas[i]);
		if ((o.nvmas == 1 ? measure_here : metadata_measure)(o.policy, o.vmas[i], &r) != 0) {
			json_free(j);
			return CLI_VIOLATION;
		}
		report_progress_end();
		fprintf(out, "%9llu %16.1f %16.1f\n", (unsigned long long)r.vmas, r.bytes_per_vma, r.rss_per_vma);
		row = json_row(rows);
		json_uint(row, "vmas", r.vmas);
		json_real(row, "bytes_per_vma", r.bytes_per_vma);
		json_real(row, "rss_per_vma", r.rss_per_vma);
	}
	fprintf(out, "%s\n", report_machine());
	return report_end(j, o.json);
}
