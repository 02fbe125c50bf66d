//! `PUT /v1/flows/{flow_id}/members/{execution_id}/policy`: how many of its
//! dependencies a member needs, before the first is staged.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::{FlowTarget, Target};
use axum::Json;
use axum::extract::State;
use leasehold_contract::{SetEdgeGroupPolicy, SetPolicyOutcome};
use leasehold_core::flow::PolicySpec;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(flatten)]
    policy: PolicySpec,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Set,
    AlreadySet,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    FlowTarget(flow_id): FlowTarget,
    Target(downstream_execution_id): Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let set = SetEdgeGroupPolicy { flow_id, downstream_execution_id, policy: request.policy };
    Ok(Json(match api.engine.set_edge_group_policy(set).await? {
        SetPolicyOutcome::Set => Answer::Set,
        SetPolicyOutcome::AlreadySet => Answer::AlreadySet,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::Method;

    #[tokio::test]
    async fn a_join_is_set_until_the_first_dependency_is_staged() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        let path = format!("/v1/flows/{flow}/members/{second}/policy");
        let put = |body| api.send(Method::PUT, &path, Some(body));
        let race = json!({"kind": "any_of", "on_satisfied": "let_run"});
        assert_eq!(put(race.clone()).await.body, json!("Set"));
        assert_eq!(put(race.clone()).await.body, json!("AlreadySet"));
        for (policy, error) in [
            (json!({"kind": "most"}), "invalid_input: unsupported_policy_variant: most"),
            (json!({"kind": "quorum", "on_satisfied": "let_run"}), "invalid_input: quorum k must be >= 1"),
            (
                json!({"kind": "quorum", "k": 1_u64 << 31, "on_satisfied": "let_run"}),
                "invalid_input: quorum k exceeds supported maximum",
            ),
            (
                json!({"kind": "any_of"}),
                "invalid_input: on_satisfied required for any_of/quorum: cancel_remaining | let_run",
            ),
        ] {
            let answer = put(policy).await;
            assert_eq!((answer.status.as_u16(), answer.error()), (400, error));
        }
        api.depend(&flow, &first, &second).await;
        let answer = put(race).await;
        let fixed = "invalid_input: edge_group_policy_already_fixed: dependencies already staged";
        assert_eq!((answer.status.as_u16(), answer.error()), (400, fixed));
        assert_eq!(api.describe_flow(&flow).await["edge_groups"][0]["policy"]["kind"], "any_of");
    }
}
