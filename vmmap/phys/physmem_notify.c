/* SPDX-License-Identifier: MIT */
/*
 * physmem_notify.c - the chain of listeners that are told when memory comes and goes.
 *
 * CHAIN     by priority, among equals in the order of registration. Under listen_lock, which is held while they are
 *           called: so each is called by one thread at a time, and none after physmem_unlisten has returned.
 * ENDS      a listener's number is that of its registration. A beginning remembers the last number given out; its end
 *           is told to those who listen and have no later one. So who comes in between is told of no end without a
 *           beginning. Of a veto those before it, and who said it, are told in the same hold: they are the chain's
 *           first.
 * ORDER     no other lock of the machine is held.
 * SOURCE    memory notifiers of Linux, where CANCEL goes to those who saw no GOING as well.
 */
#include "vmmap/phys/physmem_notify.h"

#include <errno.h>

API int physmem_listen(struct physmem *pm, struct physmem_listener *l)
{
	struct physmem_listener **at = &pm->listeners;
	int err = 0;

	if (l->fn == NULL)
		return -EINVAL;
	park_lock(&pm->listen_lock);
	for (struct physmem_listener *is = pm->listeners; is != NULL; is = is->next)
		if (is == l)
			err = -EEXIST;
	if (err == 0) {
		while (*at != NULL && (*at)->priority >= l->priority)
			at = &(*at)->next;
		l->number = ++pm->listened;
		l->next = *at;
		*at = l;
	}
	park_unlock(&pm->listen_lock);
	return err;
}

API void physmem_unlisten(struct physmem *pm, struct physmem_listener *l)
{
	struct physmem_listener **at = &pm->listeners;

	park_lock(&pm->listen_lock);
	while (*at != NULL && *at != l)
		at = &(*at)->next;
	if (*at != NULL)
		*at = l->next;
	park_unlock(&pm->listen_lock);
}

/* Up to the listener `last`, inclusive. */
static void cancel(struct physmem *pm, struct physmem_listener *last, enum physmem_event event, uint64_t pfn,
		   uint64_t pages)
{
	for (struct physmem_listener *l = pm->listeners;; l = l->next) {
		(void)l->fn(l, event, pfn, pages);
		if (l == last)
			return;
	}
}

static void cancel_vetoed(struct physmem *pm, struct physmem_listener *by, enum physmem_event event, uint64_t pfn,
			  uint64_t pages)
{
	if (BASE_MUTANT(notify_cancels_late))
		park_unlock(&pm->listen_lock);
	BASE_POINT(notify_vetoed);
	if (BASE_MUTANT(notify_cancels_late))
		park_lock(&pm->listen_lock);
	cancel(pm, by, event, pfn, pages);
}

int physmem_notify_begin(struct physmem *pm, enum physmem_event going, uint64_t pfn, uint64_t pages, uint64_t *told)
{
	enum physmem_event end = going == PHYSMEM_GOING_ONLINE ? PHYSMEM_CANCEL_ONLINE : PHYSMEM_CANCEL_OFFLINE;
	int err = 0;

	park_lock(&pm->listen_lock);
	*told = pm->listened;
	for (struct physmem_listener *l = pm->listeners; l != NULL && err == 0; l = l->next) {
		err = l->fn(l, going, pfn, pages);
		if (err != 0 && !BASE_MUTANT(notify_cancel_untold))
			cancel_vetoed(pm, l, end, pfn, pages);
	}
	park_unlock(&pm->listen_lock);
	return err > 0 ? -ECANCELED : err;
}

void physmem_notify_end(struct physmem *pm, enum physmem_event end, uint64_t pfn, uint64_t pages, uint64_t told)
{
	park_lock(&pm->listen_lock);
	for (struct physmem_listener *l = pm->listeners; l != NULL; l = l->next)
		if (l->number <= told || BASE_MUTANT(notify_ends_only))
			(void)l->fn(l, end, pfn, pages);
	park_unlock(&pm->listen_lock);
}
