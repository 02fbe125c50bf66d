//! `GET /v1/admin/waitpoint-kids?partition`: which keys mint and verify tokens
//! in one partition, 0 unless the caller says otherwise. Never their secrets.

use crate::api::Api;
use crate::error::Refusal;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_core::partition::Partition;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    partition: u16,
}

#[derive(Clone, Debug, Serialize)]
struct Verifying {
    kid: String,
    expires_at_ms: TimestampMs,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    current_kid: Option<String>,
    verifying: Vec<Verifying>,
}

pub(crate) async fn handle(State(api): State<Api>, Query(request): Query<Request>) -> Result<Json<Answer>, Refusal> {
    let kids = api.engine.list_waitpoint_hmac_kids(Partition::flow(request.partition)).await?;
    let verifying =
        kids.verifying.into_iter().map(|key| Verifying { kid: key.kid.to_string(), expires_at_ms: key.expires_at_ms });
    Ok(Json(Answer { current_kid: kids.current_kid.map(|kid| kid.to_string()), verifying: verifying.collect() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn keys_are_named_and_their_secrets_are_not() {
        let api = Harness::new().await;
        api.seed().await;
        let body = json!({"new_kid": "k2", "new_secret_hex": "ab".repeat(32)});
        api.send(Method::POST, "/v1/admin/rotate-waitpoint-secret", Some(body)).await;
        let answer = api.send(Method::GET, "/v1/admin/waitpoint-kids?partition=3", None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let verifying = json!([{"kid": "k1", "expires_at_ms": api.now() + 86_400_000}]);
        assert_eq!(answer.body, json!({"current_kid": "k2", "verifying": verifying}));
        let answer = api.send(Method::GET, "/v1/admin/waitpoint-kids?partition=4", None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
}
