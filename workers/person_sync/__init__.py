"""Outbox -> Person API: deals with the persons that are due.

The way of a sync: `consumer` (messages off the queue) -> `settle` (one person at a time, under `locks`) -> `outbox`
(what is known and wanted) -> `decide` (which call, if any) -> `accounts` (the calls, each attempt through its `gate`,
each recorded by `calls`) -> the mirror and the outbox again. `sweeper` puts on the queue what a crash, a failure or a
lost message left behind.

What keeps it right, whatever happens to a worker:

- **Serial.** A person's lock is held from before the state is read until after the outcome is written (`locks`).
- **Coalesced.** A message carries no state; the latest is read. However many there are for one person, the first does
  the work of all, and the others find nothing left to do.
- **Never stale.** Each attempt of a call is preceded by a question on the connection that holds the locks, so a worker
  that lost them finds out before it writes to Vibes. An outcome is written only if nobody else has dealt with the
  person since the state was read. What an answer tells of a person goes through the mirror, where the latest of Vibes'
  own times wins, so a late answer changes nothing either.
- **No loop.** Our own write comes back as person_updated, which requests no sync.
"""
