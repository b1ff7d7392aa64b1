/* SPDX-License-Identifier: MIT */
/*
 * model.h - a small program over the engine's code, run by relacy in one interleaving after another.
 *
 * A SUITE is a struct with start() (one thread; what it stores all threads see), thread(i) for MODEL_THREADS threads,
 * and finish() (one thread, after all; it sees everything). model_check() fails the interleaving; so does a sleep that
 * nobody ends, a data race on a PLAIN word, and an endless loop.
 */
#ifndef TESTS_MODELS_MODEL_H
#define TESTS_MODELS_MODEL_H

#include <errno.h>

/* relacy has names of its own for what C has already. */
#pragma push_macro("errno")
#pragma push_macro("EINVAL")
#pragma push_macro("ETIMEDOUT")
#pragma push_macro("EBUSY")
#pragma push_macro("EAGAIN")
#pragma push_macro("EDEADLK")
#include <relacy/relacy.hpp>
#pragma pop_macro("errno")
#pragma pop_macro("EINVAL")
#pragma pop_macro("ETIMEDOUT")
#pragma pop_macro("EBUSY")
#pragma pop_macro("EAGAIN")
#pragma pop_macro("EDEADLK")
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef VAR

#include "base/assert.h"
#include "base/thread.h"

void model_begin();                              /* of an interleaving: no word is known, all slots are fresh      */
void model_end();

/* Random numbers are the scheduler's: an interleaving can be repeated. */
inline unsigned model_random(unsigned limit) { return rl::ctx().rand(limit, rl::sched_type_user); }

struct model_listed {
	const char *name;
	unsigned iterations;                     /* random interleavings of a plain run; of a mutant's at most     */
	bool (*simulate)(rl::test_params &);
	model_listed *next;
};
extern model_listed *model_list;

template <typename S> struct model_runner : rl::test_suite<model_runner<S>, MODEL_THREADS> {
	void before()
	{
		model_begin();
		S::start();
	}
	void thread(unsigned i) { S::thread(i); }
	void after()
	{
		S::finish();
		model_end();
	}
};

struct model_register {
	model_register(model_listed *listed)
	{
		listed->next = model_list;
		model_list = listed;
	}
};

#define MODEL_SUITE(suite, iterations) \
	static model_listed suite##_listed = { #suite, iterations, rl::simulate<model_runner<suite>>, nullptr }; \
	static model_register suite##_register(&suite##_listed)

#endif
