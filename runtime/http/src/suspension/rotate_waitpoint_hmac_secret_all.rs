//! `POST /v1/admin/rotate-waitpoint-secret`: make another key mint waitpoint
//! tokens, in every partition. The one before verifies for a while longer, as
//! long as the server is configured to let it unless the request says.
//!
//! One rotation at a time (429 for the others), within 120 s (504 beyond,
//! and repeating is safe). Partitions that failed are named; the answer is a
//! refusal only when all did.

use super::secret;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_contract::{RotateHmacSecret, SecretHex};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a rotation may take.
const LONGEST: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    new_kid: String,
    #[serde(deserialize_with = "secret")]
    new_secret_hex: SecretHex,
    #[serde(default)]
    grace_ms: Option<u64>,
}

impl Requested for Request {}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    /// How many partitions mint with the key now.
    rotated: u16,
    /// The others.
    failed: Vec<u16>,
    new_kid: String,
}

pub(crate) async fn handle(State(api): State<Api>, Body(request): Body<Request>) -> Result<Json<Answer>, Refusal> {
    let _alone = api.keys_alone()?;
    let new_kid = request.new_kid;
    let rotate = RotateHmacSecret {
        new_kid: new_kid.clone(),
        new_secret_hex: request.new_secret_hex,
        grace_ms: request.grace_ms.unwrap_or(api.hmac_grace_ms),
    };
    let late = |_| Refusal::late("the rotation took longer than 120 s; repeating it is safe");
    let rotated = tokio::time::timeout(LONGEST, api.engine.rotate_waitpoint_hmac_secret_all(rotate));
    let outcomes = rotated.await.map_err(late)??;
    let mut answer = Answer { rotated: 0, failed: Vec::new(), new_kid };
    let mut first = None;
    for outcome in outcomes {
        match outcome.result {
            Ok(_) => answer.rotated += 1,
            Err(error) => {
                tracing::warn!(partition = outcome.partition, %error, "a partition did not rotate its key");
                answer.failed.push(outcome.partition);
                first = first.or(Some(error));
            }
        }
    }
    match first {
        Some(error) if answer.rotated == 0 && error.is_retryable() => Err(error.into()),
        Some(error) if answer.rotated == 0 => Err(Refusal::from(error).with_status(StatusCode::BAD_REQUEST)),
        _ => Ok(Json(answer)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answer, Harness, PARTITIONS, json};
    use axum::http::{Method, StatusCode};
    use serde_json::Value;

    async fn rotate(api: &Harness, body: Value) -> Answer {
        api.send(Method::POST, "/v1/admin/rotate-waitpoint-secret", Some(body)).await
    }

    #[tokio::test]
    async fn a_token_of_the_key_before_verifies_until_its_grace_is_over() {
        let api = Harness::new().await;
        let (waiting, late) = (api.suspended("mail").await, api.suspended("mail").await);
        let body = json!({"new_kid": "k2", "new_secret_hex": "cd".repeat(32), "grace_ms": 500});
        let answer = rotate(&api, body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body, json!({"rotated": PARTITIONS, "failed": [], "new_kid": "k2"}));
        assert_eq!(rotate(&api, body).await.body, answer.body, "a repeat");
        api.advance(500);
        assert_eq!(api.post(&waiting.id, "signal", waiting.signal("go")).await.status, StatusCode::OK);
        api.advance(1);
        let answer = api.post(&late.id, "signal", late.signal("go")).await;
        assert_eq!(answer.body["code"], "token_expired");
        assert_eq!(
            api.suspended("mail").await.signal("x")["waitpoint_token"].as_str().unwrap().split(':').next(),
            Some("k2")
        );
    }

    #[tokio::test]
    async fn only_one_rotation_runs_at_a_time() {
        let api = Harness::new().await;
        let body = json!({"new_kid": "k2", "new_secret_hex": "cd".repeat(32)});
        let (first, second) = tokio::join!(rotate(&api, body.clone()), rotate(&api, body.clone()));
        assert_eq!(first.status, StatusCode::OK, "{}", first.body);
        assert_eq!((second.status, second.body["retryable"].as_bool()), (StatusCode::TOO_MANY_REQUESTS, Some(true)));
        assert_eq!(rotate(&api, body).await.status, StatusCode::OK, "afterwards there is room");
    }

    #[tokio::test]
    async fn a_key_that_no_partition_takes_is_refused() {
        let api = Harness::new().await;
        api.seed().await;
        for (kid, secret, grace, code) in [
            ("a:b", "ab", 1, "invalid_kid"),
            ("k2", "abc", 1, "invalid_secret_hex"),
            ("k2", "", 1, "invalid_secret_hex"),
            ("k2", "ab", 1_u64 << 53, "invalid_grace_ms"),
            ("k1", "ab", 1, "rotation_conflict"),
        ] {
            let answer = rotate(&api, json!({"new_kid": kid, "new_secret_hex": secret, "grace_ms": grace})).await;
            assert_eq!((answer.status, answer.body["code"].as_str()), (StatusCode::BAD_REQUEST, Some(code)));
        }
    }
}
