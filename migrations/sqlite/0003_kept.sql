-- Records that nobody filters by column: those of suspension and of flows.
--
-- A record is kept as bytes under a name. A name opens with the byte of its
-- kind and sorts as the record's key does, so that one table holds all kinds
-- and a kind is listed by walking the names.
--
-- The table is an ordinary one beside an index of the names, like that of
-- executions. Clustered by name it would put the records that one change
-- makes, each of another kind, on as many pages, and spill whatever has more
-- than a quarter of a page. So what is made together lies together, an update
-- leaves the index alone, and only small entries are spread.
CREATE TABLE kept (
    partition INTEGER NOT NULL,
    name BLOB NOT NULL,
    record BLOB NOT NULL
);

-- Identity, and the lists of a partition.
CREATE UNIQUE INDEX kept_name ON kept (partition, name);
