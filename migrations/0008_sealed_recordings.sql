-- Recordings that only auditors can read: whose keys open them, a JSON array of thumbprints.
ALTER TABLE recordings ADD COLUMN sealed TEXT;
