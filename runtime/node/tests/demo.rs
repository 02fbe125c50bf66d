//! `leasehold demo`, as a program would call it.

use serde_json::Value;
use std::process::Command;

fn sum(report: &Value, field: &str) -> u64 {
    report["rows"].as_array().unwrap().iter().map(|row| row[field].as_u64().unwrap()).sum()
}

#[test]
fn every_execution_is_accounted_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("demo.db");
    let demo = || {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        demo.args(["demo", "--executions", "300", "--json", "--path"]).arg(&file);
        demo.output().unwrap()
    };
    let output = demo();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}\n{}", String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(report["every_execution_accounted_for"], true);
    assert_eq!(report["problems"].as_array().unwrap().len(), 0);
    assert_eq!(report["acknowledged"], 300);
    assert_eq!(sum(&report, "submitted"), 300);
    let ended = ["completed", "failed", "expired", "cancelled"];
    assert_eq!(ended.iter().map(|field| sum(&report, field)).sum::<u64>(), 300);
    for field in ended.iter().chain(&["attempts", "retries", "reclaims", "replays"]) {
        assert!(sum(&report, field) > 0, "{field}");
        assert_eq!(report["total"][field], sum(&report, field), "{field}");
    }
    assert_eq!(sum(&report, "open"), 0);
    assert_eq!(sum(&report, "completions"), 300 + sum(&report, "replays"));
    assert!(report["lost_with_killed_worker"].as_u64().unwrap() > 0);
    for said in [file.to_str().unwrap(), "render-1 is started", "is killed", "as render-2", "submitted 300"] {
        assert!(stderr.contains(said), "{said} in {stderr}");
    }

    // The file is kept, and a second demo does not touch it.
    let again = demo();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("the demo needs a fresh file"));
}

#[test]
fn too_few_executions_are_wrong_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_leasehold")).args(["demo", "--executions", "99"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
