-- Sign-in through the edge. Every secret is kept as its SHA-256 only; what is single use is deleted on use.

CREATE TABLE login_flows (
  state_hash TEXT PRIMARY KEY,
  issuer     TEXT NOT NULL,
  nonce      TEXT NOT NULL,
  verifier   TEXT NOT NULL,             -- PKCE, RFC 7636
  binding    TEXT NOT NULL,             -- hash of the browser's flow cookie
  return_to  TEXT NOT NULL,             -- path on this edge
  expires    INTEGER NOT NULL
) STRICT;

-- One sign-in: of a browser (cookie) or of a program (refresh token).
CREATE TABLE logins (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,          -- console, cli
  secret_hash   TEXT UNIQUE,
  previous_hash TEXT,                   -- of the refresh token before this one: using it again ends the login
  client        TEXT NOT NULL,
  issuer        TEXT NOT NULL,
  subject       TEXT NOT NULL,
  identity      TEXT NOT NULL,          -- JSON
  created       INTEGER NOT NULL,
  expires       INTEGER NOT NULL,
  ended         INTEGER
) STRICT;
CREATE INDEX logins_person ON logins (issuer, subject);
CREATE INDEX logins_previous ON logins (previous_hash);

CREATE TABLE auth_codes (
  code_hash    TEXT PRIMARY KEY,
  client       TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  challenge    TEXT NOT NULL,
  identity     TEXT NOT NULL,
  expires      INTEGER NOT NULL
) STRICT;

CREATE TABLE device_codes (
  code_hash TEXT PRIMARY KEY,
  user_code TEXT NOT NULL UNIQUE,
  client    TEXT NOT NULL,
  status    TEXT NOT NULL,              -- pending, approved, denied
  identity  TEXT,
  polled    INTEGER NOT NULL,
  interval_s INTEGER NOT NULL,
  expires   INTEGER NOT NULL
) STRICT;

CREATE TABLE deferrals (
  code_hash TEXT PRIMARY KEY,
  grant_id  TEXT NOT NULL,
  client    TEXT NOT NULL,
  identity  TEXT NOT NULL,
  actor     TEXT,
  polled    INTEGER NOT NULL,
  interval_s INTEGER NOT NULL,
  expires   INTEGER NOT NULL
) STRICT;
