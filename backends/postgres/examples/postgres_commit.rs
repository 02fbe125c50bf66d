//! How fast batches of claims and completions go through the store alone.
//!
//! ```sh
//! cargo run --release -p leasehold-postgres --example postgres_commit -- --help
//! ```
//!
//! The server is the one of `LEASEHOLD_TEST_POSTGRES`; the schema stays.

#[path = "../tests/support/mod.rs"]
mod support;

use leasehold_core::ids::ExecutionId;
use std::collections::VecDeque;
use std::time::Instant;
use support::{Engine, Place};

struct Arguments {
    executions: usize,
    batch: usize,
    partitions: u16,
    run: usize,
    history: i64,
}

fn arguments() -> Arguments {
    let mut parsed = Arguments { executions: 100_000, batch: 128, partitions: 256, run: 1, history: 0 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--executions" => parsed.executions = value().parse().expect("a number"),
            "--batch" => parsed.batch = value().parse().expect("a number"),
            "--partitions" => parsed.partitions = value().parse().expect("a number"),
            "--history" => parsed.history = value().parse().expect("a number"),
            "--run" => parsed.run = value().parse().expect("a number"),
            _ => {
                say(
                    "--executions N --batch N --partitions N --run N (neighbours of one partition) --history N (terminal executions, and a fifth as many delayed)",
                );
                std::process::exit(2);
            }
        }
    }
    parsed
}

#[expect(clippy::print_stdout, reason = "a bench prints its result")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn clock() -> Instant {
    Instant::now()
}

/// CPU microseconds of the server's sessions for the store, where the system
/// tells and the server is on this machine; unlike the wall clock they do not
/// depend on who else is running.
async fn server_cpu_us(place: &Place) -> f64 {
    let sessions =
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'leasehold' AND query LIKE '%' || $1 || '%'";
    let mut raw = place.raw().await;
    let pids: Vec<i32> =
        sqlx::query_scalar(sessions).bind(&place.schema).fetch_all(&mut raw).await.expect("the sessions");
    let cpu = |pid| std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    pids.into_iter().filter_map(|pid| cpu(pid).split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1000.0
}

/// Fills the store with what lies beside the work at hand. Nothing reads these
/// records, so that their bytes may be anything.
async fn add_history(place: &Place, partitions: u16, count: i64) {
    const DONE: &str = "INSERT INTO executions_done SELECT n % $1, gen_random_uuid(), 'tests', 'send_mail', '', n, \
        'default', 0, 'completed', n, n, decode(repeat('ab', 300), 'hex') FROM generate_series(1, $2) AS n";
    const DELAYED: &str = "INSERT INTO executions SELECT n % $1, gen_random_uuid(), 'tests', 'send_mail', '', n, \
        'default', 0, 'runnable', 'delayed', 'delayed', NULL, n, n, NULL, NULL, decode(repeat('ab', 250), 'hex') \
        FROM generate_series(1, $2 / 5) AS n";
    let mut raw = place.raw().await;
    for sql in [DONE, DELAYED] {
        let fill = sqlx::query(sql).bind(i64::from(partitions)).bind(count).execute(&mut raw);
        fill.await.expect("the history");
    }
    sqlx::raw_sql("CHECKPOINT").execute(&mut raw).await.expect("a checkpoint");
}

/// Bytes of log the server has written so far.
async fn log_bytes(place: &Place) -> f64 {
    let mut raw = place.raw().await;
    let asked = sqlx::query_scalar("SELECT (pg_current_wal_lsn() - '0/0')::float8").fetch_one(&mut raw);
    asked.await.expect("the place in the log")
}

/// What a phase is measured from.
struct Since {
    at: Instant,
    written: f64,
    cpu: f64,
    stats: leasehold_postgres::Stats,
}

impl Since {
    async fn now(engine: &Engine, place: &Place) -> Self {
        let written = log_bytes(place).await;
        let cpu = server_cpu_us(place).await;
        Self { at: clock(), written, cpu, stats: engine.store.stats() }
    }
}

async fn report(name: &str, engine: &Engine, place: &Place, executions: usize, since: &Since) {
    let seconds = since.at.elapsed().as_secs_f64();
    let before = since.stats;
    let now = engine.store.stats();
    let batches = (now.commits - before.commits) as f64;
    let rows = (now.rows_written - before.rows_written) as f64;
    say(&format!(
        "{name:<8} {:>7.0} executions/s {:>7.0} rows/s {:>5.1} rows per execution {:>7.3} ms/batch {:>4.2} statements \
         {:>4.2} trips {:>4.0} bytes/row {:>5.0} KB log/batch {:>5.1} us server cpu per execution",
        executions as f64 / seconds,
        rows / seconds,
        rows / executions as f64,
        seconds * 1000.0 / batches,
        (now.statements - before.statements) as f64 / batches,
        (now.round_trips - before.round_trips) as f64 / batches,
        (now.bytes_bound - before.bytes_bound) as f64 / rows,
        (log_bytes(place).await - since.written) / 1024.0 / batches,
        (server_cpu_us(place).await - since.cpu) / executions as f64,
    ));
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments = arguments();
    let place = Place::fresh();
    let partitions: Vec<u16> = (0..arguments.partitions).collect();
    let mut engine = Engine::with(&place, 7, &partitions).await;

    if arguments.history > 0 {
        add_history(&place, arguments.partitions, arguments.history).await;
    }

    // Neighbours in time belong to `run` executions of one partition each.
    let ids: Vec<ExecutionId> = (0..arguments.executions)
        .map(|n| {
            if n % 64 == 0 {
                engine.clock.advance(1);
            }
            engine.id((n / arguments.run % usize::from(arguments.partitions)) as u16)
        })
        .collect();

    let since = Since::now(&engine, &place).await;
    let mut deciding = 0.0;
    for chunk in ids.chunks(arguments.batch) {
        let at = clock();
        let changes = chunk.iter().map(|id| engine.create(*id)).collect();
        let batch = engine.batch(changes);
        deciding += at.elapsed().as_secs_f64();
        engine.send(&batch).await.expect("a commit");
    }
    report("create", &engine, &place, ids.len(), &since).await;
    say(&format!("         of which {:.0} % deciding", deciding * 100.0 / since.at.elapsed().as_secs_f64()));

    // Half of each batch claims, the other half completes what was claimed
    // a few batches ago.
    let since = Since::now(&engine, &place).await;
    let mut deciding = 0.0;
    let mut took = Vec::new();
    let mut running: VecDeque<ExecutionId> = VecDeque::new();
    let mut waiting = ids.iter();
    loop {
        let at = clock();
        let mut changes = Vec::with_capacity(arguments.batch);
        let ready = waiting.as_slice().is_empty();
        if running.len() >= arguments.batch * 4 || ready {
            for _ in 0..(arguments.batch / 2).min(running.len()) {
                let id = running.pop_front().expect("a running one");
                changes.push(engine.complete(id));
            }
        }
        for id in waiting.by_ref().take(arguments.batch / 2) {
            changes.push(engine.claim(*id));
            running.push_back(*id);
        }
        if changes.is_empty() {
            break;
        }
        let batch = engine.batch(changes);
        deciding += at.elapsed().as_secs_f64();
        let at = clock();
        engine.send(&batch).await.expect("a commit");
        took.push(at.elapsed());
    }
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    say(&format!("commits  p50 {:.2} p99 {:.2} max {:.1} ms", at(0.5), at(0.99), at(1.0)));
    report("drain", &engine, &place, ids.len(), &since).await;
    say(&format!("         of which {:.0} % deciding", deciding * 100.0 / since.at.elapsed().as_secs_f64()));
}
