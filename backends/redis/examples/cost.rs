//! What an execution costs the server: CPU per execution from create to
//! completion by how many go into one change set, CPU and log of a drain over
//! many partitions, and memory by where it stands.
//!
//! ```text
//! cargo xtask services -- cargo run -p leasehold-redis --example cost
//! ```
//!
//! The CPU is the server's own count (`INFO cpu`, user and system), so that a
//! slow client does not matter. Memory is `used_memory` before and after.

#![expect(clippy::print_stdout, reason = "it prints a table")]

#[path = "../tests/support/mod.rs"]
mod support;

use bytes::Bytes;
use leasehold_backend_suite::create_command;
use leasehold_core::ids::ExecutionId;
use support::{Engine, Node, Raw, Server, engine, engine_with, options};

const EXECUTIONS: usize = 4096;
const PARTITIONS: u16 = 256;
const DRAINED: usize = 10_240;
const PAYLOAD_BYTES: usize = 1024;

/// The sum of some fields of `INFO`.
async fn info(raw: &mut Raw, section: &str, fields: &[&str]) -> f64 {
    let text: String = raw.run(redis::cmd("INFO").arg(section)).await;
    let value =
        |line: &str| fields.iter().find_map(|field| line.strip_prefix(field)?.strip_prefix(':')?.parse::<f64>().ok());
    text.lines().filter_map(|line| value(line.trim())).sum::<f64>()
}

async fn cpu_us(raw: &mut Raw) -> f64 {
    info(raw, "cpu", &["used_cpu_user", "used_cpu_sys"]).await * 1e6
}

async fn memory(raw: &mut Raw) -> f64 {
    info(raw, "memory", &["used_memory"]).await
}

async fn create(engine: &mut Engine, ids: &[ExecutionId]) {
    let changes = ids
        .iter()
        .map(|id| {
            let mut command = create_command(*id);
            command.input_payload = Bytes::from(vec![b'x'; PAYLOAD_BYTES]);
            let (partition, changes, _) = engine.decide(command);
            (partition, changes)
        })
        .collect();
    engine.commit(changes).await;
}

async fn step(engine: &mut Engine, ids: &[ExecutionId], step: Step) {
    let changes = ids.iter().map(|id| step(engine, *id)).collect();
    engine.commit(changes).await;
}

type Step = fn(&mut Node, ExecutionId) -> (u16, leasehold_core::decision::ChangeSet);

async fn cpu(server: Server) {
    println!("{server:?}: server CPU in us per execution, payload {PAYLOAD_BYTES} bytes");
    println!("{:>10} {:>8} {:>8} {:>8} {:>8}", "per part", "create", "claim", "complete", "all");
    for size in [1, 4, 16, 64] {
        let mut engine = engine(server).await;
        let mut raw = Raw::of(&engine, 1).await;
        let ids: Vec<ExecutionId> = (0..EXECUTIONS).map(|_| engine.id(1)).collect();
        let mut marks = vec![cpu_us(&mut raw).await];
        for chunk in ids.chunks(size) {
            create(&mut engine, chunk).await;
        }
        marks.push(cpu_us(&mut raw).await);
        for one in [Node::claim as Step, Node::complete] {
            for chunk in ids.chunks(size) {
                step(&mut engine, chunk, one).await;
            }
            marks.push(cpu_us(&mut raw).await);
        }
        let each: Vec<f64> = marks.windows(2).map(|pair| (pair[1] - pair[0]) / EXECUTIONS as f64).collect();
        println!("{size:>10} {:>8.1} {:>8.1} {:>8.1} {:>8.1}", each[0], each[1], each[2], each.iter().sum::<f64>());
    }
}

/// As a node drains: batches of `parts` partitions, of each of which as many
/// executions are completed as others are claimed.
async fn drain(server: Server, parts: u16, each: usize) {
    let all: Vec<u16> = (0..PARTITIONS).collect();
    let mut engine = engine_with(options(server), 1, &all).await;
    let mut raw = Raw::of(&engine, 1).await;
    let ids: Vec<ExecutionId> = (0..DRAINED).map(|at| engine.id((at % all.len()) as u16)).collect();
    let of = |partition: u16| ids.iter().copied().filter(|id| id.partition() == partition).collect::<Vec<_>>();
    let waiting: Vec<Vec<ExecutionId>> = all.iter().map(|partition| of(*partition)).collect();
    for ids in &waiting {
        create(&mut engine, ids).await;
    }
    let turns = waiting.iter().map(Vec::len).max().unwrap_or_default().div_ceil(each) + 1;
    let before = (cpu_us(&mut raw).await, info(&mut raw, "persistence", &["aof_current_size"]).await);
    for turn in 0..turns {
        for group in waiting.chunks(parts.into()) {
            let mut changes = Vec::new();
            for ids in group {
                let claimed = turn.checked_sub(1).and_then(|before| ids.chunks(each).nth(before)).unwrap_or_default();
                changes.extend(claimed.iter().map(|id| engine.complete(*id)));
                let next = ids.chunks(each).nth(turn).unwrap_or_default();
                changes.extend(next.iter().map(|id| engine.claim(*id)));
            }
            engine.commit(changes).await;
        }
    }
    let after = (cpu_us(&mut raw).await, info(&mut raw, "persistence", &["aof_current_size"]).await);
    println!(
        "{server:?}: drain, {parts} partitions with {each} claimed and completed in each: {:.1} us, {:.0} bytes of log",
        (after.0 - before.0) / DRAINED as f64,
        (after.1 - before.1) / DRAINED as f64,
    );
}

async fn bytes(server: Server) {
    let all: Vec<u16> = (0..16).collect();
    let mut engine = engine_with(options(server), 1, &all).await;
    let mut raw = Raw::of(&engine, 1).await;
    let per = |before: f64, after: f64| (after - before) / (EXECUTIONS * 4) as f64;
    let ids: Vec<ExecutionId> = (0..EXECUTIONS * 4).map(|at| engine.id((at % 16) as u16)).collect();
    let mut marks = vec![memory(&mut raw).await];
    for chunk in ids.chunks(256) {
        create(&mut engine, chunk).await;
    }
    marks.push(memory(&mut raw).await);
    for one in [Node::claim as Step, Node::complete] {
        for chunk in ids.chunks(256) {
            step(&mut engine, chunk, one).await;
        }
        marks.push(memory(&mut raw).await);
    }
    println!("{server:?}: memory in bytes per execution beyond its payload of {PAYLOAD_BYTES}");
    println!(
        "waiting {:.0}, active {:.0}, ended {:.0}",
        per(marks[0], marks[1]) - PAYLOAD_BYTES as f64,
        per(marks[0], marks[2]) - PAYLOAD_BYTES as f64,
        per(marks[0], marks[3]) - PAYLOAD_BYTES as f64,
    );
    for kind in ["execution", "ids", "index", "blob", "event"] {
        let key = raw.key(1, kind);
        let used: Option<u64> = raw.run(redis::cmd("MEMORY").arg("USAGE").arg(&key).arg("SAMPLES").arg(0)).await;
        println!("  {kind:>10} {:>6.0}", used.unwrap_or_default() as f64 / (ids.len() / 16) as f64);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for server in [Server::Redis, Server::Valkey] {
        for (parts, each) in [(5, 1), (5, 2), (16, 4)] {
            drain(server, parts, each).await;
        }
        cpu(server).await;
        bytes(server).await;
    }
}
