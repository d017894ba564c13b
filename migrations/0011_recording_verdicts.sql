-- How a closed recording stands to what the edge counted, JSON {"state", "detail"}; NULL while that is not known.
ALTER TABLE recordings ADD COLUMN verdict TEXT;
