/*
 * Renewal and removal of a grant by two gateways that share a token store: a model for Spin.
 * README.md says what is checked, which rule of the code protects it, and how to run this.
 *
 * The store numbers leases. The authorization server replaces a refresh token at each use, and takes a second use for
 * theft. Callers want a token; a person logs in and out. Everything that goes wrong happens a bounded number of times,
 * so every run ends, and a caller who still waits then has waited in vain.
 *
 * Each value of `mtype:step` and `mtype:removal` is one step, taken at once. The comments of the code name the same
 * steps. `-DWITHOUT_FENCE` takes the rule `fence` out, and so on.
 */

#define GATEWAYS 2

/* How often each of these happens at most in one run. */
#ifndef CALLERS
#define CALLERS 2 /* requests at each gateway */
#endif
#ifndef LEAVES
#define LEAVES 0 /* callers who stop waiting */
#endif
#ifndef CRASHES
#define CRASHES 0 /* gateways killed, at any step */
#endif
#ifndef OUTAGES
#define OUTAGES 0 /* operations of the store that fail: not done, or done and nobody was told */
#endif
#ifndef PAUSES
#define PAUSES 0 /* leases that end although their process lives: it was stopped, or cut off from the store */
#endif
#ifndef FAULTS
#define FAULTS 0 /* token requests that were not sent or turned away, and answers that were lost */
#endif
#ifndef PERSON
#define PERSON 0 /* what the person does: log out, revoke, log in */
#endif
#ifndef LOSSES
#define LOSSES 0 /* times the store is emptied */
#endif

/* Which invariant is checked here is seen in the words of an error: `2>0` is the second one. */
#define INVARIANT(number, holds) assert((number) > 0 && (holds))

/* A refresh token is a number: eight for each grant, one more for each renewal. */
#define NONE 0
#define GRANTS 3
#define FIRST_OF(grant) ((grant) * 8)
#define GRANT_OF(token) ((token) / 8)
#define TOKENS 24

mtype:step = { idle, read, lease, compare, probe, send, answer, refused, write, release, finish }
mtype:removal = { noRemoval, leaseForRemoval, remove, releaseAfterRemoval, revoke }

/* The store: a token or the record of a removal, the number of that write, and the lease. */
byte storedToken = FIRST_OF(1);
byte written = 1;
bool removalRecord;
byte given = 1; /* the last number that was given */
byte leasedTo; /* 1 + who has the lease; 0 if nobody has */
byte leaseNumber;
bool unattended; /* nobody renews the lease: it ends by itself */

/* The authorization server, by grant. */
byte current[GRANTS] = FIRST_OF(1); /* the only refresh token that is good */
bool ended[GRANTS];
byte grants = 1;

/* A gateway: what it has in memory. */
byte cached[GATEWAYS] = FIRST_OF(1);
byte revision[GATEWAYS] = 1;
bool pending[GATEWAYS]; /* the store does not have it */
byte ending[GATEWAYS]; /* a refresh token that the server refused */
/* Its acquisition. */
mtype:step step[GATEWAYS] = idle;
bool background[GATEWAYS]; /* it goes on without waiters */
bool abandoned[GATEWAYS]; /* its waiters have left */
byte mine[GATEWAYS]; /* the number of its lease; 0 without one */
byte token[GATEWAYS]; /* the one to renew, then the new one */
byte tokenRevision[GATEWAYS];
bool tokenPending[GATEWAYS];
bool obtained[GATEWAYS]; /* it ends with a token */
byte foundToken[GATEWAYS];
byte foundRevision[GATEWAYS];
bool foundRemoval[GATEWAYS];
/* Its removal: how many must end before it has, namely itself and the acquisition that was running. */
byte removing[GATEWAYS];
/* Its callers: who will ask, who waits for the acquisition, who waits to ask again. */
byte asking[GATEWAYS] = CALLERS;
byte waiting[GATEWAYS];
byte waitingToAsk[GATEWAYS];

/* The person, who acts at one of the gateways. */
mtype:removal removal = noRemoval;
byte place;
bool isRevocation;
byte putBack, putBackRevision;
bool putBackPending;
byte removalLease;

byte leaves = LEAVES, crashes = CRASHES, outages = OUTAGES, pauses = PAUSES;
byte faults = FAULTS, person = PERSON, losses = LOSSES;

/* What only the invariants know. */
byte answeredAt[TOKENS]; /* the last number given when the successor of this token was stored */
byte answered[GATEWAYS]; /* the last token whose answer this process has processed */
bool sent[GATEWAYS]; /* the server may have taken the token, in this acquisition */
byte removedAt[GRANTS]; /* the number of the removal */
byte removingUpTo[GATEWAYS]; /* the newest grant when the removal began */
byte unsaved[GATEWAYS]; /* a new refresh token that is nowhere but in this process */
/* A process was killed, or an answer lost, between the server's rotation and our write; or a process had lost its lease
   by then; or the person has asked for the end of the grant; or the store failed while this process removed a grant. */
bool mayBeLost[GRANTS];
bool dataLost;

/* Rule `fence`. */
#ifdef WITHOUT_FENCE
#define MAY_WRITE(number) true
#else
#define MAY_WRITE(number) (written <= (number))
#endif

/* A removal or a write is later than the token that a process has. */
#define IS_LATER(p) (foundRevision[p] > tokenRevision[p] || \
  (!tokenPending[p] && foundRevision[p] == tokenRevision[p]))

/* Rule `removal record`. */
#ifdef WITHOUT_REMOVAL_RECORD
#define IS_REMOVED(p) false
#else
#define IS_REMOVED(p) (token[p] != NONE && foundRemoval[p] && IS_LATER(p))
#endif

/* Rule `newer in memory`. */
#ifdef WITHOUT_NEWER_IN_MEMORY
#define IS_REPLACED(p) (foundToken[p] != NONE && foundToken[p] != token[p])
#else
#define IS_REPLACED(p) (foundToken[p] != NONE && foundToken[p] != token[p] && (token[p] == NONE || IS_LATER(p)))
#endif

/* Rule `uninterruptible refresh`. */
#ifdef WITHOUT_UNINTERRUPTIBLE_REFRESH
#define MAY_INTERRUPT(p) (step[p] == read || step[p] == lease || step[p] == answer || step[p] == write)
#define GOES_ON(p) false
#else
#define MAY_INTERRUPT(p) (step[p] == read || step[p] == lease)
#define GOES_ON(p) background[p]
#endif

inline storeToken(t, number) {
  /* Invariant 2: a removed grant does not come back into the store. */
  INVARIANT(2, dataLost || removedAt[GRANT_OF(t)] == 0);
  storedToken = t;
  written = number;
  removalRecord = false;
  if
  :: t % 8 > 0 && answeredAt[t - 1] == 0 -> answeredAt[t - 1] = given
  :: else
  fi
}

inline removeStored() {
  given++;
  storedToken = NONE;
  written = given;
  removalRecord = true
}

inline giveLease(holder) {
  given++;
  leasedTo = holder + 1;
  leaseNumber = given;
  unattended = false
}

inline releaseLease(holder, number) {
  if
  :: leasedTo == holder + 1 && leaseNumber == number -> leasedTo = 0; leaseNumber = 0; unattended = false
  :: else
  fi
}

inline leaveLease(holder, number) {
  if
  :: leasedTo == holder + 1 && leaseNumber == number -> unattended = true
  :: else
  fi
}

inline look(p) {
  foundToken[p] = storedToken;
  foundRevision[p] = written;
  foundRemoval[p] = removalRecord
}

inline forgetLook(p) {
  foundToken[p] = NONE;
  foundRevision[p] = 0;
  foundRemoval[p] = false
}

inline forgetCached(p) {
  cached[p] = NONE;
  revision[p] = 0;
  pending[p] = false
}

inline takeFound(p) {
  token[p] = foundToken[p];
  tokenRevision[p] = foundRevision[p];
  tokenPending[p] = false
}

inline compareWithStore(p) {
  if
  :: IS_REMOVED(p) ->
    if
    :: cached[p] == token[p] -> forgetCached(p); unsaved[p] = NONE
    :: else
    fi;
    foundToken[p] = NONE;
    foundRevision[p] = 0;
    takeFound(p)
  :: else ->
    if
    :: IS_REPLACED(p) ->
      takeFound(p);
      if
      :: obtained[p] = true
      :: true /* its access token has expired, or is not what the callers want */
      fi
    :: else
    fi
  fi;
  forgetLook(p)
}

inline lose(p) {
  if
  :: unsaved[p] != NONE -> mayBeLost[GRANT_OF(unsaved[p])] = true
  :: else
  fi
}

inline forgetAcquisition(p) {
  mine[p] = 0;
  token[p] = NONE;
  tokenRevision[p] = 0;
  tokenPending[p] = false;
  obtained[p] = false;
  background[p] = false;
  abandoned[p] = false;
  sent[p] = false;
  forgetLook(p);
  step[p] = idle
}

inline askAgain(p) {
  asking[p] = asking[p] + waitingToAsk[p];
  waitingToAsk[p] = 0
}

active [GATEWAYS] proctype Gateway() {
#define me _pid

end:
  do
  :: atomic {
      step[me] == read ->
        if
        :: look(me); compareWithStore(me)
        :: outages > 0 -> outages--
        fi;
        step[me] = (obtained[me] -> finish : lease)
    }

  :: atomic {
      step[me] == lease && leasedTo == 0 ->
        giveLease(me);
        mine[me] = given;
        look(me);
        step[me] = compare
    }
  :: atomic {
      step[me] == lease && leasedTo != 0 && storedToken != NONE && storedToken != token[me] && written > tokenRevision[me] ->
        look(me);
        takeFound(me);
        forgetLook(me);
        obtained[me] = true;
        step[me] = finish
    }
  :: atomic {
      step[me] == lease && outages > 0 ->
        outages--;
        if
        :: leasedTo == 0 -> giveLease(me); unattended = true /* and nobody was told */
        :: true
        fi;
        step[me] = finish
    }

  :: atomic {
      step[me] == compare ->
#ifdef WITHOUT_SECOND_LOOK
        forgetLook(me);
#else
        compareWithStore(me);
#endif
        /* Without a refresh token a person must log in. */
        step[me] = (obtained[me] || token[me] == NONE -> release : probe)
    }

  :: atomic {
      step[me] == probe ->
        if
        :: background[me] = true;
          if
          :: removing[me] == 0 && cached[me] != token[me] ->
            cached[me] = token[me]; revision[me] = tokenRevision[me]; pending[me] = tokenPending[me]
          :: else
          fi;
          step[me] = send
        :: outages > 0 -> outages--; step[me] = release
        fi
    }

#ifndef WITHOUT_REFUSED_TOKENS
  /* Rule `refused tokens`. */
  :: atomic { step[me] == send && token[me] == ending[me] -> step[me] = release }
  :: atomic { step[me] == send && token[me] != ending[me] ->
#else
  :: atomic { step[me] == send ->
#endif
        if
        :: faults > 0 -> faults--; /* no connection, 429 or 503: the token was not used */
          if
          :: true /* once more */
          :: step[me] = release
          fi
        :: true ->
          /* Invariant 1: no refresh token is sent again once its answer was processed. */
          INVARIANT(1, token[me] != answered[me]);
          INVARIANT(1, !sent[me]);
          INVARIANT(1, dataLost || answeredAt[token[me]] == 0 || answeredAt[token[me]] >= mine[me]);
          /* Invariant 2: a token that was removed before the lease was given is not used. */
          INVARIANT(2, dataLost || removedAt[GRANT_OF(token[me])] == 0 || removedAt[GRANT_OF(token[me])] > mine[me]);
          sent[me] = true;
          if
          :: !ended[GRANT_OF(token[me])] && token[me] == current[GRANT_OF(token[me])] ->
            current[GRANT_OF(token[me])] = token[me] + 1;
            unsaved[me] = token[me] + 1;
            step[me] = answer
          :: else ->
            /* Invariant 3: no grant is lost but between the server's rotation and our write. */
            INVARIANT(3, dataLost || ended[GRANT_OF(token[me])] || mayBeLost[GRANT_OF(token[me])]);
            ended[GRANT_OF(token[me])] = true;
            step[me] = refused
          fi
        fi
    }

  :: atomic {
      step[me] == answer ->
        if
        :: answered[me] = token[me];
          token[me]++;
          tokenRevision[me] = mine[me];
          obtained[me] = true;
          step[me] = write
        :: faults > 0 -> faults--; /* the answer was lost */
          lose(me);
          unsaved[me] = NONE;
#ifdef WITHOUT_RETRY_UNUSED
          step[me] = send
#else
          step[me] = release
#endif
        fi
    }

  /* The grant seems to have ended. Another process may have renewed it, or a person has logged in. */
  :: atomic {
      step[me] == refused ->
        answered[me] = token[me];
        ending[me] = token[me];
        if
        :: storedToken != NONE && storedToken != token[me] && written > mine[me] ->
          look(me);
          takeFound(me);
          forgetLook(me);
          obtained[me] = true
        :: else
        fi;
        step[me] = release
    }

  :: atomic {
      step[me] == write ->
        if
        :: MAY_WRITE(mine[me]) -> storeToken(token[me], mine[me]); tokenPending[me] = false; unsaved[me] = NONE
        :: !MAY_WRITE(mine[me]) -> /* too late: what the store has counts */
          look(me);
          takeFound(me);
          forgetLook(me);
          unsaved[me] = NONE
        :: outages > 0 -> outages--;
          tokenPending[me] = true;
          if
          :: MAY_WRITE(mine[me]) -> storeToken(token[me], mine[me]); unsaved[me] = NONE /* and nobody was told */
          :: true
          fi
        fi;
        step[me] = release
    }

  /* Rule `lease until written`. */
  :: atomic {
      step[me] == release ->
        if
#ifndef WITHOUT_LEASE_UNTIL_WRITTEN
        :: tokenPending[me] && tokenRevision[me] == mine[me] -> leaveLease(me, mine[me])
        :: !(tokenPending[me] && tokenRevision[me] == mine[me]) -> releaseLease(me, mine[me])
#else
        :: releaseLease(me, mine[me])
#endif
        :: outages > 0 -> outages--; leaveLease(me, mine[me])
        fi;
        step[me] = finish
    }

  /* While the token is removed its renewal ends without one. */
  :: atomic {
      step[me] == finish ->
        if
        :: removing[me] > 0 ->
#ifdef WITHOUT_REMOVAL_ONCE
          /* Invariant 3: a removal takes no grant that came after it. */
          INVARIANT(3, storedToken == NONE || GRANT_OF(storedToken) <= removingUpTo[me]);
          removeStored();
#endif
          forgetCached(me);
          lose(me);
          unsaved[me] = NONE;
#ifndef WITHOUT_END_OF_REMOVAL
          removing[me]--;
#endif
        :: removing[me] == 0 && obtained[me] ->
          cached[me] = token[me];
          revision[me] = tokenRevision[me];
          pending[me] = tokenPending[me]
        :: else
        fi;
#ifdef WITHOUT_ANSWER_TO_ALL
        waiting[me] = (obtained[me] -> 0 : waiting[me]);
#else
        waiting[me] = 0;
#endif
        if
        :: removing[me] == 0 -> askAgain(me)
        :: else
        fi;
        forgetAcquisition(me)
    }

  /* The last caller has left: the acquisition is interrupted where that costs nothing. */
  :: atomic { abandoned[me] && MAY_INTERRUPT(me) -> step[me] = (mine[me] == 0 -> finish : release) }

  /* A token that the store did not take at first (`LateWrites`). */
  :: atomic {
      pending[me] ->
        if
        :: MAY_WRITE(revision[me]) ->
          storeToken(cached[me], revision[me]);
          pending[me] = false;
          unsaved[me] = (unsaved[me] == cached[me] -> NONE : unsaved[me]);
          if
          :: mine[me] != revision[me] -> releaseLease(me, revision[me])
          :: else
          fi
        :: !MAY_WRITE(revision[me]) ->
          unsaved[me] = (unsaved[me] == cached[me] -> NONE : unsaved[me]);
          if
          :: mine[me] != revision[me] -> releaseLease(me, revision[me])
          :: else
          fi;
          forgetCached(me)
        :: outages > 0 -> outages--
        fi
    }
  od
#undef me
}

active [GATEWAYS] proctype Callers() {
#define at (_pid - GATEWAYS)

end:
  do
  :: atomic {
      asking[at] > 0 ->
        asking[at]--;
        if
        :: removing[at] > 0 || abandoned[at] -> waitingToAsk[at]++
        :: removing[at] == 0 && !abandoned[at] && step[at] != idle -> waiting[at]++
        :: removing[at] == 0 && step[at] == idle ->
          waiting[at]++;
          token[at] = cached[at];
          tokenRevision[at] = revision[at];
          tokenPending[at] = pending[at];
          step[at] = read
        fi
    }
  :: atomic {
      leaves > 0 && waiting[at] > 0 ->
        leaves--;
        waiting[at]--;
        abandoned[at] = (waiting[at] == 0 && !GOES_ON(at))
    }
  od
#undef at
}

active proctype Person() {
end:
  do
  :: atomic {
      person > 0 && removal == noRemoval ->
        person--;
        if
        :: place = 0
        :: place = 1
        fi;
        if
        :: removing[place] == 0 -> /* a removal in memory and in the store, whatever is under way */
          removing[place] = (step[place] == idle -> 1 : 2);
          isRevocation = false;
          removal = remove
        :: removing[place] == 0 && step[place] == idle -> /* logout: no renewal is under way */
          removing[place] = 1;
          isRevocation = true;
          removal = leaseForRemoval
        :: removing[place] == 0 && step[place] == idle && grants == 1 -> /* login */
          grants = 2;
          current[2] = FIRST_OF(2);
          given++;
          storeToken(FIRST_OF(2), given);
          cached[place] = FIRST_OF(2);
          revision[place] = given;
          pending[place] = false;
          unsaved[place] = NONE
        :: ended[grants] = true /* at the authorization server itself */
        fi;
        if
        :: removal != noRemoval ->
          putBack = cached[place];
          putBackRevision = revision[place];
          putBackPending = pending[place];
          removingUpTo[place] = grants;
          mayBeLost[1] = true; /* that is what the person wants */
          mayBeLost[grants] = true;
          forgetCached(place)
        :: else
        fi
    }

  :: atomic {
      removal == leaseForRemoval && leasedTo == 0 ->
        giveLease(GATEWAYS);
        removalLease = given;
        removal = remove
    }

  :: atomic {
      removal == remove ->
        if
        :: removeStored();
          unsaved[place] = (step[place] == idle -> NONE : unsaved[place]);
          putBack = NONE
        :: outages > 0 -> outages--;
          if
          :: removeStored() /* and nobody was told */
          :: true
          fi
        fi;
        if
        :: removalRecord && written == given ->
          removedAt[1] = (removedAt[1] == 0 -> given : removedAt[1]);
          removedAt[2] = (grants == 2 && removedAt[2] == 0 -> given : removedAt[2])
        :: else
        fi;
        if
        :: cached[place] == NONE && putBack != NONE ->
          cached[place] = putBack;
          revision[place] = putBackRevision;
          pending[place] = putBackPending
        :: else
        fi;
        removing[place]--;
        if
        :: removing[place] == 0 -> askAgain(place)
        :: else
        fi;
        removal = (isRevocation -> releaseAfterRemoval : noRemoval)
    }

  :: atomic {
      removal == releaseAfterRemoval ->
        if
        :: releaseLease(GATEWAYS, removalLease)
        :: outages > 0 -> outages--; leaveLease(GATEWAYS, removalLease)
        fi;
        removal = revoke
    }

  :: atomic { removal == revoke -> ended[removingUpTo[place]] = true; removal = noRemoval }
  od
}

/* What nobody wants. */
active proctype Misfortune() {
  byte p;

end:
  do
#ifndef WITHOUT_END_OF_LEASES
  /* Rule `leases end`. */
  :: atomic {
      leasedTo != 0 && unattended ->
        if
        :: leasedTo <= GATEWAYS -> lose(leasedTo - 1)
        :: else
        fi;
        releaseLease(leasedTo - 1, leaseNumber)
    }
#endif
  :: atomic {
      leasedTo != 0 && !unattended && pauses > 0 ->
        pauses--;
        mayBeLost[1] = true;
        mayBeLost[2] = true;
        releaseLease(leasedTo - 1, leaseNumber)
    }
  :: atomic {
      crashes > 0 ->
        crashes--;
        if
        :: p = 0
        :: p = 1
        fi;
        lose(p);
        unsaved[p] = NONE;
        answered[p] = NONE;
        ending[p] = NONE;
        forgetCached(p);
        waiting[p] = 0;
        waitingToAsk[p] = 0;
        forgetAcquisition(p);
        removing[p] = 0;
        if
        :: leasedTo == p + 1 || (leasedTo == GATEWAYS + 1 && place == p) -> unattended = true
        :: else
        fi;
        removal = (place == p -> noRemoval : removal);
        p = 0
    }
  :: atomic {
      losses > 0 ->
        losses--;
        dataLost = true;
        storedToken = NONE;
        written = 0;
        removalRecord = false;
        leasedTo = 0;
        leaseNumber = 0;
        unattended = false
    }
  od
}

/* Invariant 4: when nothing more can happen, nobody waits. */
active proctype End() {
  timeout;
  INVARIANT(4, asking[0] + asking[1] + waiting[0] + waiting[1] + waitingToAsk[0] + waitingToAsk[1] == 0);
  INVARIANT(4, removal == noRemoval && removing[0] + removing[1] == 0)
}
