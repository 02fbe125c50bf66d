//! The table of routes.

use crate::api::Api;
use crate::cors::{Cors, Policy};
use crate::options::HttpOptions;
use crate::{auth, cors, executions, fallback, flows, health, leases, maintenance, reads, suspension, workers};
use axum::Router;
use axum::middleware;
use axum::routing::{get, post, put};
use leasehold_contract::Engine;
use std::sync::Arc;

/// The engine behind `/v1`, and `/healthz`.
pub fn router(engine: Arc<dyn Engine>, options: HttpOptions) -> Router {
    let api = Api::new(engine, &options);
    let mut routes = collection()
        .merge(changes())
        .merge(reading())
        .merge(leasing())
        .merge(waiting())
        .merge(graphs())
        .merge(dependencies())
        .merge(whole())
        .fallback(fallback::no_route)
        .method_not_allowed_fallback(fallback::no_method);
    let policy = Policy { cors: options.cors, token: options.token.is_some() };
    if let Some(token) = options.token {
        routes = routes.layer(middleware::from_fn_with_state(token, auth::require));
    }
    let open = Router::new().route("/healthz", get(health::handle)).method_not_allowed_fallback(fallback::no_method);
    let router = routes.merge(open).with_state(api);
    if policy.cors == Cors::Off {
        return router;
    }
    // Outside of everything else: a preflight carries no token.
    router.layer(middleware::from_fn_with_state(policy, cors::apply))
}

/// Executions as a whole, lanes and workers.
fn collection() -> Router<Api> {
    Router::new()
        .route("/v1/executions", get(reads::list_executions::handle).post(executions::create_execution::handle))
        .route("/v1/executions/bulk", post(executions::create_executions::handle))
        .route("/v1/expired-leases", get(leases::list_expired_leases::handle))
        .route("/v1/lanes", get(reads::list_lanes::handle))
        .route("/v1/partitions/{partition}/lanes/{lane_id}/eligible", get(leases::scan_eligible_executions::handle))
        .route("/v1/workers/{worker_id}/claim", post(workers::claim::handle))
        .route("/v1/workers/{worker_id}/claim-one", post(workers::claim_one::handle))
}

/// Changes of one execution from outside.
fn changes() -> Router<Api> {
    use executions::{
        cancel_execution, change_priority, expire_execution, get_execution_tag, progress, promote_delayed,
        replay_execution, set_execution_tag,
    };
    Router::new()
        .route("/v1/executions/{execution_id}/cancel", post(cancel_execution::handle))
        .route("/v1/executions/{execution_id}/expire", post(expire_execution::handle))
        .route("/v1/executions/{execution_id}/priority", put(change_priority::handle))
        .route("/v1/executions/{execution_id}/progress", post(progress::handle))
        .route("/v1/executions/{execution_id}/promote", post(promote_delayed::handle))
        .route("/v1/executions/{execution_id}/replay", post(replay_execution::handle))
        .route(
            "/v1/executions/{execution_id}/tags/{key}",
            get(get_execution_tag::handle).put(set_execution_tag::handle),
        )
}

/// Reads of one execution.
fn reading() -> Router<Api> {
    use reads::{
        describe_execution, get_execution_namespace, get_execution_result, list_attempts, read_current_attempt_index,
        read_exec_core_fields, read_execution_context, read_execution_info, read_execution_state,
        read_total_attempt_count, wait_terminal,
    };
    Router::new()
        .route("/v1/executions/{execution_id}", get(read_execution_info::handle))
        .route("/v1/executions/{execution_id}/attempts", get(list_attempts::handle))
        .route("/v1/executions/{execution_id}/context", get(read_execution_context::handle))
        .route("/v1/executions/{execution_id}/current-attempt-index", get(read_current_attempt_index::handle))
        .route("/v1/executions/{execution_id}/fields", get(read_exec_core_fields::handle))
        .route("/v1/executions/{execution_id}/namespace", get(get_execution_namespace::handle))
        .route("/v1/executions/{execution_id}/result", get(get_execution_result::handle))
        .route("/v1/executions/{execution_id}/snapshot", get(describe_execution::handle))
        .route("/v1/executions/{execution_id}/state", get(read_execution_state::handle))
        .route("/v1/executions/{execution_id}/total-attempt-count", get(read_total_attempt_count::handle))
        .route("/v1/executions/{execution_id}/wait", get(wait_terminal::handle))
}

/// Grants, claims and leases of one execution.
fn leasing() -> Router<Api> {
    use leases::{
        block_execution, claim_execution, claim_from_resume_grant, claim_resumed_execution, complete, delay, fail,
        issue_claim_grant, issue_grant_and_claim, issue_reclaim_grant, mark_lease_expired, reclaim_execution, renew,
        revoke_lease, unblock_execution, wait_children,
    };
    Router::new()
        .route("/v1/executions/{execution_id}/block", post(block_execution::handle))
        .route("/v1/executions/{execution_id}/claim", post(claim_execution::handle))
        .route("/v1/executions/{execution_id}/claim-from-resume-grant", post(claim_from_resume_grant::handle))
        .route("/v1/executions/{execution_id}/claim-grant", post(issue_claim_grant::handle))
        .route("/v1/executions/{execution_id}/claim-resumed", post(claim_resumed_execution::handle))
        .route("/v1/executions/{execution_id}/complete", post(complete::handle))
        .route("/v1/executions/{execution_id}/delay", post(delay::handle))
        .route("/v1/executions/{execution_id}/fail", post(fail::handle))
        .route("/v1/executions/{execution_id}/mark-expired", post(mark_lease_expired::handle))
        .route("/v1/executions/{execution_id}/operator-claim", post(issue_grant_and_claim::handle))
        .route("/v1/executions/{execution_id}/reclaim", post(issue_reclaim_grant::handle))
        .route("/v1/executions/{execution_id}/reclaim-claim", post(reclaim_execution::handle))
        .route("/v1/executions/{execution_id}/renew", post(renew::handle))
        .route("/v1/executions/{execution_id}/revoke-lease", post(revoke_lease::handle))
        .route("/v1/executions/{execution_id}/unblock", post(unblock_execution::handle))
        .route("/v1/executions/{execution_id}/wait-children", post(wait_children::handle))
}

/// What one execution waits for, and what is sent to it.
fn waiting() -> Router<Api> {
    use suspension::{
        close_waitpoint, create_waitpoint, deliver_approval_signal, deliver_signal, expire_suspension,
        list_pending_waitpoints, list_suspended, observe_signals, read_suspension, read_waitpoint_token,
        resume_execution, suspend,
    };
    Router::new()
        .route("/v1/executions/{execution_id}/approval-signal", post(deliver_approval_signal::handle))
        .route("/v1/executions/{execution_id}/expire-suspension", post(expire_suspension::handle))
        .route("/v1/executions/{execution_id}/observe-signals", post(observe_signals::handle))
        .route("/v1/executions/{execution_id}/pending-waitpoints", get(list_pending_waitpoints::handle))
        .route("/v1/executions/{execution_id}/resume", post(resume_execution::handle))
        .route("/v1/executions/{execution_id}/signal", post(deliver_signal::handle))
        .route("/v1/executions/{execution_id}/suspend", post(suspend::handle))
        .route("/v1/executions/{execution_id}/suspension", get(read_suspension::handle))
        .route("/v1/executions/{execution_id}/waitpoints", post(create_waitpoint::handle))
        .route("/v1/executions/{execution_id}/waitpoints/{waitpoint_id}/close", post(close_waitpoint::handle))
        .route("/v1/executions/{execution_id}/waitpoints/{waitpoint_id}/token", get(read_waitpoint_token::handle))
        .route("/v1/suspended", get(list_suspended::handle))
}

/// Flows and their members.
fn graphs() -> Router<Api> {
    use flows::{
        ack_cancel_member, add_execution_to_flow, cancel_flow, cancel_flow_header, create_flow, describe_flow,
        drain_sibling_cancel_group, get_flow_tag, list_flow_members, list_flows, project_flow_summary,
        reconcile_sibling_cancel_group, set_edge_group_policy, set_flow_tag,
    };
    Router::new()
        .route("/v1/flows", get(list_flows::handle).post(create_flow::handle))
        .route("/v1/flows/{flow_id}", get(describe_flow::handle))
        .route("/v1/flows/{flow_id}/cancel", post(cancel_flow::handle))
        .route("/v1/flows/{flow_id}/cancel-header", post(cancel_flow_header::handle))
        .route("/v1/flows/{flow_id}/members", get(list_flow_members::handle).post(add_execution_to_flow::handle))
        .route("/v1/flows/{flow_id}/members/{execution_id}/ack-cancel", post(ack_cancel_member::handle))
        .route("/v1/flows/{flow_id}/members/{execution_id}/drain-siblings", post(drain_sibling_cancel_group::handle))
        .route("/v1/flows/{flow_id}/members/{execution_id}/policy", put(set_edge_group_policy::handle))
        .route(
            "/v1/flows/{flow_id}/members/{execution_id}/reconcile-siblings",
            post(reconcile_sibling_cancel_group::handle),
        )
        .route("/v1/flows/{flow_id}/project", post(project_flow_summary::handle))
        .route("/v1/flows/{flow_id}/tags/{key}", get(get_flow_tag::handle).put(set_flow_tag::handle))
}

/// Dependencies between members of a flow.
fn dependencies() -> Router<Api> {
    use flows::{
        apply_dependency_to_child, cascade_completion, describe_edge, evaluate_flow_eligibility, list_edges,
        resolve_dependency, resolve_execution_flow_id, stage_dependency_edge,
    };
    Router::new()
        .route("/v1/executions/{execution_id}/cascade", post(cascade_completion::handle))
        .route("/v1/executions/{execution_id}/flow", get(resolve_execution_flow_id::handle))
        .route("/v1/executions/{execution_id}/flow-eligibility", get(evaluate_flow_eligibility::handle))
        .route("/v1/flows/{flow_id}/edges", get(list_edges::handle).post(stage_dependency_edge::handle))
        .route("/v1/flows/{flow_id}/edges/apply", post(apply_dependency_to_child::handle))
        .route("/v1/flows/{flow_id}/edges/{edge_id}", get(describe_edge::handle))
        .route("/v1/flows/{flow_id}/edges/{edge_id}/resolve", post(resolve_dependency::handle))
}

/// The engine as a whole.
fn whole() -> Router<Api> {
    Router::new()
        .route("/v1/admin/prepare", post(maintenance::prepare::handle))
        .route("/v1/admin/rotate-waitpoint-secret", post(suspension::rotate_waitpoint_hmac_secret_all::handle))
        .route("/v1/admin/seed-waitpoint-secret", post(suspension::seed_waitpoint_hmac_secret::handle))
        .route("/v1/admin/shutdown-prepare", post(maintenance::shutdown_prepare::handle))
        .route("/v1/admin/waitpoint-kids", get(suspension::list_waitpoint_hmac_kids::handle))
        .route("/v1/capabilities", get(maintenance::capabilities::handle))
        .route("/v1/ping", get(maintenance::ping::handle))
        .route("/v1/time", get(maintenance::server_time::handle))
}

#[cfg(test)]
mod tests;
