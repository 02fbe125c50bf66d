//! `GET /v1/executions/{execution_id}/result`: the result as it was given,
//! byte by byte; 404 when none is stored.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<impl IntoResponse, Refusal> {
    match api.engine.get_execution_result(execution_id).await? {
        // Whatever a worker stored must not be run by a browser that guesses.
        Some(bytes) => Ok(([(CONTENT_TYPE, "application/octet-stream"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], bytes)),
        None => Err(Refusal::plain(StatusCode::NOT_FOUND, "result_not_found")),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, base64, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_result_comes_back_as_it_was_given() {
        let api = Harness::new().await;
        let large = vec![0xfe_u8; 100_000];
        for result in [&b""[..], b"\0\xffdone", &large] {
            let id = api.create("mail").await;
            let lease = api.lease(&id).await;
            let body = json!({"handle": lease["handle"], "result_payload": base64(result)});
            assert_eq!(api.post(&id, "complete", body).await.status, StatusCode::OK);
            let answer = api.send(Method::GET, &format!("/v1/executions/{id}/result"), None).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
            assert_eq!(answer.bytes, result);
        }
    }

    #[tokio::test]
    async fn without_a_result_there_is_none() {
        let api = Harness::new().await;
        let ended = api.completed("mail").await;
        let waiting = api.create("mail").await;
        for id in [ended.as_str(), &waiting, Harness::UNKNOWN] {
            let answer = api.send(Method::GET, &format!("/v1/executions/{id}/result"), None).await;
            assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "result_not_found"));
        }
    }
}
