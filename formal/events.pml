/* Every call a writer makes to the outside, by the name it has in a protocol trace (with a dot for the first underscore):
 * src/arrowflow/protocol.py tells of each, and a test holds both lists against each other.
 */
#define run_start        1    /* a run begins, with an empty memory */
#define record_list      2    /* which record is the newest above a number? */
#define record_read      3
#define open_create      4    /* a record is created if absent: by its kind */
#define data_create      5
#define compact_create   6
#define close_create     7
#define file_stage       8    /* an attempt's output file, under a name no reader sees */
#define revision_stage   9    /* the same for a later revision of a published file */
#define state_create    10
#define state_read      11
#define file_move       12    /* the staged file gets its final name, once */
#define file_replace    13    /* the staged revision takes the place of the file */
#define file_read       14    /* a published file is looked at: is it what the record says? */
#define staged_delete   15    /* a staged copy of what is published is dropped */
#define kafka_init      16    /* init_transactions: fences the producer before */
#define kafka_marker    17    /* how far did the sink's group come? */
#define kafka_begin     18    /* the outbox is produced into a transaction */
#define kafka_commit    19
#define load_get        20    /* how does the load job with this id stand? */
#define load_submit     21
#define seal_publish    22    /* the sealed file gets its name: from now on its epochs are read from it */
#define live_delete     23    /* a small file that is sealed is deleted under its table */
#define record_delete   24    /* garbage: below the horizon */
#define object_delete   25    /* garbage: staged files and state of epochs that are acknowledged, referenced by no record */

/* Told by the engine and left out of the model (docs/model.md says why): #define would be wrong, nothing uses them.
 *   left out: job_create job_read kept_create kept_read outbox_create outbox_read staged_read file_list object_create object_read object_list object_move kafka_abort reset_create reconfig_create retire_create
 */

/* how a call ended */
#define made    1
#define taken   2
#define missing 3
#define failed  4    /* no answer came: it may have had its effect or not */

#ifndef TRACE
/* The checker explores every behaviour; a replayed counterexample prints one line per call. */
#define EVENT(ev, n, x, out) true -> printf("@ %d %d %d %d %d %d\n", w, id, ev, n, x, out)
#define BEGIN(ev, n)         true
#define HALT                 false
#define WANTS(ev)            true
#else
/* A trace is followed instead: a call can only be made if it is the next one that this writer made. */
#define EVENT(ev, n, x, out) (ne[w] == ev && nn[w] == (n) && nx[w] == (x) && no[w] == out && done[1 - w] >= nd[w]) -> follow(w)
#define BEGIN(ev, n)         (ne[w] == ev && nn[w] == (n) && done[1 - w] >= nd[w])
#define HALT                 (ne[w] == run_start && id > 0)
#define WANTS(ev)            (ne[w] == ev)
#include "trace.pml"
#endif
