-- The policies that the edge decides by, so that a change of them is noticed once, whichever isolate meets it first.

CREATE TABLE policies_in_force (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  digest TEXT NOT NULL,                 -- of the whole bundle
  since  INTEGER NOT NULL               -- milliseconds since the epoch
) STRICT;
