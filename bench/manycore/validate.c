/* SPDX-License-Identifier: MIT */
/* validate.c - `vmmap-manycore validate`: what the model says about things that are known. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "base/tool/machine.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/points.h"
#include "bench/manycore/report.h"
#include "bench/manycore/shape.h"
#include "bench/manycore/validate.h"

static const char doc[] =
	"Lays the model beside what is known: published shapes (a shared counter; searches in a skip list and in a "
	"radix tree beside writers), real threads of this machine (time of one thread, gain by a second one, order of "
	"the policies; by vmmap-bench, which must stand beside this program), and its one free choice, the quantum. "
	"`plot --out DIR` writes the result below its pictures if DIR/validation.json has it.\v"
	"Examples:\n"
	"  vmmap-manycore validate\n"
	"  vmmap-manycore validate --profiles fault,local --policies vma,rwsem --ops 2000\n"
	"  vmmap-manycore validate --json curves/validation.json\n"
	"Exit code: 0; 1 if a published shape does not come out; 2 if it could not run. Real threads decide nothing: "
	"the machine may be busy.";

static void compare_quantum(struct validation *v)
{
	static const uint64_t quantum[] = { 0, 50, 200, 1000 };
	struct json *rows = json_array(v->root, "quantum");

	fprintf(v->out,
		"quantum (ns a core may run ahead in hits), vma, 8 cores: million ops/s and transfers per op\n");
	for (size_t i = 0; i < v->o->nprofiles; i++) {
		fprintf(v->out, "  %-12s", v->o->profiles[i]);
		for (size_t q = 0; q < ARRAY_SIZE(quantum); q++) {
			struct measure_params p = v->o->m;
			struct measure_result *r = calloc(1, sizeof(*r));

			p.profile = v->o->profiles[i];
			p.cores = 8;
			p.ops = 1000;
			p.costs.quantum = quantum[q] * TURN_PS;
			if (r != NULL && shape_measure(&p, r, 0) == 0) {
				struct json *row = json_row(rows);

				json_text(row, "profile", p.profile);
				json_uint(row, "quantum_ns", quantum[q]);
				json_real(row, "ops_per_s", r->ops_per_s);
				json_real(row, "transfers_per_op", r->transfers);
				fprintf(v->out, "   %lu: %.3f %.2f", (unsigned long)quantum[q], r->ops_per_s / 1e6,
					r->transfers);
			}
			free(r);
		}
		fputc('\n', v->out);
	}
}

static void set_defaults(struct options *o)
{
	static const char *const few[] = { "fault", "fault-own", "local", "pf", "mmap", "mprotect", "global" };

	if (o->nprofiles == 0) {
		memcpy(o->profiles, few, sizeof(few));
		o->nprofiles = ARRAY_SIZE(few);
	}
	if (o->npolicies == 0)
		options_all_policies(o, 2);
}

static void begin(struct validation *v)
{
	struct machine machine;
	char line[256];

	machine_read(&machine);
	fprintf(v->out, "%s; costs %s\n", machine_line(&machine, line, sizeof(line)), v->o->costs);
	json_text(v->root, "command", "validate");
	machine_json(&machine, v->root, "machine");
	json_text(v->root, "costs", v->o->costs);
	json_text(v->root, "build", points_build());
}

int validate_main(int argc, char **argv)
{
	struct options o;
	struct validation v = { .o = &o, .root = json_object() };
	int err = 0;

	options_parse("PFocqsJ", doc, argc, argv, &o);
	set_defaults(&o);
	v.out = o.json != NULL && strcmp(o.json, "-") == 0 ? stderr : stdout;
	begin(&v);
	validate_shapes(&v);
	validate_real(&v);
	compare_quantum(&v);
	fprintf(v.out, "%u of %u published shapes hold\n", v.held, v.held + v.missed);
	for (unsigned i = 0; report_limit(i) != NULL; i++)
		fprintf(v.out, "%s\n", report_limit(i));
	json_uint(v.root, "shapes_held", v.held);
	json_uint(v.root, "shapes_missed", v.missed);
	report_limits(v.root);
	if (o.json != NULL)
		err = json_write(v.root, o.json);
	json_free(v.root);
	if (err) {
		cli_complain("give a file that can be written", "--json: %s: %s", o.json, strerror(-err));
		return CLI_USAGE;
	}
	return v.missed ? CLI_VIOLATION : CLI_OK;
}
