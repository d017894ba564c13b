-- Sign-in with SAML. What is single use is deleted on use; of assertions that were used a hash is kept while they last.

CREATE TABLE saml_flows (
  state_hash TEXT PRIMARY KEY,
  provider   TEXT NOT NULL,             -- entity id
  request    TEXT NOT NULL,             -- ID of the AuthnRequest
  binding    TEXT NOT NULL,             -- hash of the browser's flow cookie
  return_to  TEXT NOT NULL,             -- path on this edge
  expires    INTEGER NOT NULL
) STRICT;

CREATE TABLE saml_assertions (
  id_hash TEXT PRIMARY KEY,
  expires INTEGER NOT NULL
) STRICT;
