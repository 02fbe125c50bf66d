-- Records that nobody filters by column: those of suspension and of flows.
--
-- A record is kept as bytes under a name. A name opens with the byte of its
-- kind and sorts as the record's key does, so that one table holds all kinds
-- and a kind is listed by walking the names.
--
-- No column that changes is indexed: an update stays on its page while there
-- is room, for which a part of each page is left free, a smaller one than for
-- executions, since most kinds never change. The counts of a flow and its
-- members change with every step, so vacuum comes as early. Identifiers do not
-- become smaller by compression, and callers compress the payloads of signals
-- that are worth it.
CREATE TABLE kept (
    partition integer NOT NULL,
    name bytea NOT NULL,
    record bytea NOT NULL,
    PRIMARY KEY (partition, name)
) WITH (
    fillfactor = 85,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_threshold = 50000
);
ALTER TABLE kept ALTER COLUMN record SET STORAGE EXTERNAL;
