//! What it costs an application to tell the nodes of what it leaves in the
//! inbox: nothing told, told in the transaction, told after it.
//!
//! ```sh
//! cargo run --release -p leasehold-postgres --example postgres_announce -- --seconds 5
//! ```
//!
//! The server is the one of `LEASEHOLD_TEST_POSTGRES`; it must be durable for
//! the figures to mean anything. The schema stays.

#[path = "../tests/support/mod.rs"]
mod support;

use leasehold_backend::{Entropy, SystemEntropy};
use leasehold_backend_suite::create_command;
use leasehold_core::ids::ExecutionId;
use leasehold_postgres::inbox;
use sqlx::Connection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Place, engine};

/// How an application tells.
#[derive(Clone, Copy, Debug)]
enum Telling {
    Nothing,
    Within,
    After,
}

#[expect(clippy::print_stdout, reason = "a bench prints its result")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn clock() -> Instant {
    Instant::now()
}

/// Transactions a second over so many connections.
async fn rate(place: &Arc<Place>, telling: Telling, connections: usize, time: Duration) -> f64 {
    let end = clock() + time;
    let writers = (0..connections).map(|_| {
        let place = Arc::clone(place);
        tokio::spawn(async move {
            let mut connection = place.raw().await;
            let mut count = 0_u32;
            while clock() < end {
                let id = ExecutionId::from_parts(1, SystemEntropy::default().uuid());
                let mut transaction = connection.begin().await.expect("a transaction");
                inbox::create(&mut transaction, &place.schema, &create_command(id)).await.expect("an entry");
                if matches!(telling, Telling::Within) {
                    inbox::announce(&mut transaction, &place.schema).await.expect("word");
                }
                transaction.commit().await.expect("a commit");
                if matches!(telling, Telling::After) {
                    inbox::announce(&mut connection, &place.schema).await.expect("word");
                }
                count += 1;
            }
            count
        })
    });
    let mut total = 0.0;
    for writer in writers.collect::<Vec<_>>() {
        total += f64::from(writer.await.expect("a writer"));
    }
    total / time.as_secs_f64()
}

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1);
    let mut seconds = 5;
    while let Some(word) = words.next() {
        assert_eq!(word, "--seconds", "the only argument is --seconds N");
        seconds = words.next().expect("a number").parse().expect("a number");
    }
    let place = Arc::new(Place::fresh());
    let _engine = engine(&place).await;
    for round in 1..=3 {
        for connections in [1, 16] {
            let mut line = vec![format!("round {round}, {connections:2} connections:")];
            for telling in [Telling::Nothing, Telling::Within, Telling::After] {
                let rate = rate(&place, telling, connections, Duration::from_secs(seconds)).await;
                line.push(format!("{telling:?} {rate:.0}/s"));
            }
            say(&line.join("  "));
        }
    }
}
