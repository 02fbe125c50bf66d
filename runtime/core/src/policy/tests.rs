//! The JSON form of policies and what is refused.

use serde_json::json;

use super::*;

fn read(value: &Value) -> Result<ExecutionPolicy, EngineError> {
    ExecutionPolicy::from_json(value.to_string().as_bytes())
}

#[test]
fn an_empty_object_gives_the_defaults() {
    let policy = read(&json!({})).unwrap();
    assert_eq!(policy, ExecutionPolicy::default());
    assert_eq!((policy.max_reclaim_count, policy.max_replay_count), (100, 10));
    assert_eq!(policy.max_signals_per_execution, 10_000);
    let nested = read(&json!({
        "retry_policy": {}, "timeout_policy": {}, "suspension_policy": {}, "fallback_policy": {},
        "routing_requirements": {}, "stream_policy": {},
    }))
    .unwrap();
    assert_eq!(nested.retry_policy, Some(RetryPolicy::default()));
    assert_eq!(nested.retry_policy.unwrap().max_retries, 3);
    assert_eq!(nested.timeout_policy.unwrap().max_reclaim_count, 100);
    assert_eq!(nested.suspension_policy.unwrap().timeout_behavior, "fail");
    assert_eq!(nested.stream_policy.unwrap().durability_mode, "buffered");
    assert_eq!(nested.routing_requirements, Some(RoutingRequirements::default()));
}

#[test]
fn absent_options_are_omitted_and_unknown_fields_ignored() {
    let json = ExecutionPolicy::default().to_json();
    assert!(!json.contains("null"));
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap(),
        json!({
            "priority": 0, "max_reclaim_count": 100, "max_replay_count": 10,
            "budget_ids": [], "max_signals_per_execution": 10_000,
        })
    );
    assert_eq!(read(&json!({ "surprise": { "deep": [1] } })).unwrap(), ExecutionPolicy::default());
    assert_eq!(read(&json!({ "dedup_window_ms": null })).unwrap(), ExecutionPolicy::default());
}

#[test]
fn a_full_policy_reads_back_from_json_and_from_bytes() {
    let budget = "00000000-0000-0000-0000-000000000007";
    let value = json!({
        "priority": -4,
        "delay_until": 1_700_000_000_000_i64,
        "retry_policy": {
            "max_retries": 5,
            "backoff": {
                "type": "exponential", "initial_delay_ms": 10, "max_delay_ms": 20, "multiplier": 1.5, "jitter": true,
            },
            "retryable_categories": ["net"],
        },
        "timeout_policy": { "attempt_timeout_ms": 1, "execution_deadline_ms": 2, "max_reclaim_count": 3 },
        "suspension_policy": { "default_timeout_ms": 4, "timeout_behavior": "cancel" },
        "fallback_policy": { "tiers": [{ "provider": "p", "model": "m", "timeout_ms": 5 }] },
        "max_reclaim_count": 6,
        "max_replay_count": 7,
        "budget_ids": [budget],
        "routing_requirements": {
            "required_capabilities": ["cuda", "gpu"], "preferred_locality": "eu", "isolation_level": "vm",
        },
        "dedup_window_ms": 0,
        "stream_policy": { "durability_mode": "sync", "retention_maxlen": 8, "retention_ttl_ms": 9 },
        "max_signals_per_execution": 11,
    });
    let policy = read(&value).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&policy.to_json()).unwrap(), value);
    let config = bincode::config::standard();
    let bytes = bincode::encode_to_vec(&policy, config).unwrap();
    assert_eq!(bincode::decode_from_slice::<ExecutionPolicy, _>(&bytes, config).unwrap().0, policy);
}

#[test]
fn malformed_policies_are_refused() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for json in [
        "",
        "{",
        "null",
        "[]",
        "7",
        "{\"priority\":\"x\"}",
        "{\"max_reclaim_count\":-1}",
        "{\"retry_policy\":[3]}",
        "{\"retry_policy\":{\"backoff\":[\"fixed\"]}}",
        "{\"retry_policy\":{\"backoff\":null}}",
        "{\"retry_policy\":{\"retryable_categories\":[\"a\\u0000\"]}}",
        "{\"retry_policy\":{\"backoff\":{\"type\":\"exponential\",\"multiplier\":1e999}}}",
        "{\"budget_ids\":[\"nobody\"]}",
        "{\"routing_requirements\":{\"preferred_locality\":7}}",
        "{\"routing_requirements\":{\"isolation_level\":\"\\u0000\"}}",
        &format!("{{\"surprise\":{deep}}}"),
        "\u{feff}{}",
    ] {
        assert_eq!(ExecutionPolicy::from_json(json.as_bytes()), Err(invalid("malformed")), "{json}");
    }
    assert_eq!(ExecutionPolicy::from_json(b"{\"\xff\":1}"), Err(invalid("malformed")));
}

#[test]
fn routing_faults_have_their_own_details() {
    for value in [json!([]), json!("gpu"), json!(1), json!(false)] {
        let policy = json!({ "routing_requirements": value });
        assert_eq!(read(&policy), Err(invalid("routing_requirements:not_object")));
    }
    for (capabilities, detail) in [
        (json!("gpu"), "required:not_array"),
        (json!(null), "required:not_array"),
        (json!([1]), "required:non_string_token"),
        (json!([""]), "required:empty_token"),
        (json!(["a,b"]), "required:comma_in_token"),
        (json!(["a\nb"]), "required:control_or_whitespace"),
        (json!((0..257).map(|n| n.to_string()).collect::<Vec<_>>()), "required:too_many_tokens"),
        (json!(["x".repeat(4097)]), "required:too_many_bytes"),
    ] {
        let policy = json!({ "routing_requirements": { "required_capabilities": capabilities }, "priority": 1 });
        let expected = EngineError::validation(ValidationKind::InvalidCapabilities, detail);
        assert_eq!(read(&policy), Err(expected));
    }
    assert_eq!(read(&json!({ "routing_requirements": null })).unwrap().routing_requirements, None);
}

#[test]
fn an_oversized_policy_is_refused_however_it_comes() {
    let json = format!("{{\"surprise\":\"{}\"}}", "x".repeat(POLICY_BYTES_MAX));
    assert_eq!(ExecutionPolicy::from_json(json.as_bytes()), Err(invalid("too_large")));
    let tier = FallbackTier { provider: "x".repeat(POLICY_BYTES_MAX), ..FallbackTier::default() };
    let policy =
        ExecutionPolicy { fallback_policy: Some(FallbackPolicy { tiers: vec![tier] }), ..ExecutionPolicy::default() };
    assert_eq!(policy.validate(), Err(invalid("too_large")));
}

#[test]
fn a_multiplier_that_is_no_number_is_refused_in_memory() {
    let backoff = Backoff::Exponential { initial_delay_ms: 1, max_delay_ms: 2, multiplier: f64::NAN, jitter: false };
    let retry_policy = Some(RetryPolicy { backoff, ..RetryPolicy::default() });
    let policy = ExecutionPolicy { retry_policy, ..ExecutionPolicy::default() };
    assert_eq!(policy.validate(), Err(invalid("malformed")));
}

#[test]
fn a_backoff_fills_in_what_is_missing() {
    let second = Backoff::Fixed { delay_ms: 1_000 };
    for (value, expected) in [
        (json!({ "type": "exponential" }), Backoff::default()),
        (json!({ "type": "fixed", "delay_ms": 7 }), Backoff::Fixed { delay_ms: 7 }),
        (json!({ "type": "fixed" }), second),
        (json!({}), second),
        (json!({ "type": "fibonacci", "delay_ms": 7 }), second),
        (json!({ "type": 3 }), second),
    ] {
        assert_eq!(serde_json::from_value::<Backoff>(value).unwrap(), expected);
    }
    assert_eq!(serde_json::to_value(second).unwrap(), json!({ "type": "fixed", "delay_ms": 1_000 }));
}

#[test]
fn an_unreadable_retry_policy_means_no_retries() {
    for json in ["", " ", "{", "null", "[]", "[3]", "3", "{\"max_retries\":\"x\"}", "{\"max_retries\":-1}"] {
        assert_eq!(RetryPolicy::from_json_lenient(json).max_retries, 0, "{json}");
    }
    assert_eq!(RetryPolicy::from_json_lenient("{}"), RetryPolicy::default());
    assert_eq!(RetryPolicy::from_json_lenient("{\"max_retries\":2}").max_retries, 2);
}
