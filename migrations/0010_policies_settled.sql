-- What a change of policies asks for (an entry in the log, grants that end) is done again until it is done.
ALTER TABLE policies_in_force ADD COLUMN before TEXT;
ALTER TABLE policies_in_force ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
-- Only ever used to refuse: whoever decides must not be who asked, under another account of the same address.
ALTER TABLE people ADD COLUMN email TEXT;
