-- Creates that outside writers leave inside transactions of their own.
--
-- An outside writer only inserts here; the owner of the partition turns each
-- row into an execution and deletes it in the same commit. Nothing refers to
-- another table, and a number is never used twice, so that deleting one can
-- not take a later row away. The check keeps out what the engine could not
-- even report: whatever `create_bytes` holds beyond that is judged, and where
-- need be refused, row by row.
CREATE TABLE inbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition integer NOT NULL CHECK (partition BETWEEN 0 AND 65535),
    execution uuid NOT NULL,
    create_bytes bytea NOT NULL
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE inbox ALTER COLUMN create_bytes SET STORAGE EXTERNAL;

-- What is left for one execution.
CREATE INDEX inbox_execution ON inbox (partition, execution);
