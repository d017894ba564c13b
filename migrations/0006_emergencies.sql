-- Grants that were had in an emergency, without approval: null for all others, `open` until one of the reviewers has
-- looked at it, then `reviewed`.

ALTER TABLE grants ADD COLUMN emergency TEXT;
