// SPDX-License-Identifier: MIT
// gbench.cc - the one C++ file: see gbench.h.
#include "bench/gbench.h"

#include <array>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

#include <unistd.h>

#include <benchmark/benchmark.h>

using benchmark::State;

namespace {

struct Slot {
	gbench_case c;
	int failed;
};

std::array<Slot, GBENCH_MOST> slots;
int used;

template <int I> void set_up(const State &state)
{
	Slot &s = slots[I];
	s.failed = s.c.setup ? s.c.setup(s.c.ctx, state.threads()) : 0;
}

template <int I> void tear_down(const State &)
{
	Slot &s = slots[I];
	if (s.c.teardown)
		s.c.teardown(s.c.ctx);
}

using Hook = void (*)(const State &);

template <int... I> Hook pick_set_up(int n, std::integer_sequence<int, I...>)
{
	static const Hook table[] = { set_up<I>... };
	return table[n];
}

template <int... I> Hook pick_tear_down(int n, std::integer_sequence<int, I...>)
{
	static const Hook table[] = { tear_down<I>... };
	return table[n];
}

// Debian's library says "built as DEBUG" whatever it is; everything else of the context is passed on.
class Console : public benchmark::ConsoleReporter {
public:
	explicit Console(OutputOptions options) : benchmark::ConsoleReporter(options) {}
	bool ReportContext(const Context &context) override
	{
		std::ostream &to = GetErrorStream();
		std::ostringstream held;
		SetErrorStream(&held);
		bool go_on = benchmark::ConsoleReporter::ReportContext(context);
		SetErrorStream(&to);
		std::istringstream lines(held.str());
		for (std::string line; std::getline(lines, line);)
			if (line.find("Library was built as DEBUG") == std::string::npos)
				to << line << '\n';
		return go_on;
	}
};

State *state_of(gbench_state *s)
{
	return reinterpret_cast<State *>(s);
}

} // namespace

extern "C" int gbench_next(gbench_state *state, int64_t n)
{
	return state_of(state)->KeepRunningBatch(n);
}

extern "C" int gbench_thread(const gbench_state *state)
{
	return reinterpret_cast<const State *>(state)->thread_index();
}

extern "C" void gbench_pause(gbench_state *state)
{
	state_of(state)->PauseTiming();
}

extern "C" void gbench_resume(gbench_state *state)
{
	state_of(state)->ResumeTiming();
}

extern "C" void gbench_fail(gbench_state *state, const char *why)
{
	state_of(state)->SkipWithError(why);
}

extern "C" int gbench_add(const gbench_case *c)
{
	if (used == GBENCH_MOST)
		return -1;
	int n = used++;
	slots[n].c = *c;
	auto *b = benchmark::RegisterBenchmark(c->name, [n](State &state) {
		if (slots[n].failed)
			state.SkipWithError("set-up failed");
		else
			slots[n].c.run(reinterpret_cast<gbench_state *>(&state), slots[n].c.ctx);
	});
	b->Setup(pick_set_up(n, std::make_integer_sequence<int, GBENCH_MOST>()));
	b->Teardown(pick_tear_down(n, std::make_integer_sequence<int, GBENCH_MOST>()));
	b->Threads(c->threads)->UseRealTime();
	if (c->repetitions > 1)
		b->Repetitions(c->repetitions)->ReportAggregatesOnly(true);
	return 0;
}

extern "C" int gbench_run(const char *filter, double min_time, const char *json)
{
	std::string out = json && std::string(json) != "-" ? std::string("--benchmark_out=") + json : "";
	std::string form = "--benchmark_out_format=json";
	std::string name = "vmmap-bench";
	std::string time = "--benchmark_min_time=" + std::to_string(min_time);
	char *argv[] = { name.data(), time.data(), out.empty() ? nullptr : out.data(), form.data(), nullptr };
	int argc = out.empty() ? 2 : 4;

	benchmark::Initialize(&argc, argv);
	if (json && out.empty()) {
		benchmark::JSONReporter reporter;
		return static_cast<int>(benchmark::RunSpecifiedBenchmarks(&reporter, nullptr, filter));
	}
	bool colours = isatty(STDOUT_FILENO);
	Console reporter(colours ? benchmark::ConsoleReporter::OO_Defaults : benchmark::ConsoleReporter::OO_None);
	return static_cast<int>(benchmark::RunSpecifiedBenchmarks(&reporter, nullptr, filter));
}
