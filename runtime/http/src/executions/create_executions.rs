//! `POST /v1/executions/bulk`: many executions at once.
//!
//! The answer is a list with an outcome per item, in order. An item that is
//! refused stands there as `{"Error": {status, error, …}}`, and the others go
//! on. Of the items that fall on one partition, all that are accepted become
//! durable together.

use super::create_execution;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::{Envelope, Refusal};
use crate::options::BodyLimits;
use axum::Json;
use axum::extract::State;
use leasehold_contract::BULK_MAX;
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::PublicState;
use serde::{Deserialize, Serialize};

/// Executions to create.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    executions: Vec<create_execution::Request>,
}

impl Requested for Request {
    fn limit(limits: &BodyLimits) -> usize {
        limits.bulk
    }
}

/// What became of one item.
#[derive(Clone, Debug, Serialize)]
pub(crate) enum Answer {
    /// A new execution.
    Created { execution_id: ExecutionId, public_state: PublicState },
    /// It existed.
    Duplicate { execution_id: ExecutionId },
    /// It was refused.
    Error {
        /// The status it would have had by itself.
        status: u16,
        #[serde(flatten)]
        envelope: Envelope,
    },
}

impl From<create_execution::Answer> for Answer {
    fn from(answer: create_execution::Answer) -> Self {
        match answer {
            create_execution::Answer::Created { execution_id, public_state } => {
                Self::Created { execution_id, public_state }
            }
            create_execution::Answer::Duplicate { execution_id } => Self::Duplicate { execution_id },
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Error { status: refusal.status().as_u16(), envelope: refusal.into_envelope() }
    }
}

pub(crate) async fn handle(State(api): State<Api>, Body(request): Body<Request>) -> Result<Json<Vec<Answer>>, Refusal> {
    if request.executions.len() > BULK_MAX {
        let count = request.executions.len();
        return Err(Refusal::invalid_input(format!("executions: {count}, at most {BULK_MAX}")));
    }
    let mut commands = Vec::with_capacity(request.executions.len());
    // Per item its refusal, or none where the engine decides.
    let mut refusals = Vec::with_capacity(request.executions.len());
    for item in request.executions {
        match item.command(&api).await {
            Ok(command) => {
                commands.push(command);
                refusals.push(None);
            }
            Err(refusal) => refusals.push(Some(refusal)),
        }
    }
    let mut outcomes = api.engine.create_executions(commands).await?.into_iter();
    let answers = refusals.into_iter().map(|refusal| match refusal {
        Some(refusal) => Ok(refusal.into()),
        None => match outcomes.next() {
            Some(Ok(outcome)) => Ok(create_execution::Answer::from(outcome).into()),
            Some(Err(error)) => Ok(Refusal::from(error).into()),
            None => Err(leasehold_core::error::EngineError::OutcomeUnknown { op: "create_executions" }.into()),
        },
    });
    answers.collect::<Result<Vec<_>, Refusal>>().map(Json)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};
    use serde_json::Value;

    fn item(lane: &str) -> Value {
        json!({"namespace": "tenant", "lane_id": lane, "execution_kind": "send"})
    }

    #[tokio::test]
    async fn every_item_has_its_outcome_in_order() {
        let api = Harness::new().await;
        let known = api.create("mail").await;
        let mut again = item("mail");
        again["execution_id"] = json!(known);
        let mut bad_tag = item("mail");
        bad_tag["tags"] = json!({"NoNamespace": "x"});
        let body = json!({"executions": [item("mail"), again, item(""), bad_tag, item("post")]});
        let answer = api.send(Method::POST, "/v1/executions/bulk", Some(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let items = answer.body.as_array().unwrap();
        assert_eq!(items[0]["Created"]["public_state"], "waiting");
        assert_eq!(items[1], json!({"Duplicate": {"execution_id": known}}));
        assert_eq!(items[2]["Error"]["status"], 400);
        assert_eq!(items[2]["Error"]["error"], "invalid_input: lane_id: lane id is empty");
        assert_eq!(items[3]["Error"]["error"], "invalid_tag_key: NoNamespace");
        assert_eq!(items[4]["Created"]["public_state"], "waiting");
        assert_eq!(api.all().await.len(), 3);
    }

    #[tokio::test]
    async fn no_items_are_no_outcomes() {
        let api = Harness::new().await;
        let answer = api.send(Method::POST, "/v1/executions/bulk", Some(json!({"executions": []}))).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!([])));
    }

    #[tokio::test]
    async fn too_many_items_are_refused_whole() {
        let api = Harness::new().await;
        let items = vec![item("mail"); 1001];
        let answer = api.send(Method::POST, "/v1/executions/bulk", Some(json!({"executions": items}))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.error(), "invalid_input: executions: 1001, at most 1000");
        assert!(api.all().await.is_empty());
    }

    #[tokio::test]
    async fn its_body_has_a_limit_of_its_own() {
        let api = Harness::with(|options| options.limits.bulk = 100).await;
        let items = vec![item("mail"); 3];
        let answer = api.send(Method::POST, "/v1/executions/bulk", Some(json!({"executions": items}))).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(
            answer.body,
            json!({"error": "payload_too_large", "limit_bytes": 100, "route": "/v1/executions/bulk"})
        );
    }
}
