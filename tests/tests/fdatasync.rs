//! An acknowledgement is on the disk, not only in the kernel: a kill does not
//! show the difference, the number of `fdatasync` calls does.

use serde_json::Value;
use std::process::Command;

/// Creates per run.
const CREATES: u64 = 200;

/// What one run of the engine did.
struct Run {
    creates: u64,
    commits: u64,
    syncs: u64,
}

/// Whether `strace` is there, if need be after installing it.
fn strace() {
    let is_there = || Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if is_there() {
        return;
    }
    let installed = Command::new("apt-get").args(["install", "--yes", "strace"]).output();
    assert!(is_there(), "strace is missing, and installing it gave {installed:?}");
}

/// Runs the engine under `strace`.
fn run(synchronous: &str, pace: &str) -> Run {
    strace();
    let folder = tempfile::tempdir().unwrap();
    let (file, counts) = (folder.path().join("store.db"), folder.path().join("counts"));
    let output = Command::new("strace")
        .args(["-f", "-c", "-e", "trace=fdatasync,fsync", "-o"])
        .arg(&counts)
        .arg(env!("CARGO_BIN_EXE_kills"))
        .args(["child", "syncs"])
        .arg(&file)
        .args([synchronous, pace, &CREATES.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let table = std::fs::read_to_string(&counts).unwrap();
    Run {
        creates: told["creates"].as_u64().unwrap(),
        commits: told["commits"].as_u64().unwrap(),
        syncs: ["fdatasync", "fsync"].into_iter().map(|call| calls(&table, call)).sum(),
    }
}

/// The fourth column of the call's row.
fn calls(table: &str, call: &str) -> u64 {
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.last() == Some(&call)).map(|row| row[3].parse::<u64>().unwrap()).sum()
}

#[test]
fn every_acknowledged_create_waits_for_an_fdatasync_of_its_own_when_nothing_is_merged() {
    let run = run("full", "one");
    assert!(run.commits >= run.creates, "{} commits for {} creates one by one", run.commits, run.creates);
    assert!(run.syncs >= run.commits, "{} syncs for {} commits", run.syncs, run.commits);
}

#[test]
fn concurrent_creates_share_commits_and_every_commit_is_synced() {
    let run = run("full", "many");
    assert!(run.commits > 0 && run.commits < run.creates, "{} commits for {} creates", run.commits, run.creates);
    assert!(run.syncs >= run.commits, "{} syncs for {} commits", run.syncs, run.commits);
}

#[test]
fn the_count_tells_a_store_that_does_not_sync_its_commits() {
    let run = run("normal", "one");
    assert!(run.commits >= run.creates, "{} commits for {} creates one by one", run.commits, run.creates);
    assert!(run.syncs < run.commits, "{} syncs for {} commits", run.syncs, run.commits);
}
