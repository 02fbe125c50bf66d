//! What stands behind the question mark.

use crate::error::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The query, read into `T`.
#[derive(Clone, Debug)]
pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Refusal::invalid_input(format!("query: {}", rejection.body_text()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_query_that_does_not_parse_is_invalid_input() {
        let api = Harness::new().await;
        for query in ["", "?partition=x", "?partition=65536", "?partition=0&limit=-1", "?partition=0&partition=1"] {
            let answer = api.send(Method::GET, &format!("/v1/executions{query}"), None).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
            assert!(answer.error().starts_with("invalid_input: query: "), "{}", answer.body);
        }
    }
}
