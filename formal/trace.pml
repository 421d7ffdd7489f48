/* A trace is followed: what each writer did, call by call, is read from the file that the environment names, and a writer of the
 * model can make a call only if it is the next one its slot made. Slots are processes that lived one after the other; of two
 * calls in different slots, one that had ended before the other began comes first. The trace is a behaviour of the model if
 * both slots can be followed to the end, which the checker reports as the violation of `followed`.
 */
c_decl {
  enum { MOST = 60000 };
  static short t_ev[2][MOST], t_n[2][MOST], t_x[2][MOST], t_out[2][MOST]; static int t_before[2][MOST], t_len[2], t_far[2];
  static void t_tell(void) { printf("followed %d %d of %d %d\n", t_far[0], t_far[1], t_len[0], t_len[1]); }
};

byte ne[2];            /* the next call of each slot: its event, epoch, further fact, outcome */
short nn[2], nx[2];
byte no[2];
int nd[2];             /* how many calls of the other slot had ended before it began */
int done[2];           /* how many calls of each slot were followed */
byte who;

inline load_next() {
  c_code {
    int w_ = now.who, i_ = now.done[w_], more_ = i_ < t_len[w_];
    now.ne[w_] = more_ ? t_ev[w_][i_] : 0;
    now.nn[w_] = more_ ? t_n[w_][i_] : 0;
    now.nx[w_] = more_ ? t_x[w_][i_] : 0;
    now.no[w_] = more_ ? t_out[w_][i_] : 0;
    now.nd[w_] = more_ ? t_before[w_][i_] : 0;
    if (i_ > t_far[w_]) t_far[w_] = i_;
  }
}

inline follow(w) {
  who = w;
  c_code { now.done[now.who]++; };
  load_next()
}

inline open_trace() {
  c_code {
    int w_, ev_, n_, x_, out_, before_;
    FILE *file_ = fopen(getenv("PROTOCOL_TRACE"), "r");
    while (file_ && fscanf(file_, "%d %d %d %d %d %d", &w_, &ev_, &n_, &x_, &out_, &before_) == 6 && t_len[w_] < MOST) {
      int i_ = t_len[w_]++;
      t_ev[w_][i_] = ev_; t_n[w_][i_] = n_; t_x[w_][i_] = x_; t_out[w_][i_] = out_; t_before[w_][i_] = before_;
    }
    if (file_) fclose(file_);
    atexit(t_tell);
  };
  who = 1; load_next();
  who = 0; load_next()
}

#define MAY_NEXT(w) (ne[w] != 0 && done[1 - w] >= nd[w])
#define NEWEST(n) (head > (n) -> head : 0)

/* Looking changes nothing, so a writer may look at records whenever it likes; what it saw has to be true. A look that failed is
 * skipped here, and the writer goes back to the log. */
proctype onlooker(bit w) {
  do
  :: atomic { MAY_NEXT(w) && ne[w] == record_list && no[w] == made && nx[w] == NEWEST(nn[w]) -> follow(w) }
  :: atomic { MAY_NEXT(w) && ne[w] == record_read && no[w] == made && rk[nn[w]] != NONE -> follow(w) }
  :: atomic { MAY_NEXT(w) && ne[w] == record_read && no[w] == missing && rk[nn[w]] == NONE -> follow(w) }
  :: atomic { MAY_NEXT(w) && ne[w] == state_read && no[w] == made -> follow(w) }
  od
}

proctype judge() {
  (ne[0] == 0 && ne[1] == 0) -> assert(!followed)
}
