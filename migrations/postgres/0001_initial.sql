-- The tables of a Leasehold store in one schema of a PostgreSQL database.
--
-- The authority of a record is its `record` column; the typed columns beside
-- it are derived from it by `leasehold_core::index` and exist for indexes and
-- for people with a SQL prompt. Times are milliseconds since the Unix epoch.
-- Text that is ordered or compared has the collation "C", so that its order is
-- that of its bytes on every server.
--
-- Executions that can still change and those that have ended lie in two
-- tables: what is claimed and scanned stays as small as the work at hand,
-- whatever the history.

-- What tells this store from another, and what it was set up for. Its row is
-- locked by whoever changes the ownership of partitions.
CREATE TABLE meta (
    only_row boolean PRIMARY KEY CHECK (only_row),
    store_id uuid NOT NULL,
    flow_partitions integer NOT NULL,
    budget_partitions integer NOT NULL,
    quota_partitions integer NOT NULL,
    created_at bigint NOT NULL
);

-- The schema's version is the greatest number here.
CREATE TABLE migrations (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- Nodes and their leases. The row of a node is also the head its committer
-- advances: commits so far, the highest partition time written, and the
-- partitions its last commit was refused for. `fence` grows whenever a
-- partition of the node is taken; a commit that began before that finds it
-- changed and writes nothing. No column is indexed but the key, so that every
-- commit's update stays on its page.
CREATE TABLE nodes (
    node uuid PRIMARY KEY,
    expires_at bigint NOT NULL,
    dead boolean NOT NULL,
    commit_seq bigint NOT NULL,
    fence bigint NOT NULL,
    time bigint NOT NULL,
    refused integer[]
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- Who owns a partition. Written by takeovers, compared by every commit.
CREATE TABLE partitions (
    partition integer PRIMARY KEY,
    epoch bigint NOT NULL,
    nonce bigint NOT NULL,
    owner uuid NOT NULL,
    time bigint NOT NULL
) WITH (fillfactor = 50);

-- Executions that have not ended. `requirements` are sorted and separated by
-- spaces, which no token holds and which sort before everything a token may
-- hold; of a very long set only a key stands here (`group_key`). `rank` is set
-- while the execution is ready.
CREATE TABLE executions (
    partition integer NOT NULL,
    id uuid NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    requirements text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    lane text COLLATE "C" NOT NULL,
    priority integer NOT NULL,
    lifecycle_phase text COLLATE "C" NOT NULL,
    public_state text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    rank bigint,
    score bigint NOT NULL,
    due_at bigint,
    lease_expires_at bigint,
    worker_instance text COLLATE "C",
    record bytea NOT NULL
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_threshold = 50000
);

-- Identity, and the list of a partition.
CREATE UNIQUE INDEX executions_id ON executions (partition, id);

-- Claimable executions of one lane and requirement set in rank order.
CREATE INDEX executions_ready ON executions (partition, lane, requirements, rank, id) WHERE rank IS NOT NULL;

-- Claimed executions of a partition. A renewal changes no column of any
-- index.
CREATE INDEX executions_active ON executions (partition, id) WHERE queue = 'active';

-- Timers of a partition.
CREATE INDEX executions_due ON executions (partition, due_at, id) WHERE due_at IS NOT NULL;

-- Executions that have ended. A replay moves them back.
CREATE TABLE executions_done (
    partition integer NOT NULL,
    id uuid NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    requirements text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    lane text COLLATE "C" NOT NULL,
    priority integer NOT NULL,
    public_state text COLLATE "C" NOT NULL,
    score bigint NOT NULL,
    completed_at bigint,
    record bytea NOT NULL
);

-- Identity, and the list of a partition.
CREATE UNIQUE INDEX executions_done_id ON executions_done (partition, id);

-- Payloads and large results. The execution comes first, since ids made
-- together lie together. Callers compress what is worth it.
CREATE TABLE blobs (
    execution uuid NOT NULL,
    partition integer NOT NULL,
    kind text COLLATE "C" NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (execution, partition, kind)
);
ALTER TABLE blobs ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- Attempts that others followed.
CREATE TABLE attempts (
    execution uuid NOT NULL,
    partition integer NOT NULL,
    idx bigint NOT NULL,
    record bytea NOT NULL,
    PRIMARY KEY (execution, partition, idx)
);

-- What idempotency keys stand for.
CREATE TABLE idempotency (
    partition integer NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    execution_partition integer NOT NULL,
    execution uuid NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (partition, namespace, key)
);

-- Lanes as the partitions know them.
CREATE TABLE lanes (
    lane text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    state text COLLATE "C" NOT NULL,
    registered_at bigint NOT NULL,
    PRIMARY KEY (lane, partition)
);

-- The log of every partition.
CREATE TABLE events (
    partition integer NOT NULL,
    epoch bigint NOT NULL,
    number bigint NOT NULL,
    execution uuid NOT NULL,
    at bigint NOT NULL,
    record bytea NOT NULL,
    PRIMARY KEY (partition, epoch, number)
);

-- What a set of requirements is found by: itself, or a prefix and a digest of
-- a long one, since an index entry has a greatest size. The server keeps the
-- plan of a function in this language; one in SQL that cannot be inlined (its
-- body is not immutable by the server's rules) is parsed by every statement.
CREATE FUNCTION group_key(requirements text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN length($1) <= 500 THEN $1
        ELSE left($1, 400) || ' ' || encode(sha256(convert_to($1, 'UTF8')), 'hex') END;
END
$$;

-- Make the statement of a commit fail, so that nothing of it becomes durable:
-- one that did not find the rows it is about, and one that creates what is
-- there.
CREATE FUNCTION damaged(place text, found bigint, known bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % rows found, % known to the engine', place, found, known USING ERRCODE = 'LH001';
END
$$;

CREATE FUNCTION exists_already(place text, found bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % of the rows to be created exist', place, found USING ERRCODE = 'unique_violation';
END
$$;
