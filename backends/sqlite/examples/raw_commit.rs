//! How fast batches of claims and completions go through the store alone.
//!
//! ```sh
//! cargo run --release -p leasehold-sqlite --example raw_commit -- --help
//! ```

#[path = "../tests/support/mod.rs"]
mod support;

use leasehold_core::ids::ExecutionId;
use leasehold_sqlite::Synchronous;
use std::collections::VecDeque;
use std::time::Instant;
use support::Engine;

struct Arguments {
    executions: usize,
    batch: usize,
    partitions: u16,
    run: usize,
    synchronous: Synchronous,
    checkpoint_pages: Option<u32>,
    folder: Option<String>,
    cache_kib: Option<u32>,
}

fn arguments() -> Arguments {
    let mut parsed = Arguments {
        executions: 100_000,
        batch: 128,
        partitions: 256,
        run: 1,
        synchronous: Synchronous::Full,
        checkpoint_pages: None,
        folder: None,
        cache_kib: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--executions" => parsed.executions = value().parse().expect("a number"),
            "--batch" => parsed.batch = value().parse().expect("a number"),
            "--partitions" => parsed.partitions = value().parse().expect("a number"),
            "--run" => parsed.run = value().parse().expect("a number"),
            "--normal" => parsed.synchronous = Synchronous::Normal,
            "--checkpoint-pages" => parsed.checkpoint_pages = Some(value().parse().expect("a number")),
            "--cache-kib" => parsed.cache_kib = Some(value().parse().expect("a number")),
            "--folder" => parsed.folder = Some(value()),
            _ => {
                say(
                    "--executions N --batch N --partitions N --run N (neighbours of one partition) --normal --checkpoint-pages N --cache-kib N --folder PATH",
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

/// CPU microseconds of the writing thread and of all others, where the system
/// tells; unlike the wall clock they do not depend on who else is running.
fn cpu_us() -> (f64, f64) {
    let (mut writer, mut others) = (0.0, 0.0);
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let us = read("schedstat").split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1000.0;
        *if read("comm").starts_with("sqlite-writer") { &mut writer } else { &mut others } += us;
    }
    (writer, others)
}

/// Bytes handed to the system for writing, where it tells.
fn written_bytes() -> f64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0.0)
}

/// What a phase is measured from.
struct Since {
    at: Instant,
    written: f64,
    stats: leasehold_sqlite::Stats,
    cpu: (f64, f64),
}

impl Since {
    fn now(engine: &Engine) -> Self {
        Self { at: clock(), written: written_bytes(), stats: engine.store.stats(), cpu: cpu_us() }
    }
}

fn report(name: &str, engine: &Engine, executions: usize, since: &Since) {
    let seconds = since.at.elapsed().as_secs_f64();
    let (writer, others) = cpu_us();
    let before = since.stats;
    let now = engine.store.stats();
    let batches = (now.commits - before.commits) as f64;
    let rows = (now.rows_written - before.rows_written) as f64;
    say(&format!(
        "{name:<8} {:>9.0} executions/s {:>9.0} rows/s {:>8.3} ms/batch  {:>5.1} statements {:>4.1} trips {:>4.0} bytes/row {:>5.1} + {:>4.1} us cpu per execution (writer + others) {:>5.0} KB written/batch",
        executions as f64 / seconds,
        rows / seconds,
        seconds * 1000.0 / batches,
        (now.statements - before.statements) as f64 / batches,
        (now.round_trips - before.round_trips) as f64 / batches,
        (now.bytes_bound - before.bytes_bound) as f64 / rows,
        (writer - since.cpu.0) / executions as f64,
        (others - since.cpu.1) / executions as f64,
        (written_bytes() - since.written) / 1024.0 / batches,
    ));
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments = arguments();
    let folder = match &arguments.folder {
        Some(path) => tempfile::tempdir_in(path).expect("a folder"),
        None => tempfile::tempdir().expect("a folder"),
    };
    let mut options = support::options(&folder);
    options.synchronous = arguments.synchronous;
    if let Some(pages) = arguments.checkpoint_pages {
        options.checkpoint_pages = pages;
    }
    if let Some(kib) = arguments.cache_kib {
        options.writer_cache_kib = kib;
    }
    let partitions: Vec<u16> = (0..arguments.partitions).collect();
    let mut engine = support::engine_with(options, 7, &partitions).await;

    // Neighbours in time belong to `run` executions of one partition each.
    let ids: Vec<ExecutionId> = (0..arguments.executions)
        .map(|n| {
            if n % 64 == 0 {
                engine.clock.advance(1);
            }
            engine.id((n / arguments.run % usize::from(arguments.partitions)) as u16)
        })
        .collect();

    let since = Since::now(&engine);
    let mut deciding = 0.0;
    for chunk in ids.chunks(arguments.batch) {
        let at = clock();
        let changes = chunk.iter().map(|id| engine.create(*id)).collect();
        let batch = engine.batch(changes);
        deciding += at.elapsed().as_secs_f64();
        engine.send(&batch).await.expect("a commit");
    }
    report("create", &engine, ids.len(), &since);
    say(&format!("         of which {:.0} % deciding", deciding * 100.0 / since.at.elapsed().as_secs_f64()));

    // Half of each batch claims, the other half completes what was claimed
    // a few batches ago.
    let since = Since::now(&engine);
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
    report("drain", &engine, ids.len(), &since);
    say(&format!("         of which {:.0} % deciding", deciding * 100.0 / since.at.elapsed().as_secs_f64()));
}
