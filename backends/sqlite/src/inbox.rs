//! Transactional create: the application's side of the inbox.
//!
//! ```no_run
//! # async fn example(create: &leasehold_core::command::CreateExecution) -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = sqlx::SqlitePool::connect("sqlite:work.db").await?;
//! let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
//! sqlx::query("INSERT INTO orders (item) VALUES ('book')").execute(&mut *transaction).await?;
//! let id = leasehold_sqlite::inbox::create(&mut transaction, create).await?;
//! transaction.commit().await?;
//! # drop(id);
//! # Ok(())
//! # }
//! ```
//!
//! The application's tables lie in the store's file, which a node has prepared
//! before. A transaction of SQLite keeps every other writer of the file
//! waiting, the engine included: keep it short, begin it with
//! `BEGIN IMMEDIATE`, and give the connection a busy timeout.

use crate::errors::{self, Failure};
use leasehold_core::command::CreateExecution;
use leasehold_core::error::{BackendErrorKind, EngineError};
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::ExecutionId;
use leasehold_core::inbox;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

/// Inserts into the inbox, if the store has the partition.
const INSERT: &str = "INSERT INTO inbox (partition, execution, create_bytes) \
    SELECT ?1, ?2, ?3 FROM meta WHERE ?1 < flow_partitions";

/// How many partitions there are.
const PARTITIONS: &str = "SELECT flow_partitions FROM meta";

/// Creates an execution with the application's transaction: it exists exactly
/// if that transaction commits. Nothing but one row is inserted.
///
/// Once it has committed, a node finds it by itself, and at once when it is
/// told by `announce`. It is then decided as any create: with an idempotency
/// key that stands for another execution by then, nothing comes of this id.
///
/// # Errors
///
/// What `create_execution` would refuse, with the same errors, before anything
/// is inserted; `transport` and `resource_exhausted` for what the database
/// refuses. Whether the transaction is still usable then is as after any
/// failed statement.
pub async fn create(connection: &mut SqliteConnection, create: &CreateExecution) -> Result<ExecutionId, EngineError> {
    let bytes = inbox::encode(create)?;
    let id = create.execution_id;
    let insert = sqlx::query(INSERT)
        .bind(i64::from(id.partition()))
        .bind(id.uuid().as_bytes().to_vec())
        .bind(bytes)
        .execute(&mut *connection);
    if insert.await.map_err(|error| failed(&error))?.rows_affected() == 1 {
        return Ok(id);
    }
    let row = sqlx::query(PARTITIONS).fetch_optional(&mut *connection).await.map_err(|error| failed(&error))?;
    let count: i64 = row.map(|row| row.try_get(0)).transpose().map_err(|error| failed(&error))?.unwrap_or(0);
    Err(EngineError::invalid_input(format!("execution_id: no partition {}, there are {count}", id.partition())))
}

/// What a failed statement of the application means for it.
fn failed(error: &sqlx::Error) -> EngineError {
    let kind = match errors::classify(error) {
        Failure::Full => return EngineError::ResourceExhausted { pool: "store", max: 0, retry_after_ms: None },
        Failure::Busy => BackendErrorKind::Timeout,
        Failure::Io | Failure::Gone => BackendErrorKind::Transport,
        Failure::Corrupt | Failure::Permanent => BackendErrorKind::Other,
    };
    EngineError::Transport { backend: BackendTag::Sqlite.as_str(), kind, message: error.to_string() }
}
