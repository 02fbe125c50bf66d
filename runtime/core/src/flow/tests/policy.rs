//! Policies as callers write them.

use crate::flow::{EdgeGroupPolicy, OnSatisfied, PolicySpec, check_dependency_kind, check_edges, check_nodes};
use crate::flow::{FLOW_EDGES_MAX, FLOW_NODES_MAX, QUORUM_MAX, check_revision};

fn spec(json: &str) -> PolicySpec {
    serde_json::from_str(json).unwrap()
}

fn refused(json: &str) -> String {
    let error = spec(json).check().expect_err("a refusal");
    assert_eq!(error.code(), "invalid_input");
    error.to_string().rsplit_once("refused: ").unwrap().1.to_owned()
}

#[test]
fn every_policy_reads_back_from_its_own_spelling() {
    for on_satisfied in [OnSatisfied::CancelRemaining, OnSatisfied::LetRun] {
        for policy in [
            EdgeGroupPolicy::AllOf,
            EdgeGroupPolicy::AnyOf { on_satisfied },
            EdgeGroupPolicy::Quorum { k: QUORUM_MAX, on_satisfied },
        ] {
            let json = serde_json::to_string(&policy.spec()).unwrap();
            assert_eq!(spec(&json).check(), Ok(policy), "{json}");
        }
    }
    assert_eq!(spec(r#"{"kind":"all_of","k":0,"on_satisfied":"?"}"#).check(), Ok(EdgeGroupPolicy::AllOf));
}

#[test]
fn only_a_join_that_says_so_cancels_what_remains() {
    let [cancel, let_run] = [OnSatisfied::CancelRemaining, OnSatisfied::LetRun];
    assert!(EdgeGroupPolicy::AnyOf { on_satisfied: cancel }.cancels_remaining());
    assert!(EdgeGroupPolicy::Quorum { k: 2, on_satisfied: cancel }.cancels_remaining());
    assert!(!EdgeGroupPolicy::AnyOf { on_satisfied: let_run }.cancels_remaining());
    assert!(!EdgeGroupPolicy::Quorum { k: 2, on_satisfied: let_run }.cancels_remaining());
    assert!(!EdgeGroupPolicy::AllOf.cancels_remaining());
}

#[test]
fn a_wrong_policy_is_told_what_is_wrong_first() {
    let missing = "on_satisfied required for any_of/quorum: cancel_remaining | let_run";
    for (json, detail) in [
        (r#"{"kind":"most_of"}"#, "unsupported_policy_variant: most_of"),
        (r#"{"kind":""}"#, "unsupported_policy_variant: "),
        (r#"{"kind":"any_of"}"#, missing),
        (r#"{"kind":"any_of","on_satisfied":"stop"}"#, missing),
        (r#"{"kind":"quorum"}"#, "quorum k must be >= 1"),
        (r#"{"kind":"quorum","k":0}"#, "quorum k must be >= 1"),
        (r#"{"kind":"quorum","k":2147483648}"#, "quorum k exceeds supported maximum"),
        (r#"{"kind":"quorum","k":18446744073709551615}"#, "quorum k exceeds supported maximum"),
        (r#"{"kind":"quorum","k":2}"#, missing),
    ] {
        assert_eq!(refused(json), detail, "{json}");
    }
    assert!(refused(&format!(r#"{{"kind":"{}"}}"#, "x".repeat(10_000))).len() < 120);
}

#[test]
fn limits_and_revisions_are_exact() {
    assert_eq!(check_nodes(FLOW_NODES_MAX as usize), Ok(()));
    assert_eq!(check_edges(FLOW_EDGES_MAX as usize), Ok(()));
    let text = |result: Result<(), crate::error::EngineError>| result.unwrap_err().to_string();
    assert!(text(check_nodes(10_001)).ends_with("flow nodes: 10001, at most 10000"));
    assert!(text(check_edges(50_001)).ends_with("flow edges: 50001, at most 50000"));
    assert_eq!(check_revision(4, 4), Ok(()));
    assert_eq!(check_revision(3, 4).unwrap_err().code(), "stale_graph_revision");
    assert_eq!(check_dependency_kind("success_only"), Ok(()));
    assert!(text(check_dependency_kind("always")).ends_with("unsupported dependency_kind: always"));
}
