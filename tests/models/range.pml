/* SPDX-License-Identifier: MIT */
/*
 * range.pml - range locks held in the map (locks/range_lock.h, waiter.h): acquire with split, wait, cancel, release,
 * hand-over. Three threads lock ranges of three pages again and again, for ever; at the start one VMA covers all pages.
 *
 * STEPS      One atomic step is what is one in the engine: a lock word's CAS or store, a CAS or swap of the queue word,
 *            a CAS of a waiter's state. A VMA is taken, cut and freed whole: its pages show one word.
 * COUNT      of acquisitions in the queue word: 2^32 values there. Here: exactly as good as unbounded; who has loaded
 *            the count of a lock is told when that lock closes (stale).
 * TICKETS    1 is the oldest; numbers close up when one is given back, so that there are finitely many states.
 * PROPERTIES no invalid end state (deadlock, lost wake-up), exclusion, the overtaking bound (assertions). With
 *            -DSERVED, under weak fairness: `answered`: who stands in a queue is woken; `served`: who waits gets in.
 *            There a look and the push that follows are one step, and so is a release: a thread that polls (the queue
 *            is closed, or closed between its look and its push) may be outrun by whoever takes and gives back the
 *            range meanwhile, again and again, and no fairness of steps rules that out.
 * INSISTING  To look whether an older one insists, and to take, are two steps: in between one is in flight
 *            (range_insist.c). Each grant of a retry counts as overtaken, whatever the reason.
 * MUTANTS    -DQUEUE_LEFT_OPEN, -DHANDOVER_WITH_HOLES, -DDESCENDING_ACQUIRE, -DNEVER_INSISTS, -DUNHEARD, -DWAKE_LOST:
 *            each is rejected (spin.py).
 * SIZE       three threads, three pages. Ranges form a staircase below a wide one; -DNARROW: two single pages and a
 *            wide one; -DWIDE: all go to the end. -DCANCEL: threads 1 and 2 may give up.
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef PAGES
#define PAGES 3
#endif
#define BOUND (THREADS + 2)
#define INSISTS 2
#ifdef NEVER_INSISTS
#define NEVER true
#else
#define NEVER false
#endif
#ifdef SERVED
#define QUICK(t) true
#else
#define QUICK(t) false
#endif

mtype = { FREE, WAITING, CLAIMED, GRANTED, CANCELLED };

byte lk[PAGES];                 /* 0: free; t + 1: held by thread t                   */
bool begins[PAGES + 1];         /* a VMA begins at this page                          */
byte inside[PAGES];             /* how many threads believe that they hold this page  */

/* of a thread's lock object */
bool opened[THREADS];
byte lo[THREADS], hi[THREADS], cursor[THREADS];
/* of its waiter's record */
mtype state[THREADS] = FREE;
byte on[THREADS];               /* whose queue it stands in                           */
bool stale[THREADS];            /* the acquisition whose count was loaded has closed  */
byte looked[THREADS];           /* t + 1: whose count was loaded                      */
byte given[THREADS];            /* 0: look again; else where the gift ends            */
byte ticket[THREADS], tickets;
byte fails[THREADS];
bool said[THREADS];             /* that it insists, at its cursor                     */
bool clear[THREADS];            /* has looked: nobody older insists over its cursor   */
bool crit[THREADS], waits[THREADS];

/* Do two pages show the same VMA? */
#define BORDER(at, a, b) (begins[at] && ((a) < at) != ((b) < at))
#define TOGETHER(a, b)   (!BORDER(1, a, b) && !BORDER(2, a, b))
/* Does t insist over the VMA at `me`'s cursor, and is it older? */
#define LETS_BY(t)       (t != me && said[t] && (ticket[me] == 0 || ticket[t] < ticket[me]) && \
			  TOGETHER(cursor[t], cursor[me]))
#ifdef UNHEARD
#define HEEDS false
#else
#define HEEDS (LETS_BY(0) || LETS_BY(1) || LETS_BY(2))
#endif
#if defined(CANCEL) && !defined(NARROW)
#define CLEAR     (!HEEDS)              /* at once: too many states otherwise                 */
#define LOOKS     false
#else
#define CLEAR     clear[me]
#define LOOKS     (!clear[me] && !HEEDS)
#endif

inline ticket_take(t)
{
	if
	:: ticket[t] == 0 -> tickets++; ticket[t] = tickets
	:: else
	fi
}

inline ticket_give(t)
{
	if
	:: ticket[t] != 0 ->
		i = 0;
		do
		:: i < THREADS -> if :: ticket[i] > ticket[t] -> ticket[i]-- :: else fi; i++
		:: else -> break
		od;
		ticket[t] = 0; tickets--; i = 0
	:: else
	fi
}

/* The pages of the VMA over p: [from, to). */
inline extent(p)
{
	from = p; to = p + 1;
	do :: !begins[from] -> from-- :: else -> break od;
	do :: to < PAGES && !begins[to] -> to++ :: else -> break od
}

inline set_word(p, end, word)
{
	i = p;
	do :: i < end -> lk[i] = word; i++ :: else -> break od;
	i = 0
}

/* w: of the threads for which `which` holds the one with the oldest ticket, from `least` on; THREADS: none. */
inline oldest(least, which)
{
	d_step {
		w = 0; n = THREADS; i = THREADS + 1;
		do
		:: w < THREADS ->
			if :: (which) && ticket[w] >= least && ticket[w] < i -> i = ticket[w]; n = w :: else fi;
			w++
		:: else -> break
		od;
		w = n; n = 0; i = 0
	}
}

/* Takes the free VMA over p, cut to [p, end), for t; n: where that ends. */
inline take(p, end, t)
{
	extent(p);
	n = (to < end -> to : end);
	begins[p] = true;
	begins[n] = true;
	set_word(p, n, t + 1);
	from = 0; to = 0
}

/* ---- release of h's lock: [lo, cursor) is held ---- */

inline hand(h, t)
{
	d_step { p = cursor[t]; end = (hi[t] < cursor[h] -> hi[t] : cursor[h]);
		 if :: p < lo[h] || p >= cursor[h] -> end = p :: else fi;
#ifndef UNHEARD
		 /* nothing over which one older insists */
		 k = 0;
		 do
		 :: k < THREADS ->
			if
			:: k != t && said[k] && ticket[k] < ticket[t] && lk[cursor[k]] != t + 1 ->
				extent(cursor[k]);
				if :: from < end && to > p -> end = (from > p -> from : p) :: else fi;
				from = 0; to = 0
			:: else
			fi;
			k++
		 :: else -> break
		 od;
#endif
		 k = 0 }
#ifdef HANDOVER_WITH_HOLES
	/* All that is wholly wanted is passed before the parts are claimed; what was lost is stepped over. */
	do
	:: p < end -> d_step { if :: lk[p] == h + 1 ->
			extent(p);
			if
			:: from >= cursor[t] && to <= end -> set_word(from, to, t + 1)
			:: else -> set_word(from, to, 0)
			fi
			:: else fi; p++; from = 0; to = 0 }
	:: else -> break
	od;
	p = cursor[t];
	do
	:: p < end -> atomic { if :: lk[p] == 0 -> d_step { take(p, end, t) } :: else fi; p++; n = 0 }
	:: else -> break
	od;
	skip;
	atomic { if :: lk[cursor[t]] == t + 1 -> given[t] = cursor[t] + 1 :: else fi }
#else
	do
	:: p < end ->
		d_step {
			if
			:: lk[p] == h + 1 ->
				extent(p);
				n = (to < end -> to : end);
				if
				:: from >= p && to <= end -> set_word(from, to, t + 1)
				:: else -> set_word(from, to, 0)         /* wanted in part: free, and claimed next */
				fi;
				from = 0; to = 0
			:: else -> extent(p); n = (to < end -> to : end); from = 0; to = 0
			fi
		};
		/* hand_claim */
		atomic {
			if
			:: lk[p] == t + 1 -> p = n; n = 0
			:: lk[p] == 0 -> d_step { take(p, end, t); p = n; n = 0 }
			:: else -> n = 0; break
			fi
		}
	:: else -> break
	od;
	skip;
	d_step { if :: p > cursor[t] -> given[t] = p :: else fi }
#endif
}

inline release(h)
{
	/* close: one swap; what stands in the queue is ours to answer */
	d_step {
#ifndef QUEUE_LEFT_OPEN
		opened[h] = false;
#endif
		i = 0;
		do
		:: i < THREADS ->
			queue[i] = (on[i] == h && (state[i] == WAITING || state[i] == CANCELLED));
			if :: looked[i] == h + 1 -> stale[i] = true :: else fi;
			i++
		:: else -> break
		od;
		i = 0
	};
	/* claim */
	d_step {
		do
		:: w < THREADS ->
			if
			:: queue[w] && state[w] == WAITING -> state[w] = CLAIMED; given[w] = 0
			:: queue[w] && state[w] == CANCELLED -> state[w] = FREE; queue[w] = false
			:: else
			fi;
			w++
		:: else -> break
		od;
		w = 0
	};
	/* what insists gets what it waits for, oldest ticket first */
	k = 1;
	do
	:: k <= THREADS ->
		atomic {
			oldest(k, queue[w] && fails[w] >= INSISTS && !NEVER);
			if :: w == THREADS -> break :: else fi
		};
		hand(h, w);
		d_step { k = ticket[w] + 1; w = 0; p = 0; end = 0; n = 0 }
	:: else -> break
	od;
	skip;
	d_step { k = 0; w = 0; end = 0; n = 0; p = lo[h] };
	/* sweep, low to high */
	do
	:: p < cursor[h] -> d_step {
			if
			:: lk[p] == h + 1 -> extent(p); set_word(from, to, 0); p = to; from = 0; to = 0
			:: else -> p++
			fi }
	:: else -> break
	od;
	p = 0;
	/* grant */
	do
	:: atomic {
		oldest(1, queue[w]);
		if :: w == THREADS -> break :: else fi;
		queue[w] = false;
#ifdef WAKE_LOST
		if :: w == 0 -> state[w] = CLAIMED :: else -> state[w] = GRANTED fi;
#else
		state[w] = GRANTED;
#endif
		w = 0
	   }
	od;
	skip;
	d_step { k = 0; w = 0 }
}

proctype thread(byte me)
{
	byte i, n, from, to, p, end, w, k, h;
	bool queue[THREADS], gives_up;

choose:
	/* Idle, perhaps for ever. */
end_idle:
	atomic {
		if
#if defined(NARROW)
		:: me == 0 -> lo[me] = 0; hi[me] = PAGES
		:: me != 0 -> lo[me] = me - 1; hi[me] = me
#elif defined(WIDE)
		:: me == 1 -> lo[me] = 1; hi[me] = PAGES
		:: me != 1 -> lo[me] = 0; hi[me] = PAGES
#else
		:: me == 0 -> lo[me] = 0; hi[me] = PAGES - 1
		:: me == 1 -> lo[me] = 1; hi[me] = PAGES
		:: me > 1 -> lo[me] = 0; hi[me] = PAGES
#endif
		fi;
		cursor[me] = lo[me]; opened[me] = true; waits[me] = true
	};
acquire:
	do
	:: cursor[me] >= hi[me] -> break
	:: else ->
#ifdef DESCENDING_ACQUIRE
		/* Thread 1 takes the upper end first, and waits for whoever holds it. */
		if
		:: me == 1 ->
			atomic {
				p = hi[me] - 1;
				do :: p > lo[me] && lk[p] == me + 1 -> p-- :: else -> break od;
				if
				:: lk[p] == me + 1 -> cursor[me] = hi[me]; p = 0; goto acquire
				:: else -> lk[p] == 0; d_step { take(p, p + 1, me); p = 0; n = 0 }; goto acquire
				fi
			}
		:: else
		fi;
#endif
		atomic {
			if
			:: lk[cursor[me]] == me + 1 ->
				cursor[me] = cursor[me] + 1; fails[me] = 0; said[me] = false; clear[me] = false;
				goto acquire
			/* Heeds, then takes: in flight between the two. */
			:: lk[cursor[me]] != me + 1 && LOOKS ->
				clear[me] = true; goto acquire
			:: lk[cursor[me]] == 0 && !CLEAR && HEEDS && ticket[me] == 0 ->
				d_step { ticket_take(me) }; goto acquire
			:: lk[cursor[me]] == 0 && CLEAR ->
				d_step { take(cursor[me], hi[me], me); cursor[me] = n; n = 0; fails[me] = 0;
					 said[me] = false; clear[me] = false };
				goto acquire
			:: lk[cursor[me]] != 0 && lk[cursor[me]] != me + 1 && (CLEAR || HEEDS) ->
				h = lk[cursor[me]] - 1; clear[me] = false;
				said[me] = (fails[me] >= INSISTS && !NEVER);
				if :: said[me] -> d_step { ticket_take(me) } :: else fi;
				assert(fails[me] <= BOUND);
				if
				:: QUICK(me) && opened[h] ->
					d_step { ticket_take(me); state[me] = WAITING; on[me] = h; h = 0 };
					goto asleep
				:: QUICK(me) && !opened[h] -> opened[h] || lk[cursor[me]] != h + 1; h = 0; goto acquire
				:: else
				fi
			fi
		};
		/* Q3: the count, then the second look */
		atomic {
			if
			:: !opened[h] -> h = 0; goto acquire               /* polls */
			:: else -> looked[me] = h + 1; stale[me] = false
			fi
		};
		atomic {
			if
			:: lk[cursor[me]] != h + 1 -> looked[me] = 0; h = 0; goto acquire
			:: else
			fi
		};
		/* Q1 */
		atomic {
			looked[me] = 0;
			if
			:: opened[h] && !stale[me] && (state[me] == FREE || (state[me] == CANCELLED && on[me] == h)) ->
				d_step { ticket_take(me); state[me] = WAITING; on[me] = h; h = 0 }
			:: else -> h = 0; stale[me] = false; goto acquire
			fi
		};
asleep:
		if
		:: state[me] == GRANTED
#ifdef CANCEL
		:: atomic { me != 0 && state[me] == WAITING -> state[me] = CANCELLED; gives_up = true }
#endif
		fi;
		d_step {
			if
			:: gives_up
			:: else ->
				on[me] = 0;
				state[me] = FREE;
				if
				:: given[me] == 0 -> fails[me]++
				:: else -> cursor[me] = given[me]; given[me] = 0; fails[me] = 0; said[me] = false
				fi
			fi
		};
		if :: gives_up -> break :: else fi
	od;
	if
	:: gives_up -> d_step { gives_up = false; fails[me] = 0; said[me] = false; waits[me] = false; ticket_give(me) }
	:: else ->
		d_step {
			ticket_give(me);
			fails[me] = 0; waits[me] = false; crit[me] = true;
			p = lo[me];
			do
			:: p < hi[me] -> assert(lk[p] == me + 1 && inside[p] == 0); inside[p]++; p++
			:: else -> break
			od;
			p = 0
		};
		d_step {
			p = lo[me];
			do :: p < hi[me] -> inside[p]--; p++ :: else -> break od;
			p = 0; crit[me] = false
		}
	fi;
#ifdef SERVED
	atomic { release(me) };
#else
	release(me);
#endif
	goto choose
}

init {
	atomic {
		begins[0] = true; begins[PAGES] = true;
#ifdef WIDE
		begins[2] = true;
#endif
		byte t = 0;
		do :: t < THREADS -> run thread(t); t++ :: else -> break od
	}
}

ltl answered { [] (state[0] == WAITING -> <> (state[0] == GRANTED)) }
ltl served { [] (waits[0] -> <> crit[0]) }
