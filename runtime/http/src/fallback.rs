//! Answers to what no endpoint takes.

use crate::error::Refusal;
use axum::http::{Method, StatusCode, Uri};

/// There is no such route.
pub(crate) async fn no_route(uri: Uri) -> Refusal {
    let shown: String = uri.path().chars().take(256).collect();
    Refusal::plain(StatusCode::NOT_FOUND, format!("no route: {shown}"))
}

/// The route does not take this method.
pub(crate) async fn no_method(method: Method) -> Refusal {
    Refusal::plain(StatusCode::METHOD_NOT_ALLOWED, format!("method not allowed: {method}"))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn an_unknown_route_and_a_wrong_method_are_told_in_the_envelope() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, "/v2/executions", None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.body, json!({"error": "no route: /v2/executions"}));

        let answer = api.send(Method::DELETE, "/v1/executions", None).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.body, json!({"error": "method not allowed: DELETE"}));
        assert_eq!(answer.header("allow"), Some("GET,HEAD,POST"));
    }
}
