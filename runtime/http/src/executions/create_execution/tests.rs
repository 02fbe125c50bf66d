//! Creating: what is stored, what a repeat finds, and what is refused without
//! a trace.

use crate::testing::{Harness, PARTITIONS, base64, json};
use axum::http::StatusCode;
use leasehold_core::ids::{ExecutionId, Namespace};
use leasehold_core::partition::PartitionConfig;
use serde_json::Value;

fn partitions() -> PartitionConfig {
    PartitionConfig { num_flow_partitions: PARTITIONS, ..PartitionConfig::default() }
}

#[tokio::test]
async fn the_fields_of_the_reference_are_all_taken() {
    let api = Harness::new().await;
    let id = "{fp:3}:00000000-0000-0000-0000-0000000000aa";
    let more = json!({
        "execution_id": id, "partition_id": 3, "now": 5, "input_payload": base64(b"\0\xff"),
        "payload_encoding": "raw", "priority": 9001, "creator_identity": "tests", "idempotency_key": "k",
        "tags": {"team.owner": "mail"}, "policy": {"max_replay_count": 3},
        "delay_until": api.now() + 1000, "execution_deadline_at": api.now() + 9000,
    });
    let answer = api.try_create("mail", more).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.body, json!({"Created": {"execution_id": id, "public_state": "delayed"}}));
    let fields = api.fields(id, "priority,creator_identity,delay_until,public_state").await;
    let delay_until = (api.now() + 1000).to_string();
    assert_eq!(
        fields,
        json!({
            "priority": "9000", "creator_identity": "tests", "delay_until": delay_until, "public_state": "delayed",
        })
    );
}

#[tokio::test]
async fn a_minted_id_lies_where_its_own_bytes_say() {
    let api = Harness::new().await;
    for _ in 0..8 {
        let id: ExecutionId = api.create("mail").await.parse().unwrap();
        assert_eq!(id, ExecutionId::spread(id.uuid(), &partitions()));
        assert_eq!(id.uuid().get_version_num(), 7);
    }
}

#[tokio::test]
async fn a_key_without_an_id_is_the_same_execution_everywhere() {
    let api = Harness::new().await;
    let first = api.create_with("mail", json!({"idempotency_key": "order-7"})).await;
    let parsed: ExecutionId = first.parse().unwrap();
    let keyed = ExecutionId::keyed(&Namespace::new("tenant"), "order-7", parsed.uuid(), &partitions());
    assert_eq!(parsed, keyed);
    let answer = api.try_create("post", json!({"idempotency_key": "order-7", "priority": 5})).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, json!({"Duplicate": {"execution_id": first}}));
    assert_eq!(api.all().await, [first]);
}

#[tokio::test]
async fn an_empty_key_is_none() {
    let api = Harness::new().await;
    for _ in 0..2 {
        api.create_with("mail", json!({"idempotency_key": ""})).await;
    }
    assert_eq!(api.all().await.len(), 2);
}

#[tokio::test]
async fn an_id_that_exists_is_a_duplicate() {
    let api = Harness::new().await;
    let id = api.create("mail").await;
    let answer = api.try_create("post", json!({"execution_id": id})).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"Duplicate": {"execution_id": id}})));
    assert_eq!(api.info(&id).await["lane_id"], "mail");
}

#[tokio::test]
async fn bad_arguments_give_their_typed_error_and_create_nothing() {
    let api = Harness::new().await;
    let required = |tokens: Value| json!({"routing_requirements": {"required_capabilities": tokens}});
    let many_tags: serde_json::Map<_, _> = (0..65).map(|n| (format!("a.t{n}"), json!("x"))).collect();
    for (field, value, error) in [
        ("execution_id", json!("x"), "invalid_input: execution_id: "),
        (
            "execution_id",
            json!("{fp:9}:00000000-0000-0000-0000-0000000000aa"),
            "invalid_input: execution_id: partition 9",
        ),
        ("partition_id", json!(4), "invalid_input: partition_id: partition 4"),
        ("namespace", json!(""), "invalid_input: namespace: "),
        ("namespace", json!("a\0"), "invalid_input: namespace: "),
        ("lane_id", json!(""), "invalid_input: lane_id: "),
        ("lane_id", json!("x".repeat(65)), "invalid_input: lane_id: "),
        ("lane_id", json!("ü"), "invalid_input: lane_id: "),
        ("execution_kind", json!(""), "invalid_input: execution_kind: "),
        ("execution_kind", json!("a\0"), "invalid_input: execution_kind: "),
        ("creator_identity", json!("x".repeat(257)), "invalid_input: creator_identity: "),
        ("idempotency_key", json!("x".repeat(257)), "invalid_input: idempotency_key: "),
        ("payload_encoding", json!("x".repeat(257)), "invalid_input: payload_encoding: "),
        ("input_payload", json!("not base64"), "invalid_input: input_payload: not base64"),
        ("input_payload", json!(base64(&vec![0; (1 << 20) + 1])), "payload_too_large: "),
        ("tags", json!({"NoNamespace": "x"}), "invalid_tag_key: NoNamespace"),
        ("tags", json!({"a.b": "x".repeat(1025)}), "invalid_input: "),
        ("tags", json!(many_tags), "invalid_input: "),
        ("policy", json!([]), "invalid_policy_json: malformed"),
        ("policy", json!("{}"), "invalid_policy_json: malformed"),
        ("policy", json!({"retry_policy": 5}), "invalid_policy_json: malformed"),
        ("policy", json!({"routing_requirements": []}), "invalid_policy_json: routing_requirements:not_object"),
        ("policy", json!({"x": "y".repeat(70_000)}), "invalid_policy_json: too_large"),
        ("policy", required(json!("gpu")), "invalid_capabilities: required:not_array"),
        ("policy", required(json!([1])), "invalid_capabilities: required:non_string_token"),
        ("policy", required(json!([""])), "invalid_capabilities: required:empty_token"),
        ("policy", required(json!(["a,b"])), "invalid_capabilities: required:comma_in_token"),
        ("policy", required(json!(["a b"])), "invalid_capabilities: required:control_or_whitespace"),
    ] {
        let answer = api.try_create("mail", json!({field: value})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field}: {}", answer.body);
        assert!(answer.error().starts_with(error), "{field}: {}", answer.body);
        assert!(answer.body["code"].is_string(), "{}", answer.body);
    }
    let strangers = json!({"execution_id": "{fp:1}:00000000-0000-0000-0000-0000000000aa", "partition_id": 2});
    let answer = api.try_create("mail", strangers).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.error().starts_with("invalid_input: partition_id: not the partition of"), "{}", answer.body);
    assert!(api.all().await.is_empty());
}

#[tokio::test]
async fn the_largest_payload_fits() {
    let api = Harness::new().await;
    let id = api.create_with("mail", json!({"input_payload": base64(&vec![7; 1 << 20])})).await;
    assert_eq!(api.state(&id).await, "waiting");
}

#[tokio::test]
async fn a_body_over_its_limit_is_not_read() {
    let api = Harness::new().await;
    let answer = api.try_create("mail", json!({"input_payload": "A".repeat(3 << 19)})).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.body, json!({"error": "payload_too_large", "limit_bytes": 3 << 19, "route": "/v1/executions"}));
    assert!(api.all().await.is_empty());
}
