//! Policies, capabilities and tags that are refused, and in which order.

use crate::case::Case;
use bytes::Bytes;
use leasehold_contract::{CreateExecution, CreateOutcome};
use leasehold_core::error::{EngineError, ValidationKind};
use leasehold_tests::harness::act::policy;
use std::collections::BTreeMap;

async fn refuses(case: &Case, json: impl Into<Bytes>, kind: ValidationKind, detail: &str) {
    let json = json.into();
    let shown = String::from_utf8_lossy(&json[..json.len().min(120)]).into_owned();
    let args = CreateExecution { policy_json: Some(json), ..case.create(case.id()) };
    let error = case.refused(args.execution_id, case.engine.create_execution(args), kind.code()).await;
    assert_eq!(error, EngineError::validation(kind, detail), "{shown}");
}

pub async fn a_policy_that_is_none_is_refused(case: &mut Case) {
    let kind = ValidationKind::InvalidPolicyJson;
    for json in [
        "",
        "not json",
        "[]",
        "7",
        "null",
        r#"{"priority":"high"}"#,
        r#"{"max_reclaim_count":-1}"#,
        r#"{"retry_policy":[]}"#,
        r#"{"retry_policy":{"max_retries":1.5}}"#,
        r#"{"dedup_window_ms":"day"}"#,
    ] {
        refuses(case, json, kind, "malformed").await;
    }
    for json in [r#"{"routing_requirements":[]}"#, r#"{"routing_requirements":"gpu"}"#] {
        refuses(case, json, kind, "routing_requirements:not_object").await;
    }
    refuses(case, format!("{{\"x\":\"{}\"}}", "x".repeat(64 * 1024)), kind, "too_large").await;
}

fn requiring(list: &str) -> String {
    format!(r#"{{"routing_requirements":{{"required_capabilities":{list}}}}}"#)
}

pub async fn requirements_that_are_none_are_refused(case: &mut Case) {
    let kind = ValidationKind::InvalidCapabilities;
    for (list, detail) in [
        ("7", "required:not_array"),
        (r#"{"gpu":true}"#, "required:not_array"),
        (r#"["gpu",7]"#, "required:non_string_token"),
        (r#"["gpu",""]"#, "required:empty_token"),
        (r#"["gpu,cuda"]"#, "required:comma_in_token"),
        (r#"["g pu"]"#, "required:control_or_whitespace"),
        ("[\"g\\u007fpu\"]", "required:control_or_whitespace"),
        ("[\"g\\npu\"]", "required:control_or_whitespace"),
    ] {
        refuses(case, requiring(list), kind, detail).await;
    }
}

fn tokens(count: usize, length: usize) -> String {
    let tokens: Vec<String> = (0..count).map(|number| format!("\"{number:0length$}\"")).collect();
    requiring(&format!("[{}]", tokens.join(",")))
}

pub async fn the_ceilings_of_requirements_are_inclusive(case: &mut Case) {
    let kind = ValidationKind::InvalidCapabilities;
    for fits in [tokens(256, 15), requiring(&format!("[\"{}\"]", "x".repeat(4096)))] {
        let args = CreateExecution { policy_json: Some(fits.into()), ..case.create(case.id()) };
        case.engine.create_execution(args).await.unwrap();
    }
    refuses(case, tokens(257, 3), kind, "required:too_many_tokens").await;
    refuses(case, requiring(&format!("[\"{}\"]", "x".repeat(4097))), kind, "required:too_many_bytes").await;
    // 256 tokens of 15 bytes and 255 commas are 4095 bytes; of 16 they are more.
    refuses(case, tokens(256, 16), kind, "required:too_many_bytes").await;
}

pub async fn requirements_are_a_sorted_set(case: &mut Case) {
    let id = case.created_under(r#"{"routing_requirements":{"required_capabilities":["b","a","b","A"]}}"#).await;
    assert_eq!(case.record(id).await.spec.requirements.to_csv(), "A,a,b");
}

pub async fn unknown_fields_of_a_policy_are_ignored(case: &mut Case) {
    let id = case.created_under(r#"{"colour":"red","retry_policy":{"max_retries":1,"mood":"good"}}"#).await;
    let record = case.record(id).await;
    let stored = record.spec.policy.as_ref().unwrap();
    assert_eq!(stored.retry_policy.as_ref().map(|retry| retry.max_retries), Some(1));
    assert_eq!((stored.max_reclaim_count, stored.max_replay_count), (100, 10));
}

pub async fn tag_keys_follow_the_grammar(case: &mut Case) {
    for key in
        ["", "team", "Team.owner", "team.", ".owner", "1team.owner", "team.Owner", "te-am.owner", "team..x", "a.b c"]
    {
        let args =
            CreateExecution { tags: BTreeMap::from([(key.to_owned(), "v".to_owned())]), ..case.create(case.id()) };
        let error = case.refused(args.execution_id, case.engine.create_execution(args), "invalid_tag_key").await;
        assert!(error.to_string().contains(key), "{error}");
    }
    for key in ["a.b", "team_1.own.er_2", "a.0", "a.b.", "a._"] {
        case.created(|args| args.tags = BTreeMap::from([(key.to_owned(), String::new())])).await;
    }
}

pub async fn tags_are_limited(case: &mut Case) {
    let many = |count: usize| (0..count).map(|number| (format!("n.t{number}"), String::new())).collect();
    let valued = |value: String| BTreeMap::from([("n.t".to_owned(), value)]);
    for tags in [many(65), valued("v".repeat(1025)), valued("a\0b".to_owned())] {
        let args = CreateExecution { tags, ..case.create(case.id()) };
        case.refused(args.execution_id, case.engine.create_execution(args), "invalid_input").await;
    }
    for tags in [many(64), valued("v".repeat(1024))] {
        case.created(|args| args.tags = tags).await;
    }
}

pub async fn a_duplicate_is_found_before_its_policy_is_read(case: &mut Case) {
    let id = case.waiting().await;
    let args = CreateExecution { policy_json: policy("not json"), ..case.create(id) };
    let outcome = case.changes_nothing(id, case.engine.create_execution(args)).await;
    assert_eq!(outcome, CreateOutcome::Duplicate { execution_id: id });
}

pub async fn a_refused_create_leaves_neither_key_nor_lane(case: &mut Case) {
    let bad = CreateExecution {
        policy_json: policy("not json"),
        idempotency_key: Some("order-1".into()),
        ..case.create(case.id())
    };
    let id = bad.execution_id;
    case.refused(id, case.engine.create_execution(bad.clone()), "invalid_policy_json").await;
    assert!(case.engine.list_lanes(None, 10).await.unwrap().lanes.is_empty());
    let good = CreateExecution { policy_json: None, ..bad };
    let outcome = case.engine.create_execution(good).await.unwrap();
    assert!(matches!(outcome, CreateOutcome::Created { .. }));
}
