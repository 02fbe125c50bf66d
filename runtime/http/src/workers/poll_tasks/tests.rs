//! Remote workers: their whole life, repeats, waits and what is refused.

use crate::testing::{Answer, Harness, base64, json};
use axum::http::{Method, StatusCode};
use serde_json::Value;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const PATH: &str = "/v1/workers/worker/claim";

fn poll_body(credits: u32, max_wait_ms: u64) -> Value {
    json!({
        "lanes": ["mail"], "worker_instance_id": "worker-1", "capabilities": ["gpu"], "credits": credits,
        "lease_ttl_ms": 1000, "max_wait_ms": max_wait_ms,
    })
}

async fn poll(api: &Harness, body: Value) -> Answer {
    let answer = api.send(Method::POST, PATH, Some(body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer
}

/// Lets everything that is ready run while `waiting` goes on.
async fn settle<F: Future + Unpin>(waiting: &mut F) {
    for _ in 0..200 {
        let polled = std::pin::Pin::new(&mut *waiting).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending), "it is still waiting");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_remote_worker_lives_through_a_task() {
    let api = Harness::new().await;
    let policy = json!({"routing_requirements": {"required_capabilities": ["gpu"]}});
    let more = json!({
        "input_payload": base64(b"\0work\xff"), "payload_encoding": "raw", "priority": 5,
        "tags": {"team.owner": "mail"}, "policy": policy,
    });
    let id = api.create_with("mail", more).await;

    let answer = poll(&api, poll_body(4, 60_000)).await;
    let tasks = answer.body["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 1);
    let task = &tasks[0];
    for (field, value) in [
        ("execution_id", json!(id)),
        ("kind", json!("fresh")),
        ("attempt_type", json!("initial")),
        ("attempt_index", json!(0)),
        ("lease_epoch", json!(1)),
        ("lease_expires_at", json!(api.now() + 1000)),
        ("lease_ttl_ms", json!(1000)),
        ("lane_id", json!("mail")),
        ("worker_instance_id", json!("worker-1")),
        ("namespace", json!("tenant")),
        ("execution_kind", json!("send")),
        ("payload", json!(base64(b"\0work\xff"))),
        ("payload_encoding", json!("raw")),
        ("tags", json!({"team.owner": "mail"})),
        ("priority", json!(5)),
        ("created_at", json!(api.now())),
        ("retry_count", json!(0)),
        ("lease_reclaim_count", json!(0)),
    ] {
        assert_eq!(task[field], value, "{field}");
    }

    api.advance(600);
    let answer = api.post(&id, "renew", json!({"handle": task["handle"]})).await;
    assert_eq!(answer.body["Renewed"]["expires_at"], api.now() + 1000, "{}", answer.body);
    api.advance(600);
    let answer = api.post(&id, "progress", json!({"handle": task["handle"], "percent": 50})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let done = json!({"handle": task["handle"], "result_payload": base64(b"done")});
    let answer = api.post(&id, "complete", done).await;
    assert_eq!(answer.body, json!({"Completed": {"execution_id": id, "public_state": "completed"}}));
    assert_eq!(api.result(&id).await, &b"done"[..]);
    let answer = api.send(Method::GET, &format!("/v1/executions/{id}/wait"), None).await;
    assert_eq!(answer.body["public_state"], "completed");
}

#[tokio::test]
async fn credits_bound_what_is_taken() {
    let api = Harness::new().await;
    for _ in 0..3 {
        api.create("mail").await;
    }
    let answer = poll(&api, poll_body(2, 60_000)).await;
    assert!((1..=2).contains(&answer.body["tasks"].as_array().unwrap().len()));
}

#[tokio::test]
async fn no_work_in_time_is_no_tasks() {
    let api = Harness::new().await;
    api.create("post").await;
    let answer = poll(&api, poll_body(1, 0)).await;
    assert_eq!(answer.body, json!({"tasks": []}));
}

#[tokio::test]
async fn a_repeat_with_the_same_request_id_is_given_the_same_tasks() {
    let api = Harness::new().await;
    for _ in 0..4 {
        api.create("mail").await;
    }
    let mut body = poll_body(2, 60_000);
    body["request_id"] = json!("00000000-0000-0000-0000-00000000000c");
    let handles = |answer: &Answer| {
        let tasks = answer.body["tasks"].as_array().unwrap();
        let mut handles: Vec<_> = tasks.iter().map(|task| task["handle"].as_str().unwrap().to_owned()).collect();
        handles.sort();
        handles
    };
    let first = handles(&poll(&api, body.clone()).await);
    assert!(!first.is_empty());
    assert_eq!(handles(&poll(&api, body).await), first);
    let mut other = poll_body(2, 60_000);
    other["request_id"] = json!("00000000-0000-0000-0000-00000000000d");
    assert_ne!(handles(&poll(&api, other).await), first);
}

#[tokio::test]
async fn a_poll_waits_for_work_that_comes_later() {
    let api = Harness::new().await;
    let (answer, id) = tokio::join!(poll(&api, poll_body(1, 60_000)), async {
        tokio::task::yield_now().await;
        api.create("mail").await
    });
    assert_eq!(answer.body["tasks"][0]["execution_id"], id);
}

#[tokio::test]
async fn a_poll_that_is_dropped_takes_nothing_away_from_others() {
    let api = Harness::new().await;
    {
        let mut hung_up = pin!(poll(&api, poll_body(1, 60_000)));
        settle(&mut hung_up).await;
    }
    let id = api.create("mail").await;
    let mut body = poll_body(1, 60_000);
    body["worker_instance_id"] = json!("worker-2");
    let answer = poll(&api, body).await;
    assert_eq!(answer.body["tasks"][0]["execution_id"], id);
    assert_eq!(answer.body["tasks"][0]["worker_instance_id"], "worker-2");
    assert_eq!(answer.body["tasks"][0]["lease_reclaim_count"], 0);
}

#[tokio::test]
async fn bad_arguments_take_nothing() {
    let api = Harness::new().await;
    let id = api.create("mail").await;
    for (field, value, error) in [
        ("lanes", json!(null), "invalid_input: lanes: missing"),
        ("lanes", json!([]), "invalid_input: lanes: 0, 1 to 64"),
        ("lanes", json!(vec!["mail"; 65]), "invalid_input: lanes: 65, 1 to 64"),
        ("lanes", json!(["mail", ""]), "invalid_input: lanes: lane id is empty"),
        ("credits", json!(0), "invalid_input: credits: 0, 1 to 1024"),
        ("credits", json!(1025), "invalid_input: credits: 1025, 1 to 1024"),
        ("lease_ttl_ms", json!(null), "invalid_input: lease_ttl_ms: missing"),
        ("lease_ttl_ms", json!(99), "invalid_input: lease_ttl_ms: 99, at least 100"),
        ("max_wait_ms", json!(60_001), "invalid_input: max_wait_ms: 60001, from 0 to 60000"),
        ("request_id", json!("x"), "invalid_input: request_id: "),
        ("capabilities", json!(["a b"]), "invalid_input: worker capabilities: control_or_whitespace"),
        ("capabilities", json!(["x".repeat(5000)]), "invalid_input: worker capabilities: too_many_bytes"),
        ("worker_instance_id", json!(""), "invalid_input: worker_instance_id: "),
        ("worker_instance_id", json!("x".repeat(257)), "invalid_input: worker_instance_id: "),
    ] {
        let mut body = poll_body(1, 0);
        body[field] = value;
        let answer = api.send(Method::POST, PATH, Some(body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field}: {}", answer.body);
        assert!(answer.error().starts_with(error), "{field}: {}", answer.body);
    }
    assert_eq!(api.state(&id).await, "waiting");
}
