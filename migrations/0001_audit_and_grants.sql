-- What lists and searches read. Grants and sessions are owned by their Durable Objects; these rows follow them.

CREATE TABLE events (
  id       TEXT PRIMARY KEY,            -- ULID: sorts by time
  time     INTEGER NOT NULL,            -- milliseconds since the epoch
  type     TEXT NOT NULL,
  severity TEXT NOT NULL,
  issuer   TEXT,
  subject  TEXT,
  name     TEXT,
  session  TEXT,
  grant_id TEXT,
  task     TEXT,
  resource TEXT,
  reason   TEXT,                        -- reason code of a decision or refusal
  body     TEXT NOT NULL                -- the whole event, JSON
) STRICT;
CREATE INDEX events_time ON events (time);
CREATE INDEX events_person ON events (issuer, subject, time);
CREATE INDEX events_session ON events (session, time);
CREATE INDEX events_grant ON events (grant_id, time);
CREATE INDEX events_task ON events (task, time);
CREATE INDEX events_resource ON events (resource, time);
CREATE INDEX events_type ON events (type, time);

CREATE TABLE grants (
  id            TEXT PRIMARY KEY,
  status        TEXT NOT NULL,          -- pending, active, denied, expired, revoked, used
  issuer        TEXT NOT NULL,
  subject       TEXT NOT NULL,
  name          TEXT,
  task          TEXT NOT NULL,
  task_digest   TEXT NOT NULL,
  resource      TEXT NOT NULL,
  params        TEXT NOT NULL,          -- JSON
  reason        TEXT,
  kind          TEXT NOT NULL,          -- implicit, request, statement
  duration_ms   INTEGER NOT NULL,
  asked         INTEGER NOT NULL,
  decided       INTEGER,
  expires       INTEGER NOT NULL,       -- of the grant, or of the request while it is pending
  ended_reason  TEXT,
  approver_groups TEXT NOT NULL,        -- JSON
  needed        INTEGER NOT NULL,
  approvals     TEXT NOT NULL,          -- JSON
  revision      INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_person ON grants (issuer, subject, asked);
CREATE INDEX grants_status ON grants (status, asked);
CREATE INDEX grants_task ON grants (task, asked);

CREATE TABLE sessions (
  id         TEXT PRIMARY KEY,
  grant_id   TEXT NOT NULL,
  issuer     TEXT NOT NULL,
  subject    TEXT NOT NULL,
  name       TEXT,
  task       TEXT NOT NULL,
  resource   TEXT NOT NULL,
  reason     TEXT,
  started    INTEGER NOT NULL,
  ended      INTEGER,
  end_code   TEXT,
  statements INTEGER NOT NULL DEFAULT 0,
  denied     INTEGER NOT NULL DEFAULT 0,
  rows       INTEGER NOT NULL DEFAULT 0,
  bytes      INTEGER NOT NULL DEFAULT 0,
  roots      TEXT                       -- JSON: the edge's running roots at the end
) STRICT;
CREATE INDEX sessions_person ON sessions (issuer, subject, started);
CREATE INDEX sessions_started ON sessions (started);
CREATE INDEX sessions_open ON sessions (ended, started);
CREATE INDEX sessions_grant ON sessions (grant_id);

-- Identities that may start nothing any more, whatever their tokens say.
CREATE TABLE disabled_identities (
  issuer  TEXT NOT NULL,
  subject TEXT NOT NULL,
  since   INTEGER NOT NULL,
  why     TEXT NOT NULL,
  PRIMARY KEY (issuer, subject)
) STRICT;
