//! `POST /v1/flows/{flow_id}/edges/{edge_id}/resolve`: what the end of an
//! upstream does to a dependency. The engine does so by itself.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::{EdgeTarget, FlowTarget};
use axum::Json;
use axum::extract::State;
use leasehold_contract::ResolveDependency;
use leasehold_core::flow::Resolution;
use leasehold_core::state::TerminalOutcome;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    upstream_execution_id: String,
    downstream_execution_id: String,
    upstream_outcome: String,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    AlreadyResolved,
    AlreadyFired,
    Pending,
    Satisfied,
    Impossible,
}

/// How an upstream ended. `failure` is an older word for `failed`.
fn outcome(text: &str) -> Result<TerminalOutcome, Refusal> {
    let text = if text == "failure" { "failed" } else { text };
    let unknown = || Refusal::invalid_input(format!("upstream_outcome: {} is none", text.escape_debug()));
    TerminalOutcome::parse(text).ok_or_else(unknown)
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: FlowTarget,
    EdgeTarget(edge_id): EdgeTarget,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let resolve = ResolveDependency {
        flow_id: target.agreeing(request.flow_id.as_deref())?,
        edge_id,
        downstream_execution_id: ids::parse("downstream_execution_id", &request.downstream_execution_id)?,
        upstream_execution_id: ids::parse("upstream_execution_id", &request.upstream_execution_id)?,
        upstream_outcome: outcome(&request.upstream_outcome)?,
    };
    Ok(Json(match api.engine.resolve_dependency(resolve).await? {
        Resolution::AlreadyResolved => Answer::AlreadyResolved,
        Resolution::AlreadyFired => Answer::AlreadyFired,
        Resolution::Pending => Answer::Pending,
        Resolution::Satisfied => Answer::Satisfied,
        Resolution::Impossible => Answer::Impossible,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};

    #[tokio::test]
    async fn a_dependency_is_resolved_once() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        let edge = api.depend(&flow, &first, &second).await;
        let body = |outcome: &str| {
            json!({
                "upstream_execution_id": first, "downstream_execution_id": second, "upstream_outcome": outcome,
            })
        };
        let path = format!("edges/{edge}/resolve");
        for (outcome, detail) in [("none", "none, which is no end"), ("great", "upstream_outcome: great is none")] {
            let answer = api.post_flow(&flow, &path, body(outcome)).await;
            assert_eq!(answer.status.as_u16(), 400);
            assert!(answer.error().contains(detail), "{}", answer.body);
        }
        let strange = "edges/00000000-0000-4000-8000-000000000001/resolve";
        assert_eq!(api.post_flow(&flow, strange, body("success")).await.body["code"], "invalid_dependency");
        api.complete(&first).await;
        assert_eq!(api.post_flow(&flow, &path, body("success")).await.body, json!("AlreadyResolved"));
    }

    #[tokio::test]
    async fn the_end_of_an_upstream_can_be_told_before_it_ends() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        let edge = api.depend(&flow, &first, &second).await;
        let body = json!({
            "upstream_execution_id": first, "downstream_execution_id": second, "upstream_outcome": "failure",
        });
        let answer = api.post_flow(&flow, &format!("edges/{edge}/resolve"), body).await;
        assert_eq!(answer.body, json!("Impossible"));
        assert_eq!(api.state(&second).await, "skipped");
    }
}
