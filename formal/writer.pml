/* One writer: phases/recover.py, commit.py, publish.py, retry.py and finish.py, call by call. */

/* Before any call a writer may die: a restart is a new run of the same program with an empty memory. Or the call fails without
 * any effect, and the run goes back to the log. */
#ifndef TRACE
#define DIE if :: true :: (crashes < CRASHES) -> crashes++; goto dead :: (opened && lost < LOST) -> lost++; goto resume fi
#define NOEFFECT(ev, n, x) false
#else
#define DIE if :: true :: HALT -> goto dead :: (opened && FAILED(w)) -> follow(w); goto resume :: (opened && ne[w] == record_list) -> goto resume fi
#define FAILED(w) (MAY_NEXT(w) && no[w] == failed && (ne[w] == record_list || ne[w] == record_read || ne[w] == state_read || ne[w] == file_read))
#define NOEFFECT(ev, n, x) EVENT(ev, n, x, failed)
#endif
/* the answer to a call that had its effect; where none comes the run goes back to the log */
#define ANSWER(ev, n, x, out) if :: EVENT(ev, n, x, out) :: (lost < LOST) -> EVENT(ev, n, x, failed); lost++; goto resume fi

#ifndef SWEEP_YOUNG
#define GARBAGE(x) ((staged[x] || next[x] || kept[x]) && ae[x] <= rq[h])
#else
#define GARBAGE(x) (staged[x] || next[x] || kept[x])
#endif
#ifndef SWEEP_REFERENCED
#define REFERS(n, x) (rk[n] != NONE && ((ra[n] == x && rk[n] == DATA) || rfull[n] == x || rdelta[n] == x))
#else
#define REFERS(n, x) (rk[n] == DATA && ra[n] == x && false)
#endif

#ifdef SOURCE_GENERATION
#define STAGED(a) (staged[a] && !foreign[a])
#else
#define STAGED(a) staged[a]
#endif
#ifdef LATE
#define COPY(what) if :: !copied -> copied = 1; what :: true fi
#define LATE_RECORD(n) COPY(late_n = n; late[0] = rk[n]; late[1] = rid[n]; late[2] = ra[n]; late[3] = rs[n]; late[4] = rq[n]; late[5] = rfull[n]; late[6] = rdelta[n])
#define LATE_FILE(a) COPY(late_a = a)
#define LATE_REVISION(a) COPY(late_a = a; late_r = 1)
#else
#define LATE_RECORD(n)
#define LATE_FILE(a)
#define LATE_REVISION(a)
#endif
#ifndef COMPACT_UNACKED
#define SEALABLE(n) (rk[n] == DATA && !sealed[ROW(n)] && n <= ack)
#else
#define SEALABLE(n) (rk[n] == DATA && !sealed[ROW(n)])
#endif

/* what may be removed under a table: a file whose rows are in a sealed one, of a record that is there */
#ifndef TRACE
#define UNLINKED(n) (rk[n] == DATA && sealed[ROW(n)] && live[ra[n]])
#else
#define UNLINKED(n) (rk[n] == DATA && sealed[ROW(n)] && nn[w] == n)     /* a run that died may have removed it before */
#endif

#define UNKNOWN 0
#define OURS    1
#define OTHERS  2

/* CommitLog.append: create if absent; ask again where no answer came, or give up; where the name is taken read back whose
 * bytes they are. The result is in `res`. */
inline append(ev, n, kind, att) {
  do
  :: atomic {
       DIE;
       assert(n < E);
       if
       :: rk[n] == NONE ->
          if
          :: EVENT(ev, n, SAID, made); res = made
          :: (lost < LOST) -> EVENT(ev, n, SAID, failed); lost++; res = failed
          fi;
          rk[n] = kind; rid[n] = id; ra[n] = att; rs[n] = pos + (kind == DATA); rq[n] = ACKED; rfull[n] = snap; rdelta[n] = diff;
#ifdef TRACE
          rrev[n] = rev + orev[att];
#endif
          if :: n > head -> head = n :: else fi;
          recorded(n, kind, att, ACKED);
          LATE_RECORD(n)
       :: rk[n] != NONE -> EVENT(ev, n, SAID, taken); res = taken
       :: NOEFFECT(ev, n, SAID); res = failed
       fi
     };
     if
     :: res == failed -> res = UNKNOWN; if :: true :: break fi
     :: res == taken ->
#ifdef NO_READ_BACK
        res = OURS; break
#else
        atomic {
          DIE;
          if
          :: rk[n] == NONE -> EVENT(record_read, n, 0, missing); res = UNKNOWN
          :: rk[n] != NONE && rid[n] == id && ra[n] == att -> EVENT(record_read, n, 0, made); res = OURS
          :: rk[n] != NONE && !(rid[n] == id && ra[n] == att) -> EVENT(record_read, n, 0, made); res = OTHERS
          fi
        };
        break
#endif
     :: else -> res = OURS; break
     fi
  od
}

/* CommitLog.check: is there anything newer? */
inline check_head(lose) {
  atomic {
    DIE;
#ifdef CHECK_PREVIOUS
    if :: h > 1 && rk[h - 1] == NONE -> goto lose :: else fi
#else
    if
    :: NEWER(h) -> EVENT(record_list, h, head, made); goto lose
    :: !NEWER(h) -> EVENT(record_list, h, 0, made)
    fi
#endif
  }
}

/* Submit a job whose id is known to be free or to have failed; an id that is in use answers 409. */
inline submit(n, was, is) {
  atomic {
    DIE;
    if
    :: job[n] == was -> job[n] = is; jrow[n] = arow[da]; ANSWER(load_submit, n, 0, made)
    :: job[n] != was ->
#if defined(RANDOM_JOB) || defined(EAGER_RETRY)
       second[n] = 1; jrow[n] = arow[da]                       /* another id: another job */
#else
       EVENT(load_submit, n, 0, taken)
#endif
    fi
  }
}

/* Sink.publish of a file that is new: one call where the store can move, with two halves where it links (or copies) and deletes.
 * Where nothing could be moved, look: published before? */
inline move_file() {
  atomic {
    DIE;
    BEGIN(file_move, n);
    if
#ifdef PUT
    :: !live[da] -> appears(da); res = made
    :: else -> res = missing
#else
    :: STAGED(da) && !live[da] -> appears(da); res = made
    :: STAGED(da) && live[da] -> res = made                    /* another hand was between its two halves */
    :: !STAGED(da) -> res = missing
#endif
    fi;
#ifdef MOVES
    if :: res == made -> staged[da] = 0; ANSWER(file_move, n, 0, made) :: else -> EVENT(file_move, n, 0, missing) fi
  };
#else
  };
  atomic {
    DIE;
    if
    :: res == made -> staged[da] = 0; ANSWER(file_move, n, 0, made)
    :: res == missing -> EVENT(file_move, n, 0, missing)
    :: NOEFFECT(file_move, n, 0); goto resume
    fi
  };
#endif
  if
  :: res == missing ->
     atomic {
       DIE;
       if
       :: live[da] -> EVENT(file_read, n, 0, made)
       :: !live[da] -> EVENT(file_read, n, 0, missing); goto gone
       fi
     };
     atomic { DIE; staged[da] = 0; ANSWER(staged_delete, n, 0, made) }
  :: else
  fi;
  res = 0
}

/* Store.replace_once: look, then rename, and look again where there was nothing to rename; or one conditional move. */
inline replace_file() {
  atomic {
    DIE;
    BEGIN(file_replace, n);
    looked = (revision == aold[da]);
#ifdef NO_PRECONDITION
    looked = 1;
#endif
#ifdef PUT_REVISION
    looked = 0;
    if :: revision != aold[da] + 1 -> becomes(da) :: else fi;
#endif
#ifndef GENERATION
  };
  atomic {
    DIE;
#endif
    if
    :: looked && next[da] -> next[da] = 0; becomes(da); res = made
    :: looked && !next[da] && revision == aold[da] -> res = missing
    :: else -> res = (revision == aold[da] + 1 -> made : taken)
    fi;
    looked = 0;
    if
    :: res == made -> next[da] = 0; ANSWER(file_replace, n, 0, made)
    :: res != made -> EVENT(file_replace, n, 0, res)
    :: NOEFFECT(file_replace, n, 0); goto resume
    fi
  };
  if
  :: res != made ->
     atomic {                            /* a later revision of which our records tell is as good */
       DIE;
       EVENT(file_read, n, 0, made);
       if :: revision > aold[da] && revision <= rev :: else -> goto gone fi
     };
     atomic { DIE; next[da] = 0; ANSWER(staged_delete, n, 0, made) }
  :: else
  fi;
  res = 0
}

proctype writer(bit w) {
  EPOCH id, h, pos, rev, ack, snap, diff;   /* this run, the head it knows, the next row, acked, the state it holds */
  EPOCH a, n, da, dk, kp, km, t, ta, i;
  byte res;
  bit owned, opened, fresh, looked;

born:
  atomic { EVENT(run_start, 0, 0, made); runs++; id = runs };

look:                                   /* recover.load */
  atomic { DIE; EVENT(record_list, 0, head, made); h = head; owned = 0; opened = 0 };
  if
  :: h > 0 ->
     atomic {
       DIE;
       if
       :: rk[h] == NONE -> EVENT(record_read, h, 0, missing); goto look     /* collected between the two calls: somebody went on */
       :: rk[h] != NONE -> EVENT(record_read, h, 0, made); pos = rs[h]; ack = rq[h]; snap = rfull[h]; diff = rdelta[h]; rev = REVS(h)
       fi
     }
  :: else -> pos = 0; ack = 0; snap = 0; diff = 0; rev = 0
  fi;

#ifndef NO_OPEN
  append(open_create, h + 1, OPEN, 0);
  if
  :: res == OURS -> h = h + 1
  :: res == OTHERS -> goto again
  :: else -> goto dead                  /* the run ends with an error, and is started anew */
  fi;
#ifndef NO_CHECK_OPEN
  check_head(again);
#endif
#else
  atomic { owner = id; owned = 1 };
#endif
  assert(owned);                        /* nobody goes on from a take-over that was none */
  opened = 1;

join:                                   /* Kafka: fence the old producer, then ask how far it came */
#ifdef KAFKA
#ifdef MARKER_FIRST
  atomic { DIE; EVENT(kafka_marker, 0, marker, made); km = marker };
#endif
  atomic {
    DIE;
#ifndef NO_FENCING
    fencing++;
#endif
    kp = fencing;
    EVENT(kafka_init, 0, 0, made)
  };
#ifndef MARKER_FIRST
  atomic { DIE; EVENT(kafka_marker, 0, marker, made); km = marker };
#endif
#endif

  if                                    /* recover.restore */
  :: snap > 0 ->
     atomic {
       DIE;
       if
       :: kept[snap] && kept[diff] -> EVENT(state_read, 0, 0, made)
       :: !(kept[snap] && kept[diff]) -> EVENT(state_read, 0, 0, missing); goto gone
       fi
     }
  :: else
  fi;

work:                                   /* publish.redo, and publish after a commit: all of (ack, h] */
  n = ack;
#ifdef NO_REDO
  n = (fresh -> ack : h);
#endif
  do
  :: n == h -> break
  :: else ->
     n++;
     atomic {                           /* the record of a redo is read; that of a commit is in memory */
       if :: fresh :: else -> DIE fi;
       if
       :: rk[n] == NONE && !fresh -> goto gone
       :: else -> dk = rk[n]; da = ra[n]
       fi
     };
     if
     :: dk == DATA ->
        if :: ofile[da] -> move_file() :: else fi;
#ifdef REVISIONS
        if :: orev[da] -> replace_file() :: else fi;
#endif
#ifdef KAFKA
        /* ---- the topic: rows and marker in one transaction */
        if
#ifdef NO_MARKER
        :: true ->
#else
        :: km < n ->
#endif
           atomic { DIE; if :: kp != fencing -> EVENT(kafka_begin, n, 0, taken); goto unseated :: kp == fencing -> EVENT(kafka_begin, n, 0, made) fi };
           atomic {
             DIE;
             if
             :: kp != fencing -> EVENT(kafka_commit, n, 0, taken); goto unseated
             :: kp == fencing ->
                delivered(da);
#ifndef MARKER_APART
                marker = n;
#endif
                ANSWER(kafka_commit, n, 0, made)
             fi
           };
#ifdef MARKER_APART
           atomic { DIE; marker = n };
#endif
           km = n
        :: else
        fi;
#endif
#ifdef LOADS
        /* ---- the warehouse: a job with an id that the record fixes */
        looked = 0;
        do
        :: atomic { DIE; t = job[n]; EVENT(load_get, n, t, made);
#ifdef RANDOM_JOB
             if :: looked :: else -> t = ABSENT fi;
             looked = 1
#endif
           };
           if
           :: t == ABSENT -> submit(n, ABSENT, RUNNING)
           :: t == FAILED -> submit(n, FAILED, AGAIN)
#ifdef EAGER_RETRY
           :: t == RUNNING -> submit(n, FAILED, AGAIN)
#else
           :: t == RUNNING -> (job[n] == LOADED || job[n] == FAILED)              /* wait */
#endif
           :: t == AGAIN -> (job[n] == LOADED)
           :: t == LOADED -> break
           fi
        od;
        looked = 0; t = 0;
#endif
        skip
     :: dk == COMPACT ->                /* the sealed file and its boundary: every epoch up to that */
        atomic {
          DIE;
          t = 1;
          do :: t > da -> break :: else -> if :: rk[t] == DATA -> sealed[ROW(t)] = 1 :: else fi; t++ od;
          t = 0;
          ANSWER(seal_publish, n, 0, made)
        }
     :: else
     fi
  od;
  ack = h; n = 0; da = 0; dk = 0; fresh = 0;

  if
#ifdef SEALING
  :: WANTS(live_delete) && rq[h] > 1 && rk[h] != NONE -> goto unlink
#endif
#ifdef GC
  :: WANTS(record_delete) && rq[h] > 1 && rk[h] != NONE -> goto tidy
  :: WANTS(object_delete) && rq[h] > 1 && rk[h] != NONE -> goto sweep
#endif
#if defined(SEALING) && !defined(TRACE)
  :: compactions < 1 -> goto seal
#endif
  :: true
  fi;
step:
#ifdef TRACE
  if :: WANTS(compact_create) -> goto seal :: else fi;
#endif
#ifndef TRACE
  if
  :: pos == R -> goto finish
  :: else
  fi;
#else
  if :: (ne[w] == close_create) -> goto finish :: else fi;
#endif

  /* ---- stage: attempt-unique names, outside of every table */
  atomic {
    DIE;
    attempts++;
    assert(attempts < A);
#ifdef SHARED_NAMES
    a = h + 1;
    staged[a] = 0;
#else
    a = attempts;
#endif
    ae[a] = h + 1; arow[a] = pos; aold[a] = rev;
    ta = snap; t = diff
  };
#ifdef TRACE
  if :: atomic { EVENT(file_stage, h + 1, 0, made); staged[a] = 1; ofile[a] = 1 } :: true fi;
  if :: atomic { EVENT(revision_stage, h + 1, 0, made); next[a] = 1; orev[a] = 1 } :: true fi;
  if
  :: atomic { EVENT(state_create, h + 1, 0, made); kept[a] = 1; diff = a }
  :: atomic { EVENT(state_create, h + 1, 1, made); kept[a] = 1; diff = a; snap = a }           /* a full snapshot */
  :: true
  fi;
  if
  :: (ne[w] == data_create)
  :: HALT -> goto dead
  :: (ne[w] == record_list) -> goto resume
  :: atomic { (FAILED(w) || (MAY_NEXT(w) && no[w] == failed && (ne[w] == file_stage || ne[w] == revision_stage || ne[w] == state_create))) ->
       follow(w) };
     goto resume
  fi;
#else
  atomic {
    DIE;
    staged[a] = 1; ofile[a] = 1;
    EVENT(file_stage, h + 1, 0, made);
#ifdef IN_PLACE
    appears(a);
#endif
    LATE_FILE(a)
  };
#ifdef REVISIONS
  atomic { DIE; next[a] = 1; orev[a] = 1; EVENT(revision_stage, h + 1, 0, made); LATE_REVISION(a) };
#endif
  atomic { DIE; kept[a] = 1; diff = a; if :: pos % 2 == 0 -> snap = a :: else fi; EVENT(state_create, h + 1, 0, made) };
#endif
  append(data_create, h + 1, DATA, a);
  if
  :: res == OURS -> h = h + 1; pos = pos + 1; rev = rev + orev[a]; t = 0; ta = 0
  :: res == UNKNOWN -> snap = ta; diff = t; t = 0; ta = 0; goto resume
  :: else -> goto fenced
  fi;
check:
#ifndef NO_CHECK
  check_head(fenced);
#endif
  a = 0; res = 0; fresh = 1;
#ifdef COMPACT_UNACKED
  if :: compactions < 1 -> goto seal :: true fi;
#endif
  goto work;

#ifdef SEALING
seal:                                   /* all epochs up to one that is acknowledged by all; they are looked at again by whoever redoes this */
#ifdef TRACE
  atomic { (WANTS(compact_create) && nx[w] <= ack) -> a = nx[w] };
#else
  atomic {
    DIE;
    t = 1;
    do
    :: t > h -> t = 0; goto step
    :: else ->
       if
       :: SEALABLE(t) -> break
       :: else -> t++
       fi
    od;
    a = t; t = 0; compactions++
  };
#endif
  append(compact_create, h + 1, COMPACT, a);
  if
  :: res == OURS -> h = h + 1
  :: res == UNKNOWN -> goto resume
  :: else -> goto fenced
  fi;
  goto check;

unlink:                                 /* small files whose rows are sealed, before the record that names them, below the horizon */
  atomic {
    DIE;
    t = 1;
    do
    :: t >= HORIZON -> break
    :: t < HORIZON && UNLINKED(t) -> break
    :: else -> t++
    od;
    if :: t >= HORIZON -> t = 0; goto step :: else fi
  };
  atomic { DIE; live[ra[t]] = 0; EVENT(live_delete, t, 0, made); t = 0 };
  if
#ifdef GC
  :: WANTS(record_delete) -> goto tidy
  :: WANTS(object_delete) -> goto sweep
#endif
  :: WANTS(live_delete) -> goto unlink
  :: true -> goto step
  fi;
#endif

#ifdef GC
tidy:                                   /* records below the horizon that a committed record of ours announces, ascending, never the head */
  atomic {
    DIE;
#ifdef DESCENDING
    t = HORIZON - 1;
    do :: t == 0 || rk[t] != NONE -> break :: else -> t-- od;
#else
    t = 1;
    do :: t >= HORIZON || rk[t] != NONE -> break :: else -> t++ od;
#endif
    if :: t == 0 || t >= HORIZON -> t = 0; goto step :: else fi
  };
  atomic {
    DIE;
    if
    :: rk[t] != NONE ->
       collected(t);
       rk[t] = NONE; rid[t] = 0; ra[t] = 0; rs[t] = 0; rq[t] = 0; rfull[t] = 0; rdelta[t] = 0; genuine[t] = 0;
       do :: head > 0 && rk[head] == NONE -> head-- :: else -> break od
    :: else
    fi;
    EVENT(record_delete, t, 0, made);
    t = 0
  };
  if
  :: WANTS(record_delete) -> goto tidy
  :: WANTS(object_delete) -> goto sweep
#ifdef SEALING
  :: WANTS(live_delete) -> goto unlink
#endif
  :: true -> goto step
  fi;

sweep:                                  /* what attempts left, up to what is acknowledged, unless a record refers to it */
  atomic {
    DIE;
    ta = 1;
    do
    :: ta > attempts -> ta = 0; goto step
    :: ta <= attempts && GARBAGE(ta) ->
       t = (rq[h] > 0 -> rq[h] : 1);    /* records below the horizon are read by nobody: their files go before them */
       do                               /* does a record that is needed refer to it? */
       :: t > head -> break
       :: t <= head && REFERS(t, ta) -> break
       :: else -> t++
       od;
       if
       :: t > head -> t = 0; break
#ifdef TRACE
       :: t > head -> t = 0; ta++       /* in whatever order it likes */
#endif
       :: else -> t = 0; ta++
       fi
#ifdef TRACE
    :: ta <= attempts && ae[ta] == nn[w] && !(staged[ta] || next[ta] || kept[ta]) -> break   /* another object of the same attempt */
#endif
    :: else -> ta++
    od
  };
  atomic { DIE; staged[ta] = 0; next[ta] = 0; kept[ta] = 0; EVENT(object_delete, ae[ta], 0, made); ta = 0 };
  if
  :: WANTS(record_delete) -> goto tidy
  :: WANTS(object_delete) -> goto sweep
#ifdef SEALING
  :: WANTS(live_delete) -> goto unlink
#endif
  :: true -> goto step
  fi;
#endif

finish:                                 /* finish.close_log */
  append(close_create, h + 1, CLOSE, 0);
  if
  :: res == UNKNOWN -> goto resume
  :: res == OTHERS -> goto fenced
  :: else
  fi;
  closed++;
  goto end;

resume:                                 /* recover.resume: adopt what this run did commit */
  atomic {
    DIE;
    res = 0; looked = 0; fresh = 0; t = 0; ta = 0; a = 0;
    if
    :: !NEWER(h) -> EVENT(record_list, h, 0, made)
    :: NEWER(h) -> EVENT(record_list, h, head, made);
       if
       :: rid[head] != id -> goto fenced
       :: else -> h = head; pos = rs[h]; snap = rfull[h]; diff = rdelta[h]; rev = REVS(h)
       fi
    fi
  };
  if :: rk[h] == CLOSE && rid[h] == id -> closed++; goto end :: else -> goto join fi;

unseated:                               /* the broker says another producer came: has somebody taken over, or only looked in? */
  fresh = 0;
  check_head(fenced);
  goto join;

gone:                                   /* something is not there: first ask whether we own the job at all */
  atomic {
    DIE;
#ifdef NO_RECHECK
    assert(false);                      /* it would be called a loss of data */
#endif
    assert(NEWER(h));                   /* nothing referenced is collected */
    EVENT(record_list, h, head, made)
  };
  if :: opened -> goto fenced :: else -> goto again fi;

again:                                  /* lost the race for the open record */
  if
  :: rounds == ROUNDS -> goto fenced
  :: else -> rounds++; res = 0; goto look
  fi;

dead:
  id = 0; h = 0; pos = 0; rev = 0; ack = 0; snap = 0; diff = 0; a = 0; n = 0; da = 0; dk = 0; kp = 0; km = 0; t = 0; ta = 0; res = 0; i = 0;
  owned = 0; opened = 0; fresh = 0; looked = 0;
  goto born;

fenced:
end:
#ifdef TRACE
  HALT;
  goto dead
#else
  atomic {
    ended++;
    if
    :: ended == 2 -> judged()
    :: else
    fi
  }
#endif
}
