//! What a suspension asks for, is given and is refused.

use crate::testing::{Harness, json};
use axum::http::StatusCode;
use serde_json::Value;

fn single(key: &str) -> Value {
    json!({
        "waitpoints": [{"fresh": {"waitpoint_key": key}}],
        "resume_condition": {"single": {"waitpoint_key": key, "matcher": "wildcard"}},
    })
}

#[tokio::test]
async fn a_lease_is_given_back_for_a_token() {
    let api = Harness::new().await;
    for proof in ["handle", "fence"] {
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        let mut body = single("approval");
        body[proof] = lease[proof].clone();
        let answer = api.post(&id, "suspend", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let told = &answer.body["Suspended"];
        assert_eq!((&told["kind"], &told["waitpoint_key"]), (&json!("suspended"), &json!("approval")));
        assert!(told["waitpoint_token"].as_str().unwrap().starts_with("k1:"), "{told}");
        assert_eq!(api.state(&id).await, "suspended");
    }
}

#[tokio::test]
async fn a_repeat_under_a_key_is_answered_as_the_first_call() {
    let api = Harness::new().await;
    let id = api.create("mail").await;
    let lease = api.lease(&id).await;
    let mut body = single("approval");
    body["handle"] = lease["handle"].clone();
    body["idempotency_key"] = json!("once");
    let first = api.post(&id, "suspend", body.clone()).await;
    let again = api.post(&id, "suspend", body.clone()).await;
    assert_eq!((again.status, again.body), (StatusCode::OK, first.body));
    body["idempotency_key"] = json!("twice");
    let answer = api.post(&id, "suspend", body).await;
    assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_active"));
}

#[tokio::test]
async fn what_came_before_the_suspension_satisfies_it_and_keeps_the_lease() {
    let api = Harness::new().await;
    let id = api.create("mail").await;
    let lease = api.lease(&id).await;
    let body = json!({"handle": lease["handle"], "waitpoint_key": "callback", "expires_in_ms": 60_000});
    let pending = api.post(&id, "waitpoints", body).await.body["Created"].clone();
    let signal = json!({
        "waitpoint_id": pending["waitpoint_id"], "waitpoint_token": pending["waitpoint_token"],
        "signal_name": "done",
    });
    let answer = api.post(&id, "signal", signal).await;
    assert_eq!(answer.body["Accepted"]["effect"], "buffered_for_pending_waitpoint", "{}", answer.body);
    let body = json!({
        "handle": lease["handle"],
        "waitpoints": [{"use_pending": {"waitpoint_id": pending["waitpoint_id"]}}],
        "resume_condition": {"single": {"waitpoint_key": "callback", "matcher": {"by_name": "done"}}},
    });
    let answer = api.post(&id, "suspend", body).await;
    assert_eq!(answer.body["AlreadySatisfied"]["waitpoint_key"], "callback", "{}", answer.body);
    assert_eq!(api.state(&id).await, "active");
}

#[tokio::test]
async fn what_contradicts_itself_is_refused_in_the_words_of_the_contract() {
    let api = Harness::new().await;
    let id = api.create("mail").await;
    let lease = api.lease(&id).await;
    let with = |more: Value| {
        let mut body = single("a");
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    };
    let deep = (0..5).fold(
        json!({"single": {"waitpoint_key": "a", "matcher": "wildcard"}}),
        |member, _| json!({"composite": {"kind": "all_of", "members": [member]}}),
    );
    for (body, error) in [
        (with(json!({"waitpoints": []})), "invalid_input: waitpoints_empty"),
        (with(json!({"waitpoints": [{"fresh": {"waitpoint_key": "b"}}]})), "invalid_input: waitpoint_key_mismatch"),
        (with(json!({"resume_condition": "timeout_only"})), "invalid_input: timeout_only_without_deadline"),
        (with(json!({"timeout_at": 5})), "invalid_input: timeout_at_in_past"),
        (with(json!({"resume_condition": deep})), "invalid_input: depth 5 exceeds cap 4 at path members[0]"),
        (with(json!({"timeout_behavior": "explode"})), "invalid_input: timeout_behavior: explode is none"),
        (with(json!({"requested_by": "nobody"})), "invalid_input: requested_by: nobody is none"),
        (with(json!({"suspension_id": "x"})), "invalid_input: suspension_id: "),
    ] {
        let mut body = body;
        body["handle"] = lease["handle"].clone();
        let answer = api.post(&id, "suspend", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert!(answer.error().starts_with(error), "{error}: {}", answer.body);
    }
    let answer = api.post(&id, "suspend", single("a")).await;
    assert!(answer.error().starts_with("fence_required: "), "{}", answer.body);
    assert_eq!(api.state(&id).await, "active");
}
