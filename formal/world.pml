/* What the writers act upon: the log, the staged and published files, the topic, the warehouse. Nothing here decides.
 *
 * Epochs are counted from 1, so that 0 can mean "none"; `head` is the newest record a LIST would show. Words of the second
 * group are ghosts: no writer reads them, they are what the properties are said about.
 */
#define NONE    0
#define OPEN    1
#define DATA    2
#define COMPACT 3
#define CLOSE   4

byte rk[E];          /* kind of record n, NONE where there is none */
EPOCH rid[E];         /* which run of which writer wrote it: the uuid in the bytes */
EPOCH ra[E];          /* DATA: the attempt whose staged bytes it names; COMPACT: the epoch up to which it seals */
EPOCH rs[E];          /* the offset where the next epoch begins; a DATA record holds row rs-1 */
EPOCH rq[E];          /* acked: everything up to this epoch is published */
EPOCH rfull[E];       /* the attempts whose state files restore the record: a full snapshot ... */
EPOCH rdelta[E];      /* ... and what changed since; the same where the snapshot is newest */
EPOCH head;

EPOCH ae[A];          /* the epoch an attempt was made for, and the row it holds */
EPOCH arow[A];
EPOCH aold[A];        /* the revision its correction replaces */
bit ofile[A];        /* whether it has an output file, and a correction: in the checker always, in a trace not */
bit orev[A];
bit staged[A];       /* its output file lies in staging */
bit live[A];         /* its output file has its final name, and is read by everybody */
bit kept[A];         /* its state file exists */
bit next[A];         /* its revision of the corrected file lies in staging */
EPOCH revision;       /* which revision the corrected file holds */

EPOCH fencing;        /* Kafka: the producer epoch the broker takes transactions from */
EPOCH marker;         /* Kafka: the offset committed in the sink's group */
EPOCH jrow[E];        /* warehouse: the row of the load job of epoch n, and how that job stands */
byte job[E];
bit second[E];       /* a second job runs for epoch n, under an id of its own (mutants only) */
#define ABSENT  0
#define RUNNING 1
#define LOADED  2
#define FAILED  3
#define AGAIN   4    /* the second job, with another id, after the first one failed */

EPOCH crashes, lost, rounds, failures, compactions, runs, attempts, ended, closed;

#ifdef LATE
byte late_n, late[7], late_a;   /* a second copy of a request, still under way: of a record, of a staged file, of a revision */
bit late_r, copied;
bit foreign[A];                 /* what lies in staging is a second copy: equal bytes, another generation */
#endif

bit genuine[E];      /* the record was made when its number was new */
bit known[A];        /* a record that names this attempt was committed */
bit appeared[R];     /* row r was given its final name once */
bit sealed[R];       /* row r was moved into a sealed file */
bit produced[R];     /* row r is in the topic, committed */
bit loaded[R];       /* row r is in the warehouse */
EPOCH ever;           /* the largest epoch a record was ever made for */
EPOCH settled;        /* the largest `acked` any record says */
EPOCH owner;          /* the run that took over last */

#define ROW(n) (rs[n] - 1)
#define NEWER(n) (head > (n))
#ifndef TRACE
#define REVS(n) rs[n]                  /* here every epoch corrects the file once */
#else
#define REVS(n) rrev[n]
EPOCH rrev[E];                         /* how many corrections there were up to record n */
bit followed = 1;
#endif
