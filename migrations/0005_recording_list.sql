-- What is known of each recording, for the list. The segments themselves and the log are what counts.
CREATE TABLE recordings (
  session  TEXT PRIMARY KEY,
  segments INTEGER NOT NULL,
  bytes    INTEGER NOT NULL,
  final    TEXT,                       -- why the session ended, once the last segment is stored
  frontend TEXT,                       -- the connector's running roots in the last segment
  backend  TEXT
) STRICT;
