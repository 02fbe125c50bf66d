//! Durable creates for a test that counts the process's `fdatasync` calls
//! from outside.

use super::{Fallible, runtime};
use leasehold::{Node, SqliteOptions, Synchronous};
use leasehold_backend::{Clock, SystemClock};
use leasehold_sqlite::SqliteBackend;
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Creates executions `one` after the other or `many` at a time, on a file
/// that is synchronised as `full` or `normal`, and prints how many commits
/// that took.
///
/// # Errors
///
/// For other words, and what the engine refuses.
pub fn run(file: &str, synchronous: &str, pace: &str, creates: &str) -> Fallible {
    let synchronous = match synchronous {
        "full" => Synchronous::Full,
        "normal" => Synchronous::Normal,
        other => return Err(format!("{other:?}: full or normal").into()),
    };
    let together = match pace {
        "one" => false,
        "many" => true,
        other => return Err(format!("{other:?}: one or many").into()),
    };
    let options = SqliteOptions { synchronous, ..SqliteOptions::new(file) };
    runtime()?.block_on(create(options, together, creates.parse()?))
}

#[expect(clippy::print_stdout, reason = "the test reads the counts")]
async fn create(options: SqliteOptions, together: bool, creates: u32) -> Fallible {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let backend = Arc::new(SqliteBackend::open(options, clock.clone()).await?);
    let node = Node::builder().backend(backend.clone()).clock(clock).open().await?;
    let client = node.client();
    let before = backend.stats().commits;
    let mut under_way = JoinSet::new();
    for number in 0..creates {
        let submission = client.submit("any", format!("payload {number}"));
        if together {
            under_way.spawn(submission.send());
        } else {
            submission.await?;
        }
    }
    while let Some(sent) = under_way.join_next().await {
        sent??;
    }
    let commits = backend.stats().commits - before;
    println!("{}", json!({"creates": creates, "commits": commits}));
    node.shutdown().await;
    Ok(())
}
