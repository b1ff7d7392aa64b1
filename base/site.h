/* SPDX-License-Identifier: MIT */
/*
 * site.h - named places that ask for something and may be refused: memory, frames, or what needs either.
 *
 * In builds with test points each of them is collected by the linker, as points are (base/point.h): a test learns which
 * there are, also those that it never reached, which were asked, and which were refused. It may order a refusal, where
 * a real one would want pools to be dry. Elsewhere the call is all that is left.
 */
#ifndef BASE_SITE_H
#define BASE_SITE_H

#include <errno.h>                               /* what most places say that were refused: -ENOMEM              */

#include "base/compiler.h"
#include "base/point.h"

/* SITE_MEMORY, SITE_FRAME: the place itself. SITE_NEED: a call of what may want for one of them, and say so. */
enum site_kind { SITE_MEMORY, SITE_FRAME, SITE_NEED };

#ifdef VMMAP_POINTS

struct site {
	const char *file, *function;
	int line;
	enum site_kind kind;
	atomic_u32 asked, refused;       /* refused: how often. asked: 0 or 1, so that frequent places share a line */
};

extern struct site *__start_vmmap_sites[] __attribute__((visibility("hidden")));
extern struct site *__stop_vmmap_sites[] __attribute__((visibility("hidden")));

extern atomic_u32 site_orders;           /* 0: nobody has ordered anything                                         */
bool site_ordered(void);                 /* the calling thread: this one?                                          */
bool site_heard(void);                   /* the calling thread: is it listened to?                                 */

static inline bool site_refuses(enum site_kind kind)
{
	return kind == SITE_NEED && unlikely(atomic_load_relaxed(&site_orders) != 0) && site_ordered();
}

static inline void site_tell(struct site *site, bool refused)
{
	if (atomic_load_relaxed(&site->asked) == 0 && site_heard())
		atomic_store_relaxed(&site->asked, 1);
	if (unlikely(refused) && site_heard())
		atomic_add_relaxed(&site->refused, 1);
}

/* The value of `call`; none: the one that says that it was refused. */
#define BASE_SITE(kind_, call, none) __extension__ ({ \
	static struct site site_ = { __FILE__, __func__, __LINE__, kind_, 0, 0 }; \
	static struct site *site_entry_ POINT_LIST("vmmap_sites") = &site_; \
	__typeof__(call) site_got_ = site_refuses(kind_) ? (none) : (call); \
	site_tell(site_entry_, site_got_ == (none)); \
	site_got_; })

#else
#define BASE_SITE(kind_, call, none) (call)
#endif

/* For tests. The n-th SITE_NEED that the calling thread comes to from here on (1 = the next) is refused, once, or, if
 * it lasts, with all after it; 0: no more. True: it has come to that. In builds without VMMAP_POINTS nothing. */
void site_refuse_nth(uint64_t n, bool lasts);
bool site_refuse_fired(void);
/* From here on sites tell only what the calling thread asks of them, not the library's own thread. */
void site_hear_only_me(void);

#endif
