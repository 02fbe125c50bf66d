//! `POST /v1/admin/seed-waitpoint-secret`: install the first key of waitpoint
//! tokens in every partition.

use super::secret;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_contract::{SecretHex, SeedHmacSecret};
use leasehold_core::token::Seeded;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    kid: String,
    #[serde(deserialize_with = "secret")]
    secret_hex: SecretHex,
}

impl Requested for Request {}

#[derive(Clone, Debug, Serialize)]
pub(crate) enum Answer {
    Seeded { kid: String },
    AlreadySeeded { kid: String, same_secret: bool },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Answer>), Refusal> {
    let _alone = api.keys_alone()?;
    let seed = SeedHmacSecret { kid: request.kid, secret_hex: request.secret_hex };
    Ok(match api.engine.seed_waitpoint_hmac_secret(seed).await? {
        Seeded::Seeded { kid } => (StatusCode::CREATED, Json(Answer::Seeded { kid: kid.to_string() })),
        Seeded::AlreadySeeded { kid, same_secret } => {
            (StatusCode::OK, Json(Answer::AlreadySeeded { kid: kid.to_string(), same_secret }))
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};
    use serde_json::Value;

    async fn seed(api: &Harness, kid: &str, secret: &str) -> (StatusCode, Value) {
        let body = json!({"kid": kid, "secret_hex": secret});
        let answer = api.send(Method::POST, "/v1/admin/seed-waitpoint-secret", Some(body)).await;
        (answer.status, answer.body)
    }

    #[tokio::test]
    async fn the_first_key_is_installed_once() {
        let api = Harness::new().await;
        let secret = "ab".repeat(32);
        assert_eq!(seed(&api, "k1", &secret).await, (StatusCode::CREATED, json!({"Seeded": {"kid": "k1"}})));
        let again = json!({"AlreadySeeded": {"kid": "k1", "same_secret": true}});
        assert_eq!(seed(&api, "k1", &secret.to_uppercase()).await, (StatusCode::OK, again));
        let other = json!({"AlreadySeeded": {"kid": "k1", "same_secret": false}});
        assert_eq!(seed(&api, "k1", &"cd".repeat(32)).await, (StatusCode::OK, other));
        assert_eq!(seed(&api, "k2", &secret).await.0, StatusCode::BAD_REQUEST, "rotate is for that");
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_is_refused() {
        let api = Harness::new().await;
        let secret = "ab".repeat(32);
        for (kid, secret, error) in [
            ("k1", "ab", "invalid_input: secret_hex must be 64 hex characters (256-bit secret)"),
            ("k1", &"xy".repeat(32), "invalid_input: secret_hex must be 64 hex characters (256-bit secret)"),
            ("", &secret, "invalid_input: kid must be non-empty"),
            ("a:b", &secret, "invalid_kid: the key id is malformed"),
        ] {
            let (status, body) = seed(&api, kid, secret).await;
            assert_eq!((status, body["error"].as_str()), (StatusCode::BAD_REQUEST, Some(error)));
        }
    }
}
