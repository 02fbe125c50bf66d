-- The tables of a Leasehold store in one SQLite file.
--
-- The authority of a record is its `record` column; the typed columns beside
-- it are derived from it by `leasehold_core::index` and exist for indexes and
-- for people with a SQL prompt. Uuids are sixteen bytes, times are
-- milliseconds since the Unix epoch.
--
-- Rows that change or arrive with every commit are keyed so that a commit
-- touches few pages: executions and events lie in the order in which they
-- came, and only small index entries are spread by partition.

-- What tells this store from another, and what it was set up for.
CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    store_id BLOB NOT NULL,
    flow_partitions INTEGER NOT NULL,
    budget_partitions INTEGER NOT NULL,
    quota_partitions INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);

-- Nodes and their leases. The row of a node is also the head its committer
-- advances: commits so far, the highest partition time written, and the
-- partitions its last commit was refused for, comma-joined.
CREATE TABLE nodes (
    node BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    commit_seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    refused TEXT
) WITHOUT ROWID;

-- Who owns a partition. Written by takeovers, compared by every commit.
CREATE TABLE partitions (
    partition INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    nonce INTEGER NOT NULL,
    owner BLOB NOT NULL,
    time INTEGER NOT NULL
);

CREATE TABLE executions (
    partition INTEGER NOT NULL,
    id BLOB NOT NULL,
    namespace TEXT NOT NULL,
    kind TEXT NOT NULL,
    requirements TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    lane TEXT NOT NULL,
    priority INTEGER NOT NULL,
    lifecycle_phase TEXT NOT NULL,
    public_state TEXT NOT NULL,
    queue TEXT NOT NULL,
    score INTEGER NOT NULL,
    due_at INTEGER,
    lease_expires_at INTEGER,
    worker_instance TEXT,
    completed_at INTEGER,
    record BLOB NOT NULL
);

-- Identity, and the list of a partition. Its columns never change, so that
-- only a create writes it.
CREATE UNIQUE INDEX executions_id ON executions (partition, id);

-- Claimable executions of one lane and requirement set in rank order.
CREATE INDEX executions_ready ON executions (partition, lane, requirements, score, id) WHERE queue = 'ready';

-- Claimed executions of a partition.
CREATE INDEX executions_active ON executions (partition, id) WHERE queue = 'active';

-- Timers of a partition.
CREATE INDEX executions_due ON executions (partition, due_at, id) WHERE due_at IS NOT NULL;

-- Payloads and large results. The execution comes first, since ids made
-- together lie together.
CREATE TABLE blobs (
    execution BLOB NOT NULL,
    partition INTEGER NOT NULL,
    kind TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (execution, partition, kind)
) WITHOUT ROWID;

-- Attempts that others followed.
CREATE TABLE attempts (
    execution BLOB NOT NULL,
    partition INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (execution, partition, idx)
) WITHOUT ROWID;

-- What idempotency keys stand for.
CREATE TABLE idempotency (
    partition INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    execution_partition INTEGER NOT NULL,
    execution BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (partition, namespace, key)
) WITHOUT ROWID;

-- Lanes as the partitions know them.
CREATE TABLE lanes (
    lane TEXT NOT NULL,
    partition INTEGER NOT NULL,
    state TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    PRIMARY KEY (lane, partition)
) WITHOUT ROWID;

-- The log of every partition.
CREATE TABLE events (
    partition INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    execution BLOB NOT NULL,
    at INTEGER NOT NULL,
    record BLOB NOT NULL
);

-- The order of a partition's log.
CREATE UNIQUE INDEX events_id ON events (partition, epoch, number);
