/* The commit protocol of docs/commit-log.md, for SPIN. Two writers run the same program; both may sleep anywhere, for as long
 * as the other one needs to finish: that is what a zombie is. Each atomic block is one call to the outside (or a decision that
 * nobody can see); a writer can die before each, and a reply can be lost after its effect.
 *
 * Rules that can be switched off are marked NO_...; formal/check.py knows what each does and that the checker refutes it.
 */
#ifndef R
#define R 2          /* rows of input: each data epoch takes one */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOST
#define LOST 1
#endif
#ifndef ROUNDS
#define ROUNDS 1    /* how often somebody who lost the race for the open record tries again */
#endif
#ifndef E
#define E 12         /* more records than any behaviour needs: running out is an error */
#endif
#ifndef A
#define A 8
#endif

#ifdef HEAD_TOO
#define HORIZON (h + 1)
#elif defined(NO_HORIZON)
#define HORIZON ack
#else
#define HORIZON rq[h]
#endif

#if defined(ACK_EARLY)
#define ACKED ((kind == DATA) * n + (kind != DATA) * ack)
#elif defined(OPEN_ACKS)
#define ACKED ((kind == OPEN) * h + (kind != OPEN) * ack)
#else
#define ACKED ack
#endif

#define SAID ((kind == COMPACT) * att + (kind != COMPACT) * ACKED)   /* what a record tells beside its number: acked, or what it seals */

#ifndef TRACE
#define EPOCH byte
#else
#define EPOCH short
#endif

#include "world.pml"
#include "events.pml"
#include "rules.pml"
#include "writer.pml"
#ifdef LOADS
#include "warehouse.pml"
#endif
#ifdef LATE
#include "network.pml"
#endif

init {
#ifdef TRACE
  atomic { open_trace(); run writer(0); run writer(1); run onlooker(0); run onlooker(1); run judge() }
#else
  atomic { run writer(0); run writer(1) }
#endif
#ifdef LOADS
  ; run warehouse()
#endif
#ifdef LATE
  ; run network()
#endif
}
