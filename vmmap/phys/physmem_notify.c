/* SPDX-License-Identifier: MIT */
/*
 * physmem_notify.c - the chain of listeners that are told when memory comes and goes.
 *
 * CHAIN     by priority, among equals in the order of registration. Under listen_lock, with `calls` and `leaves` of
 *           each listener. No lock is held while one is called, so it may sleep, and others are told meanwhile; the
 *           same one, too, of other memory.
 * CALLS     who calls a listener has counted itself in its `calls`, under listen_lock: the listener stays in the chain,
 *           so from there the way goes on. The next one is counted before that one is let go.
 * LEAVING   physmem_unlisten says so (`leaves`), so nobody comes any more, and waits until the last one has let go. It
 *           sleeps on `listen_left`, which the last one changes, under listen_lock.
 * ENDS      a listener's number is that of its registration. A beginning remembers the last number given out, and is
 *           told to those who have no later one; so is its end. So who comes in between is told of no end without a
 *           beginning, nor the other way round. Of a veto those before it, and who said it, are told; whose `calls`
 *           has counted the beginning still, so it is there.
 * ORDER     no other lock of the machine is held; listen_lock is a leaf.
 * PROGRESS  who tells waits for no other who tells. physmem_unlisten waits for the calls of its own listener, no more
 *           than one for each thread that was there.
 * SOURCE    memory notifiers of Linux, where CANCEL goes to those who saw no GOING as well, and whose lock is held, for
 *           reading, while they are called.
 */
#include "vmmap/phys/physmem_notify.h"

#include <errno.h>
#include <limits.h>

#include "base/point.h"

/* The link to it; to NULL, if it does not listen. Under listen_lock. */
static struct physmem_listener **link_of(struct physmem *pm, const struct physmem_listener *l)
{
	struct physmem_listener **at = &pm->listeners;

	while (*at != NULL && *at != l)
		at = &(*at)->next;
	return at;
}

API int physmem_listen(struct physmem *pm, struct physmem_listener *l)
{
	struct physmem_listener **at = &pm->listeners;
	int err = 0;

	if (l->fn == NULL)
		return -EINVAL;
	park_lock(&pm->listen_lock);
	if (*link_of(pm, l) != NULL)
		err = -EEXIST;
	if (err == 0) {
		while (*at != NULL && (*at)->priority >= l->priority)
			at = &(*at)->next;
		l->number = ++pm->listened;
		l->calls = l->leaves = 0;
		l->next = *at;
		*at = l;
	}
	park_unlock(&pm->listen_lock);
	return err;
}

API void physmem_unlisten(struct physmem *pm, struct physmem_listener *l)
{
	struct physmem_listener **at;

	park_lock(&pm->listen_lock);
	for (at = link_of(pm, l); *at != NULL; at = link_of(pm, l)) {
		uint32_t left = atomic_load_relaxed(&pm->listen_left);

		l->leaves = 1;
		if (l->calls == 0 || BASE_MUTANT(notify_leaves_early)) {
			*at = l->next;
			break;
		}
		park_unlock(&pm->listen_lock);
		park_wait(&pm->listen_left, left, PARK_FOREVER);
		park_lock(&pm->listen_lock);
	}
	park_unlock(&pm->listen_lock);
}

/* ---- calls ---- */

/* Under listen_lock. */
static void uncount(struct physmem *pm, struct physmem_listener *l)
{
	if (--l->calls != 0 || !l->leaves)
		return;
	atomic_store_relaxed(&pm->listen_left, atomic_load_relaxed(&pm->listen_left) + 1);
	park_wake(&pm->listen_left, INT_MAX);
}

/* Of those with a number up to `told` the one behind l, or the first; but `last` in any case, if it comes first. It is
 * counted, l no more. */
static struct physmem_listener *next(struct physmem *pm, struct physmem_listener *l, uint64_t told,
				     const struct physmem_listener *last)
{
	struct physmem_listener *to;

	park_lock(&pm->listen_lock);
	to = l != NULL ? l->next : pm->listeners;
	while (to != NULL && to != last && (to->leaves || to->number > told))
		to = to->next;
	if (to != NULL)
		to->calls++;
	if (l != NULL)
		uncount(pm, l);
	park_unlock(&pm->listen_lock);
	return to;
}

static void let_go(struct physmem *pm, struct physmem_listener *l)
{
	park_lock(&pm->listen_lock);
	uncount(pm, l);
	park_unlock(&pm->listen_lock);
}

/* Up to the listener `last`, inclusive, which is counted. */
static void cancel(struct physmem *pm, struct physmem_listener *last, enum physmem_event event, uint64_t pfn,
		   uint64_t pages, uint64_t told)
{
	struct physmem_listener *l = next(pm, NULL, told, last);

	for (; l != last; l = next(pm, l, told, last))
		(void)l->fn(l, event, pfn, pages);
	(void)l->fn(l, event, pfn, pages);
	let_go(pm, l);
}

static uint64_t listened(struct physmem *pm)
{
	uint64_t n;

	park_lock(&pm->listen_lock);
	n = pm->listened;
	park_unlock(&pm->listen_lock);
	return n;
}

int physmem_notify_begin(struct physmem *pm, enum physmem_event going, uint64_t pfn, uint64_t pages, uint64_t *told)
{
	enum physmem_event end = going == PHYSMEM_GOING_ONLINE ? PHYSMEM_CANCEL_ONLINE : PHYSMEM_CANCEL_OFFLINE;
	uint64_t most = *told = listened(pm);
	struct physmem_listener *l;
	int err = 0;

	if (BASE_MUTANT(notify_begins_only))
		most = UINT64_MAX;
	l = next(pm, NULL, most, NULL);
	while (l != NULL && (err = l->fn(l, going, pfn, pages)) == 0)
		l = next(pm, l, most, NULL);
	if (l != NULL) {
		BASE_POINT(notify_vetoed);
		if (!BASE_MUTANT(notify_cancel_untold))
			cancel(pm, l, end, pfn, pages, BASE_MUTANT(notify_cancels_all) ? UINT64_MAX : most);
		let_go(pm, l);
	}
	return err > 0 ? -ECANCELED : err;
}

void physmem_notify_end(struct physmem *pm, enum physmem_event end, uint64_t pfn, uint64_t pages, uint64_t told)
{
	if (BASE_MUTANT(notify_ends_only))
		told = UINT64_MAX;
	for (struct physmem_listener *l = next(pm, NULL, told, NULL); l != NULL; l = next(pm, l, told, NULL))
		(void)l->fn(l, end, pfn, pages);
}
