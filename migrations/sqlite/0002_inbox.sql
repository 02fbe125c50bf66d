-- Creates that outside writers leave inside transactions of their own.
--
-- An outside writer only inserts here; the owner of the partition turns each
-- row into an execution and deletes it in the same commit. Nothing refers to
-- another table, and a number is never used twice, so that deleting one can
-- not take a later row away. The checks keep out what the engine could not
-- even report: whatever `create_bytes` holds beyond that is judged, and where
-- need be refused, row by row.
CREATE TABLE inbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    partition INTEGER NOT NULL CHECK (typeof(partition) = 'integer' AND partition BETWEEN 0 AND 65535),
    execution BLOB NOT NULL CHECK (typeof(execution) = 'blob' AND length(execution) = 16),
    create_bytes BLOB NOT NULL CHECK (typeof(create_bytes) = 'blob')
);

-- What is left for one execution.
CREATE INDEX inbox_execution ON inbox (partition, execution);
