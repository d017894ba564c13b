-- What was last seen of each identity, so that an approver's right can be checked again when it is used.
CREATE TABLE people (
  issuer  TEXT NOT NULL,
  subject TEXT NOT NULL,
  name    TEXT,
  groups  TEXT NOT NULL,               -- JSON
  seen    INTEGER NOT NULL,            -- milliseconds since the epoch: when the token was validated
  PRIMARY KEY (issuer, subject)
) STRICT;
