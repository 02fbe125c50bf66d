//! The one connection that writes.
//!
//! sqlx runs every connection on a thread of its own; a trip there and back
//! costs as much as ten rows. One trip may carry several statements, so a
//! transaction is sent in few trips and its `COMMIT` rides on the last one.
//!
//! A caller may go away in the middle of a transaction. The writer notes that
//! one is open before it sends `BEGIN`; the next user finds the note and rolls
//! back first. The thread works in order, so a `COMMIT` that was already sent
//! is over by then, one way or the other.

use crate::binds::Binds;
use crate::errors;
use crate::stats::{Counters, RecordedTransaction, Recorder};
use crate::texts::{ROWS_MAX, Shape, Texts, Wholes, size_for};
use futures::TryStreamExt;
use leasehold_backend::{StoreError, StoreResult};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, Executor};
use std::sync::Arc;

/// Ends a transaction on the trip of its last statement.
pub(crate) const AND_COMMIT: &str = "; COMMIT";

/// Lets a statement of a trip end its transaction when it does not find what
/// it expects: `INSERT INTO temp.expected VALUES (found, wanted)`.
const EXPECTATIONS: &str = "CREATE TEMP VIEW expected (found, wanted) AS SELECT 0, 0; \
    CREATE TEMP TRIGGER expected_or_nothing INSTEAD OF INSERT ON expected WHEN new.found <> new.wanted \
    BEGIN SELECT RAISE(ROLLBACK, 'the store holds something else than expected'); END";

/// One trip: statements and the values bound to them.
pub(crate) struct Step {
    /// The statements, separated by semicolons.
    pub(crate) sql: Arc<str>,
    /// Their values.
    pub(crate) binds: Binds,
    /// How many rows must be changed, where that is known.
    pub(crate) expect_changes: Option<u64>,
    /// What the text was made from, if it is one of the shapes.
    shape: Option<(&'static Shape, usize)>,
}

impl Step {
    /// A step whose text is no shape.
    pub(crate) fn new(sql: impl Into<Arc<str>>, binds: Binds) -> Self {
        Self { sql: sql.into(), binds, expect_changes: None, shape: None }
    }

    /// What it does, for people.
    pub(crate) fn name(&self) -> &'static str {
        self.shape.map_or("statement", |(shape, _)| shape.name)
    }
}

/// What one statement of a trip gave.
#[derive(Default)]
pub(crate) struct Answer {
    /// The rows returned.
    pub(crate) rows: Vec<SqliteRow>,
    /// How many rows it changed.
    pub(crate) changes: u64,
}

/// The connection, and what is known of its state.
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// A transaction may be open.
    open: bool,
    closed: bool,
    pub(crate) texts: Texts,
    pub(crate) wholes: Wholes,
    counters: Arc<Counters>,
    recorder: Arc<Recorder>,
    recorded: RecordedTransaction,
}

impl Writer {
    /// Connects.
    pub(crate) async fn connect(
        options: SqliteConnectOptions,
        counters: Arc<Counters>,
        recorder: Arc<Recorder>,
    ) -> Result<Self, sqlx::Error> {
        let connection = establish(&options).await?;
        Ok(Self {
            options,
            connection: Some(connection),
            open: false,
            closed: false,
            texts: Texts::default(),
            wholes: Wholes::default(),
            counters,
            recorder,
            recorded: RecordedTransaction::default(),
        })
    }

    /// Makes sure that there is a connection without a transaction.
    ///
    /// # Errors
    ///
    /// `Busy` when no connection can be had, `Permanent` after the close.
    pub(crate) async fn ready(&mut self) -> StoreResult<()> {
        if self.closed {
            return Err(StoreError::permanent("the store is closed"));
        }
        if self.open {
            self.roll_back().await;
        }
        if self.connection.is_none() {
            self.connection = Some(establish(&self.options).await.map_err(errors::of_read)?);
        }
        Ok(())
    }

    /// Whether transactions are recorded.
    pub(crate) fn is_recording(&self) -> bool {
        self.recorder.is_on()
    }

    /// Runs one trip of a transaction, which it may open or commit. A failure
    /// has been rolled back when it is returned.
    ///
    /// # Errors
    ///
    /// As [`errors::of_write`] sorts them.
    pub(crate) async fn run(&mut self, step: Step) -> StoreResult<Vec<Answer>> {
        let commits = step.sql.ends_with(AND_COMMIT) || &*step.sql == "COMMIT";
        self.run_trip(step, commits).await
    }

    /// Runs one statement that is a transaction of its own.
    ///
    /// # Errors
    ///
    /// As [`errors::of_write`] sorts them.
    pub(crate) async fn run_alone(&mut self, step: Step) -> StoreResult<Answer> {
        Ok(self.run_trip(step, true).await?.pop().unwrap_or_default())
    }

    /// Runs a whole transaction whose statements say what they expect to find;
    /// whether they found it. Where they did not, nothing has happened.
    ///
    /// # Errors
    ///
    /// As [`errors::of_write`] sorts them.
    pub(crate) async fn run_whole(&mut self, step: Step) -> StoreResult<bool> {
        match self.try_trip(step, true).await {
            Ok(_) => Ok(true),
            Err(Failed { unexpected: true, error: StoreError::Permanent { .. } }) => Ok(false),
            Err(Failed { error, .. }) => Err(error),
        }
    }

    async fn run_trip(&mut self, step: Step, commits: bool) -> StoreResult<Vec<Answer>> {
        self.try_trip(step, commits).await.map_err(|failed| failed.error)
    }

    async fn try_trip(&mut self, step: Step, commits: bool) -> Result<Vec<Answer>, Failed> {
        self.open = true;
        let (answers, failure) = self.send(step, true).await;
        let Some(error) = failure else {
            if commits {
                self.open = false;
                self.hand_over_recording();
            }
            return Ok(answers);
        };
        // Only the last statement of such a trip is the commit.
        let committing = commits && answers.len() + 1 == statements_of(&error.sql);
        let rolled_back = self.roll_back().await;
        let unexpected = errors::is_unexpected(&error.source);
        Err(Failed { error: errors::of_write(&error.source, committing, rolled_back), unexpected })
    }

    /// Runs one trip and reads no more than whether it worked.
    pub(crate) async fn run_plain(&mut self, sql: &'static str) -> StoreResult<Vec<Answer>> {
        self.run(Step::new(sql, Binds::default())).await
    }

    /// Runs a statement that must stand outside a transaction and writes no
    /// record.
    pub(crate) async fn run_outside(&mut self, sql: &'static str) -> StoreResult<Vec<Answer>> {
        let (answers, failure) = self.send(Step::new(sql, Binds::default()), false).await;
        match failure {
            None => Ok(answers),
            Some(error) => Err(errors::of_read(error.source)),
        }
    }

    async fn send(&mut self, step: Step, records: bool) -> (Vec<Answer>, Option<SentError>) {
        let Some(connection) = self.connection.as_mut() else {
            return (Vec::new(), Some(SentError { sql: step.sql, source: sqlx::Error::WorkerCrashed }));
        };
        Counters::add(&self.counters.bytes_bound, step.binds.bytes_bound());
        Counters::add(&self.counters.round_trips, 1);
        if records && self.recorder.is_on() {
            self.recorded.statements.push((step.sql.as_ref().to_owned(), step.binds.recorded()));
        }
        let args = match step.binds.finish() {
            Ok(args) => args,
            Err(source) => return (Vec::new(), Some(SentError { sql: step.sql, source })),
        };
        let query = sqlx::query_with(AssertSqlSafe(Arc::clone(&step.sql)), args);
        let mut stream = connection.fetch_many(query);
        let mut answers = Vec::with_capacity(4);
        let mut answer = Answer::default();
        let failure = loop {
            match stream.try_next().await {
                Ok(Some(Either::Right(row))) => answer.rows.push(row),
                Ok(Some(Either::Left(done))) => {
                    answer.changes = done.rows_affected();
                    answers.push(std::mem::take(&mut answer));
                }
                Ok(None) => break None,
                Err(source) => break Some(SentError { sql: step.sql, source }),
            }
        };
        Counters::add(&self.counters.statements, answers.len() as u64);
        (answers, failure)
    }

    /// Ends an open transaction without effect. False when the connection did
    /// not take it and was replaced.
    pub(crate) async fn roll_back(&mut self) -> bool {
        self.recorded.statements.clear();
        let Some(connection) = self.connection.as_mut() else {
            self.open = false;
            return false;
        };
        Counters::add(&self.counters.statements, 1);
        Counters::add(&self.counters.round_trips, 1);
        let clean = match connection.execute("ROLLBACK").await {
            Ok(_) => true,
            // SQLite ends a transaction by itself on some errors and then
            // answers that none is active.
            Err(error) => errors::primary_code(&error) == Some(1),
        };
        self.open = false;
        if !clean && let Some(connection) = self.connection.take() {
            // Closing a connection ends its transaction, whatever state it is in.
            drop(connection.close().await);
        }
        clean
    }

    fn hand_over_recording(&mut self) {
        let recorded = std::mem::take(&mut self.recorded);
        if self.recorder.is_on() && !recorded.statements.is_empty() {
            self.recorder.push(recorded);
        }
    }

    /// Cuts rows into statements of a shape.
    pub(crate) fn steps<R>(
        &mut self,
        shape: &'static Shape,
        rows: Vec<R>,
        exact: bool,
        bind: impl Fn(R, &mut Binds),
    ) -> Vec<Step> {
        let mut steps = Vec::with_capacity(rows.len().div_ceil(ROWS_MAX));
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let count = rows.len().min(ROWS_MAX);
            let size = size_for(count);
            let mut binds = Binds::with_capacity(size * shape.columns);
            for row in rows.by_ref().take(count) {
                bind(row, &mut binds);
            }
            binds.pad((size - count) * shape.columns);
            steps.push(Step {
                sql: self.texts.get(shape, size, ""),
                binds,
                expect_changes: exact.then_some(count as u64),
                shape: Some((shape, size)),
            });
        }
        steps
    }

    /// Lets the `COMMIT` ride on the last statement, unless that one's count
    /// is looked at before it may become durable.
    pub(crate) fn append_commit(&mut self, steps: &mut Vec<Step>) {
        if let Some(Step { sql, expect_changes: None, shape: Some((shape, size)), .. }) = steps.last_mut() {
            *sql = self.texts.get(shape, *size, AND_COMMIT);
        } else {
            steps.push(Step::new("COMMIT", Binds::default()));
        }
    }

    /// Loses the connection, as a thread that died would.
    #[cfg(test)]
    pub(crate) async fn lose_connection(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await.unwrap();
        }
    }

    /// Closes the connection for good.
    pub(crate) async fn close(&mut self) {
        self.closed = true;
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "closing the writing connection failed");
        }
    }
}

/// A trip that failed.
struct Failed {
    error: StoreError,
    /// Its own statements did not find what they expect.
    unexpected: bool,
}

struct SentError {
    sql: Arc<str>,
    source: sqlx::Error,
}

/// A connection that can say what it expects.
async fn establish(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    connection.execute(EXPECTATIONS).await?;
    Ok(connection)
}

/// How many statements a trip has. Values are bound, so a semicolon is always
/// a separator.
fn statements_of(sql: &str) -> usize {
    sql.split(';').filter(|statement| !statement.trim().is_empty()).count()
}
