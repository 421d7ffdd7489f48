/* A request that was sent twice: the client's library gave up on the first copy, the second was answered, and the first arrives
 * at last, perhaps long after. A call of this machine's kernel cannot do that; an upload to an object store can. Every upload
 * says "if absent", so a late one counts only where its name is free again. One such copy per behaviour.
 */
proctype network() {
end:
  if
  :: atomic { late_n > 0 ->              /* a record */
       if
       :: rk[late_n] == NONE ->
          rk[late_n] = late[0]; rid[late_n] = late[1]; ra[late_n] = late[2]; rs[late_n] = late[3]; rq[late_n] = late[4];
          rfull[late_n] = late[5]; rdelta[late_n] = late[6];
          if :: late_n > head -> head = late_n :: else fi
       :: else
       fi;
       late_n = 0 }
  :: atomic { late_a > 0 && !late_r ->
       if :: !staged[late_a] -> staged[late_a] = 1; foreign[late_a] = 1 :: else fi;
       late_a = 0 }
  :: atomic { late_a > 0 && late_r -> next[late_a] = 1; late_a = 0 }
  fi
}
