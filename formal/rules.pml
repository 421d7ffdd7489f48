/* The properties, said where something changes. Each is an assertion, so a counterexample ends at the step that broke it. */

/* Two properties can be left out, to see what a mutant does to rows (docs/model.md). */
#ifndef ROWS_ONLY
#define OWNS (owner == id)
#define NO_HOLE(n) (!(genuine[n] && rk[n] != NONE))
#else
#define OWNS true
#define NO_HOLE(n) true
#endif

/* A file gets its final name: its record was committed, its row was never there before, and nobody has yet been told that this
 * epoch is settled. */
inline appears(a) {
  assert(known[a]);                 /* never an output without its record */
  assert(!appeared[arow[a]]);       /* each row published at most once */
  assert(!sealed[arow[a]]);
  assert(ae[a] > settled);          /* nothing changes once it was acknowledged: a fenced writer changes nothing */
  live[a] = 1;
  appeared[arow[a]] = 1
}

/* A revision takes the place of the one before. */
inline becomes(a) {
  assert(known[a]);
  assert(revision == aold[a]);      /* never replaced by an older one, none left out */
  assert(ae[a] > settled);
  revision = aold[a] + 1
}

/* A transaction is committed; what it holds is seen by readers. */
inline delivered(a) {
  assert(known[a]);
  assert(!produced[arow[a]]);
  assert(ae[a] > settled);
  produced[arow[a]] = 1
}

/* A load job has put its rows into the table. */
inline arrived(n) {
  assert(!loaded[jrow[n]]);
  loaded[jrow[n]] = 1
}

/* A record is made. Its number is new, or it was collected long ago and the writer has slept through it. `known` follows
 * the first case only, so acting on a record of the second is an output without its record. */
inline recorded(n, kind, att, acked) {
  if
  :: n > ever ->
     genuine[n] = 1;
     ever = n;
     if
     :: kind == OPEN -> owner = id; owned = 1
     :: kind == DATA -> known[att] = 1; assert(OWNS)     /* whoever was replaced commits nothing more */
     :: kind == COMPACT ->
        assert(OWNS);
        i = 1;
        do                           /* what is said to be sealed was published: its rows were there to be put together */
        :: i > att -> break
        :: else -> assert(!(rk[i] == DATA && genuine[i] && ofile[ra[i]]) || appeared[ROW(i)]); i++
        od;
        i = 0
     :: else
     fi;
     assert(acked >= settled);       /* acked never falls */
     settled = acked;
#ifndef TRACE                           /* here a behaviour of the model is followed, of which this is known */
     i = 1;
     do                              /* what is acknowledged is out: marker >= acked, and the same for every sink */
     :: i > acked -> break
     :: else ->
        if
        :: rk[i] == DATA && genuine[i] ->
           assert(appeared[ROW(i)] || !ofile[ra[i]]);
#ifdef REVISIONS
           assert(revision > aold[ra[i]] || !orev[ra[i]]);
#endif
#ifdef KAFKA
           assert(produced[ROW(i)] && marker >= i);
#endif
#ifdef LOADS
           assert(loaded[ROW(i)]);
#endif
        :: else
        fi;
        i++
     od;
     i = 0
#endif
  :: else
  fi
}

/* A record is collected. */
inline collected(n) {
  if
  :: genuine[n] ->
#ifndef TRACE
     i = 1;
     do                              /* the log has no holes: what is listed is one dense range, apart from resurrected names */
     :: i == n -> break
     :: else -> assert(NO_HOLE(i)); i++
     od;
     i = 0;
#endif
     assert(n < ever)                /* never the newest: its number would be taken again */
  :: else
  fi
}

/* Both writers have come to an end, and the last owner was not killed: everything is out, exactly once. */
inline judged() {
  assert(closed > 0);
  i = 0;
  do
  :: i == R -> break
  :: else ->
     assert(appeared[i]);
#ifdef KAFKA
     assert(produced[i]);
#endif
#ifdef LOADS
     assert(loaded[i]);
#endif
     i++
  od;
  i = 0;
#ifdef REVISIONS
  assert(revision == R);
#endif
}
