//! `GET /v1/executions/{execution_id}/waitpoints/{waitpoint_id}/token`: the
//! token of a waitpoint, for a trusted caller.

use super::unstored;
use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::path::{Segments, Target};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use leasehold_core::error::{EngineError, Entity};
use leasehold_core::token::WaitpointToken;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
struct Answer {
    token: WaitpointToken,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Target(execution_id): Target,
    Segments((_, waitpoint_id)): Segments<(String, String)>,
) -> Result<Response, Refusal> {
    let waitpoint_id = ids::parse("waitpoint_id", &waitpoint_id)?;
    let missing = || EngineError::not_found(Entity::Waitpoint);
    if execution_id.partition() >= api.partitions.num_flow_partitions {
        return Err(missing().into());
    }
    let read = api.engine.read_waitpoint_token(execution_id.home(), waitpoint_id).await?;
    let read = read.filter(|read| read.execution_id == execution_id).ok_or_else(missing)?;
    Ok(unstored(StatusCode::OK, Answer { token: read.token }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_token_is_read_and_not_kept_on_the_way() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let path = format!("/v1/executions/{}/waitpoints/{}/token", waiting.id, waiting.waitpoint_id);
        let answer = api.send(Method::GET, &path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.body, json!({"token": waiting.signal("x")["waitpoint_token"]}));
    }

    #[tokio::test]
    async fn of_another_execution_or_none_it_is_not_found() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let partition: u16 = waiting.id[4..5].parse().unwrap();
        let other = api.create_with("mail", json!({"partition_id": partition})).await;
        let unknown = "00000000-0000-4000-8000-000000000001";
        for (execution, waitpoint, status) in [
            (other.as_str(), waiting.waitpoint_id.as_str(), 404),
            (&waiting.id, unknown, 404),
            ("{fp:9}:00000000-0000-0000-0000-000000000001", &waiting.waitpoint_id, 404),
            (&waiting.id, "x", 400),
        ] {
            let path = format!("/v1/executions/{execution}/waitpoints/{waitpoint}/token");
            let answer = api.send(Method::GET, &path, None).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        }
    }
}
