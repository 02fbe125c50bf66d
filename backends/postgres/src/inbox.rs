//! Transactional create: the application's side of the inbox.
//!
//! ```no_run
//! # async fn example(create: &leasehold_core::command::CreateExecution) -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = sqlx::PgPool::connect("postgres://localhost/shop").await?;
//! let mut transaction = pool.begin().await?;
//! sqlx::query("INSERT INTO orders (item) VALUES ('book')").execute(&mut *transaction).await?;
//! let id = leasehold_postgres::inbox::create(&mut transaction, "leasehold", create).await?;
//! transaction.commit().await?;
//! leasehold_postgres::inbox::announce(&mut *pool.acquire().await?, "leasehold").await?;
//! # drop(id);
//! # Ok(())
//! # }
//! ```
//!
//! Only the application's connection is used, and nothing of the session is
//! changed, so that it works through a pooler in transaction mode. The role
//! needs `USAGE` on the schema, `SELECT` on its `meta` and `INSERT` on its
//! `inbox`.
//!
//! # When it starts
//!
//! | told by | after the commit | what it costs |
//! |---|---|---|
//! | nobody | within the nodes' sweep, 1.5 s | nothing |
//! | [`announce`] after the commit | at once | a trip of its own; lost if the application ends in between |
//! | [`announce`] in the transaction | at once, exactly if it commits | see below |
//! | a node in the same process, by its `announce` | at once | nothing |
//!
//! A transaction that has notified takes a lock when it commits that there is
//! once per *server*, over all databases, and holds it until its commit is on
//! disk. Such transactions commit one after the other and share no disk sync:
//! with 16 connections a fifth to a third as many as otherwise (ADR 6).
//! So the word is not part of [`create`]: say it in the transaction where
//! commits are few, after it where there are many. A statement that only
//! notifies writes nothing and holds the lock for as good as no time.

use crate::errors::{self, Failed};
use crate::texts::Texts;
use crate::watch;
use leasehold_backend::StoreError;
use leasehold_core::command::CreateExecution;
use leasehold_core::error::{BackendErrorKind, EngineError};
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::ExecutionId;
use leasehold_core::inbox;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

/// Inserts into the inbox, if the store has the partition, and tells how many
/// there are.
const INSERT: &str = "WITH given AS (SELECT ?::integer AS partition, ?::uuid AS execution, ?::bytea AS create_bytes), \
    inserted AS (INSERT INTO @inbox (partition, execution, create_bytes) \
        SELECT partition, execution, create_bytes FROM given \
        WHERE partition < (SELECT flow_partitions FROM @meta) RETURNING 1) \
    SELECT (SELECT count(*) FROM inserted), (SELECT flow_partitions::bigint FROM @meta)";

/// Creates an execution with the application's transaction: it exists exactly
/// if that transaction commits. Nothing but one row is inserted. `schema` is
/// the store's.
///
/// Once it has committed, a node finds it by itself, and at once when it is
/// told by [`announce`]. It is then decided as any create: with an idempotency
/// key that stands for another execution by then, nothing comes of this id.
///
/// # Errors
///
/// What `create_execution` would refuse, with the same errors, before anything
/// is sent; `transport` and `resource_exhausted` for what the database
/// refuses, after which the transaction can only be rolled back.
pub async fn create(
    connection: &mut PgConnection,
    schema: &str,
    create: &CreateExecution,
) -> Result<ExecutionId, EngineError> {
    let bytes = inbox::encode(create)?;
    let id = create.execution_id;
    let texts = Texts::of(schema).map_err(|error| EngineError::invalid_input(error.to_string()))?;
    let insert = sqlx::query(AssertSqlSafe(texts.get(INSERT)))
        .bind(i32::from(id.partition()))
        .bind(id.uuid())
        .bind(bytes)
        .persistent(false);
    let row = insert.fetch_one(&mut *connection).await.map_err(failed)?;
    let inserted: i64 = row.try_get(0).map_err(failed)?;
    if inserted == 1 {
        return Ok(id);
    }
    let count: Option<i64> = row.try_get(1).map_err(failed)?;
    let count = count.unwrap_or(0);
    Err(EngineError::invalid_input(format!("execution_id: no partition {}, there are {count}", id.partition())))
}

/// Tells the nodes that the inbox has something new. In a transaction they
/// hear of it exactly if and when that commits, and outside one at once; see
/// [the module](self) for which to choose. Any role may do this.
///
/// # Errors
///
/// `invalid_input` for a name that cannot be a store's; `transport` for what
/// the database refuses.
pub async fn announce(connection: &mut PgConnection, schema: &str) -> Result<(), EngineError> {
    let texts = Texts::of(schema).map_err(|error| EngineError::invalid_input(error.to_string()))?;
    sqlx::raw_sql(AssertSqlSafe(watch::notify(texts.schema()))).execute(connection).await.map(drop).map_err(failed)
}

/// What a failed statement of the application means for it: the transaction
/// it belongs to is over without effect.
fn failed(source: sqlx::Error) -> EngineError {
    let transport = |kind, message| EngineError::Transport { backend: BackendTag::Postgres.as_str(), kind, message };
    match errors::of_read(&Failed::before(source)) {
        StoreError::Busy { message } | StoreError::Unknown { message } => {
            transport(BackendErrorKind::Transport, message)
        }
        StoreError::Full { .. } => EngineError::ResourceExhausted { pool: "store", max: 0, retry_after_ms: None },
        StoreError::Corrupt(error) => error,
        StoreError::Permanent { message } | StoreError::Refused { message } => {
            transport(BackendErrorKind::Other, message)
        }
    }
}
