/* The warehouse works on its own: a running job ends well or not, with all of its rows or none. */
inline runs_on(n) {
  if
  :: second[n] -> second[n] = 0; arrived(n)
  :: job[n] == RUNNING || job[n] == AGAIN -> job[n] = LOADED; arrived(n)
  :: job[n] == RUNNING && failures < 1 -> failures++; job[n] = FAILED
  fi
}
#define BUSY(n) (second[n] || job[n] == RUNNING || job[n] == AGAIN)

proctype warehouse() {
end:
  do
  :: atomic { BUSY(1) -> runs_on(1) }
  :: atomic { BUSY(2) -> runs_on(2) }
  :: atomic { BUSY(3) -> runs_on(3) }
  :: atomic { BUSY(4) -> runs_on(4) }
  :: atomic { BUSY(5) -> runs_on(5) }
  :: atomic { BUSY(6) -> runs_on(6) }
  :: atomic { BUSY(7) -> runs_on(7) }
  :: atomic { BUSY(8) -> runs_on(8) }
  :: atomic { BUSY(9) -> runs_on(9) }
  :: atomic { BUSY(10) -> runs_on(10) }
  od
}
