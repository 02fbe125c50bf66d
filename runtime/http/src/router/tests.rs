//! Every operation of the engine has a route.

use crate::testing::Harness;
use axum::http::{Method, StatusCode};
use std::collections::BTreeSet;

/// Names no flow, no waitpoint and no dependency.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

/// How each operation is reached; `{E}` is an execution, `{F}` a uuid of
/// anything else.
const ROUTES: &[(&str, Method, &str)] = &[
    ("create_execution", Method::POST, "/v1/executions"),
    ("create_executions", Method::POST, "/v1/executions/bulk"),
    ("cancel_execution", Method::POST, "/v1/executions/{E}/cancel"),
    ("cancel", Method::POST, "/v1/executions/{E}/cancel"),
    ("replay_execution", Method::POST, "/v1/executions/{E}/replay"),
    ("change_priority", Method::PUT, "/v1/executions/{E}/priority"),
    ("progress", Method::POST, "/v1/executions/{E}/progress"),
    ("expire_execution", Method::POST, "/v1/executions/{E}/expire"),
    ("promote_delayed", Method::POST, "/v1/executions/{E}/promote"),
    ("set_execution_tag", Method::PUT, "/v1/executions/{E}/tags/a.b"),
    ("get_execution_tag", Method::GET, "/v1/executions/{E}/tags/a.b"),
    ("claim", Method::POST, "/v1/workers/w/claim-one"),
    ("scan_eligible_executions", Method::GET, "/v1/partitions/0/lanes/mail/eligible"),
    ("issue_claim_grant", Method::POST, "/v1/executions/{E}/claim-grant"),
    ("claim_execution", Method::POST, "/v1/executions/{E}/claim"),
    ("claim_for_worker", Method::POST, "/v1/workers/w/claim"),
    ("issue_grant_and_claim", Method::POST, "/v1/executions/{E}/operator-claim"),
    ("claim_resumed_execution", Method::POST, "/v1/executions/{E}/claim-resumed"),
    ("claim_from_resume_grant", Method::POST, "/v1/executions/{E}/claim-from-resume-grant"),
    ("renew", Method::POST, "/v1/executions/{E}/renew"),
    ("renew_lease", Method::POST, "/v1/executions/{E}/renew"),
    ("complete", Method::POST, "/v1/executions/{E}/complete"),
    ("complete_execution", Method::POST, "/v1/executions/{E}/complete"),
    ("fail", Method::POST, "/v1/executions/{E}/fail"),
    ("fail_execution", Method::POST, "/v1/executions/{E}/fail"),
    ("delay", Method::POST, "/v1/executions/{E}/delay"),
    ("wait_children", Method::POST, "/v1/executions/{E}/wait-children"),
    ("revoke_lease", Method::POST, "/v1/executions/{E}/revoke-lease"),
    ("mark_lease_expired_if_due", Method::POST, "/v1/executions/{E}/mark-expired"),
    ("issue_reclaim_grant", Method::POST, "/v1/executions/{E}/reclaim"),
    ("reclaim_execution", Method::POST, "/v1/executions/{E}/reclaim-claim"),
    ("list_expired_leases", Method::GET, "/v1/expired-leases"),
    ("block_route", Method::POST, "/v1/executions/{E}/block"),
    ("block_execution_for_admission", Method::POST, "/v1/executions/{E}/block"),
    ("unblock_execution", Method::POST, "/v1/executions/{E}/unblock"),
    ("create_waitpoint", Method::POST, "/v1/executions/{E}/waitpoints"),
    ("suspend", Method::POST, "/v1/executions/{E}/suspend"),
    ("suspend_by_triple", Method::POST, "/v1/executions/{E}/suspend"),
    ("observe_signals", Method::POST, "/v1/executions/{E}/observe-signals"),
    ("read_suspension", Method::GET, "/v1/executions/{E}/suspension"),
    ("deliver_signal", Method::POST, "/v1/executions/{E}/signal"),
    ("deliver_approval_signal", Method::POST, "/v1/executions/{E}/approval-signal"),
    ("resume_execution", Method::POST, "/v1/executions/{E}/resume"),
    ("read_waitpoint_token", Method::GET, "/v1/executions/{E}/waitpoints/{F}/token"),
    ("list_pending_waitpoints", Method::GET, "/v1/executions/{E}/pending-waitpoints"),
    ("list_suspended", Method::GET, "/v1/suspended"),
    ("close_waitpoint", Method::POST, "/v1/executions/{E}/waitpoints/{F}/close"),
    ("expire_suspension", Method::POST, "/v1/executions/{E}/expire-suspension"),
    ("seed_waitpoint_hmac_secret", Method::POST, "/v1/admin/seed-waitpoint-secret"),
    ("rotate_waitpoint_hmac_secret_all", Method::POST, "/v1/admin/rotate-waitpoint-secret"),
    ("list_waitpoint_hmac_kids", Method::GET, "/v1/admin/waitpoint-kids"),
    ("create_flow", Method::POST, "/v1/flows"),
    ("submit_flow", Method::POST, "/v1/flows"),
    ("add_execution_to_flow", Method::POST, "/v1/flows/{F}/members"),
    ("stage_dependency_edge", Method::POST, "/v1/flows/{F}/edges"),
    ("apply_dependency_to_child", Method::POST, "/v1/flows/{F}/edges/apply"),
    ("set_edge_group_policy", Method::PUT, "/v1/flows/{F}/members/{E}/policy"),
    ("resolve_dependency", Method::POST, "/v1/flows/{F}/edges/{F}/resolve"),
    ("cascade_completion", Method::POST, "/v1/executions/{E}/cascade"),
    ("evaluate_flow_eligibility", Method::GET, "/v1/executions/{E}/flow-eligibility"),
    ("cancel_flow", Method::POST, "/v1/flows/{F}/cancel"),
    ("cancel_flow_header", Method::POST, "/v1/flows/{F}/cancel-header"),
    ("ack_cancel_member", Method::POST, "/v1/flows/{F}/members/{E}/ack-cancel"),
    ("drain_sibling_cancel_group", Method::POST, "/v1/flows/{F}/members/{E}/drain-siblings"),
    ("reconcile_sibling_cancel_group", Method::POST, "/v1/flows/{F}/members/{E}/reconcile-siblings"),
    ("project_flow_summary", Method::POST, "/v1/flows/{F}/project"),
    ("describe_flow", Method::GET, "/v1/flows/{F}"),
    ("describe_edge", Method::GET, "/v1/flows/{F}/edges/{F}"),
    ("list_edges", Method::GET, "/v1/flows/{F}/edges"),
    ("list_flows", Method::GET, "/v1/flows"),
    ("list_flow_members", Method::GET, "/v1/flows/{F}/members"),
    ("resolve_execution_flow_id", Method::GET, "/v1/executions/{E}/flow"),
    ("set_flow_tag", Method::PUT, "/v1/flows/{F}/tags/a.b"),
    ("get_flow_tag", Method::GET, "/v1/flows/{F}/tags/a.b"),
    ("describe_execution", Method::GET, "/v1/executions/{E}/snapshot"),
    ("read_execution_context", Method::GET, "/v1/executions/{E}/context"),
    ("read_execution_info", Method::GET, "/v1/executions/{E}"),
    ("read_execution_state", Method::GET, "/v1/executions/{E}/state"),
    ("get_execution_result", Method::GET, "/v1/executions/{E}/result"),
    ("get_execution_namespace", Method::GET, "/v1/executions/{E}/namespace"),
    ("read_exec_core_fields", Method::GET, "/v1/executions/{E}/fields"),
    ("read_current_attempt_index", Method::GET, "/v1/executions/{E}/current-attempt-index"),
    ("read_total_attempt_count", Method::GET, "/v1/executions/{E}/total-attempt-count"),
    ("list_executions", Method::GET, "/v1/executions"),
    ("list_lanes", Method::GET, "/v1/lanes"),
    ("list_attempts", Method::GET, "/v1/executions/{E}/attempts"),
    ("poll_tasks", Method::POST, "/v1/workers/w/claim"),
    ("wait_terminal", Method::GET, "/v1/executions/{E}/wait"),
    ("prepare", Method::POST, "/v1/admin/prepare"),
    ("ping", Method::GET, "/v1/ping"),
    ("shutdown_prepare", Method::POST, "/v1/admin/shutdown-prepare"),
    ("server_time_ms", Method::GET, "/v1/time"),
    ("capabilities", Method::GET, "/v1/capabilities"),
    ("backend_label", Method::GET, "/v1/ping"),
];

#[tokio::test]
async fn every_operation_of_the_engine_has_a_route() {
    let api = Harness::new().await;
    let listed = api.send(Method::GET, "/v1/capabilities", None).await.body;
    let supported: BTreeSet<_> = listed["supports"].as_object().unwrap().keys().map(String::as_str).collect();
    let routed: BTreeSet<_> = ROUTES.iter().map(|(operation, ..)| *operation).collect();
    assert_eq!(supported, routed);
}

#[tokio::test]
async fn every_route_takes_its_method_and_answers_others_in_the_envelope() {
    let api = Harness::new().await;
    for (operation, method, route) in ROUTES {
        let path = route.replace("{F}", UNKNOWN).replace("{E}", Harness::UNKNOWN);
        let answer = api.send(method.clone(), &path, None).await;
        assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{operation}");
        assert!(!answer.error().starts_with("no route"), "{operation}");
        let answer = api.send(Method::PATCH, &path, None).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{operation}");
        assert_eq!(answer.error(), "method not allowed: PATCH");
    }
    let answer = api.send(Method::POST, "/healthz", None).await;
    assert_eq!(answer.error(), "method not allowed: POST");
}
