//! Signals, approvals, waitpoints and keys from the command line.

use crate::Server;
use leasehold_contract::{IssueGrantAndClaim, Leases, SuspendArgs, Suspension};
use leasehold_core::ids::{AttemptId, ExecutionId, LaneId, LeaseId, SuspensionId, WaitpointId};
use leasehold_core::record::SuspensionReason;
use leasehold_core::suspension::{ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_core::time::TimestampMs;
use serde_json::json;

/// An execution that waits for any signal: itself, its waitpoint and token.
async fn suspended(server: &Server) -> (String, String, String) {
    let id = server.submit(&["mail"]).await;
    let execution_id: ExecutionId = id.parse().unwrap();
    let engine = server.node.engine();
    let claim = IssueGrantAndClaim {
        execution_id,
        lane_id: LaneId::new("default"),
        lease_id: LeaseId::new(),
        attempt_id: AttemptId::new(),
        lease_duration_ms: 60_000,
    };
    let claimed = engine.issue_grant_and_claim(claim).await.unwrap();
    let waitpoint_id = WaitpointId::new();
    let key = "approval".to_owned();
    let args = SuspendArgs::new(
        SuspensionId::new(),
        WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: key.clone() },
        ResumeCondition::Single { waitpoint_key: key, matcher: SignalMatcher::Wildcard },
        SuspensionReason::WaitingForApproval,
        TimestampMs(0),
    );
    let outcome = engine.suspend(&claimed.handle, args).await.unwrap();
    let token = outcome.details().primary.waitpoint_token.reveal().to_owned();
    (id, waitpoint_id.to_string(), token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_resumes_whoever_waits_for_it() {
    let server = Server::start().await;
    let (id, waitpoint, token) = suspended(&server).await;
    let waitpoints = server.json(&["waitpoints", &id]).await;
    assert_eq!(waitpoints["waitpoints"][0]["waitpoint_id"], waitpoint.as_str());
    let people = server.run(&["waitpoints", &id]).await.data;
    assert!(people.contains("approval") && !people.contains(&token), "{people}");
    assert_eq!(server.json(&["waitpoint-token", &id, &waitpoint]).await["token"], token.as_str());
    let listed = server.json(&["suspended"]).await;
    assert_eq!(listed["entries"][0]["execution_id"], id.as_str());
    assert_eq!(listed["entries"][0]["reason"], "waiting_for_approval");

    let wrong = server.refused(&["signal", &id, &waitpoint, "go", "--waitpoint-token", "k1:0"]).await;
    assert_eq!(wrong["code"], "invalid_token");
    let signal = ["signal", &id, &waitpoint, "go", "--waitpoint-token", &token, "--idempotency-key", "once"];
    let told = server.run(&signal).await;
    assert!(told.data.contains("resume_condition_satisfied"), "{} {}", told.data, told.notes);
    assert_eq!(server.state(&id).await, "resumable");
    let again = server.run(&signal).await;
    assert!(again.data.starts_with("duplicate  "), "{}", again.data);
    assert_eq!(server.json(&["suspended"]).await["entries"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_finds_the_only_waitpoint_and_an_operator_can_do_without() {
    let server = Server::start().await;
    let (id, _, _) = suspended(&server).await;
    let told = server.json(&["approve", &id, "--by", "ann"]).await;
    assert_eq!(told["Accepted"]["effect"], "resume_condition_satisfied");
    let none = server.refused(&["reject", &id]).await;
    assert_eq!(none["error"], "invalid_input: waitpoint: name one of the 0 there are");
    let (id, waitpoint, _) = suspended(&server).await;
    assert_eq!(server.refused(&["close-waitpoint", &id, &waitpoint]).await["code"], "waitpoint_not_pending");
    assert_eq!(server.json(&["expire-suspension", &id]).await["outcome"], "not_yet_due");
    assert_eq!(server.json(&["resume", &id]).await["public_state"], "resumable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_from_a_file() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, format!("{}\n", "ab".repeat(32))).unwrap();
    let file = file.to_str().unwrap();
    let rotated = server.json(&["rotate-key", "k9", "--secret-file", file, "--grace-ms", "60000"]).await;
    assert_eq!(rotated, json!({"rotated": crate::PARTITIONS, "failed": [], "new_kid": "k9"}));
    assert_eq!(server.json(&["keys"]).await["current_kid"], "k9");
    let (_, _, token) = suspended(&server).await;
    assert!(token.starts_with("k9:"));
    let seeded = server.json(&["seed-key", "k9", "--secret-file", file]).await;
    assert_eq!(seeded["AlreadySeeded"]["same_secret"], true);
    let gone = server.run(&["rotate-key", "k10", "--secret-file", "/nowhere"]).await;
    assert_eq!(gone.code, Some(1));
}
