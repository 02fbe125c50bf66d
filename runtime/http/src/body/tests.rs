//! Limits, content types and bad JSON.

use super::is_json;
use crate::testing::{Answer, Harness, json};
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};

async fn post(api: &Harness, path: &str, content_type: Option<&str>, body: impl Into<Body>) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri(path);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    api.raw(request.body(body.into()).unwrap()).await
}

#[test]
fn json_is_known_by_its_content_type() {
    for (content_type, known) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("Application/JSON", true),
        ("application/problem+json", true),
        ("text/json", false),
        ("application/jsonp", false),
        ("text/plain", false),
        ("", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        assert_eq!(is_json(&headers), known, "{content_type:?}");
    }
    assert!(!is_json(&HeaderMap::new()));
}

#[tokio::test]
async fn bad_json_says_what_is_wrong_with_it() {
    let api = Harness::new().await;
    for (body, status, error) in [
        ("{", StatusCode::BAD_REQUEST, "invalid JSON: Failed to parse the request body as JSON"),
        ("", StatusCode::BAD_REQUEST, "invalid JSON: Failed to parse the request body as JSON"),
        (r#"{"namespace": "#, StatusCode::BAD_REQUEST, "invalid JSON: Failed to parse the request body as JSON"),
        ("[]", StatusCode::UNPROCESSABLE_ENTITY, "invalid JSON: Failed to deserialize"),
        (r#"{"namespace": 5}"#, StatusCode::UNPROCESSABLE_ENTITY, "invalid JSON: Failed to deserialize"),
        (r#"{"namespace": "tenant"}"#, StatusCode::UNPROCESSABLE_ENTITY, "invalid JSON: Failed to deserialize"),
    ] {
        let answer = post(&api, "/v1/executions", Some("application/json"), body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.error().starts_with(error), "{body}: {}", answer.body);
    }
    assert!(api.all().await.is_empty());
}

#[tokio::test]
async fn another_content_type_is_not_read() {
    let api = Harness::new().await;
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let answer = post(&api, "/v1/executions", content_type, "{}").await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(answer.error(), "invalid JSON: the content type is not application/json");
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused_announced_or_not() {
    let api = Harness::new().await;
    let id = api.create("mail").await;
    let large = json!({"reason": "x".repeat(64 << 10)}).to_string();
    let path = format!("/v1/executions/{id}/cancel");
    let refused = json!({
        "error": "payload_too_large", "limit_bytes": 65536, "route": "/v1/executions/{execution_id}/cancel",
    });

    let answer = post(&api, &path, Some("application/json"), large.clone()).await;
    assert_eq!((answer.status, answer.body), (StatusCode::PAYLOAD_TOO_LARGE, refused.clone()));

    let request = Request::builder()
        .method(Method::POST)
        .uri(&path)
        .header("content-type", "application/json")
        .header("content-length", (64 << 10) + 1)
        .body(Body::empty())
        .unwrap();
    let answer = api.raw(request).await;
    assert_eq!((answer.status, answer.body), (StatusCode::PAYLOAD_TOO_LARGE, refused));
    assert_eq!(api.state(&id).await, "waiting");
}

#[tokio::test]
async fn an_empty_body_stands_for_a_request_only_where_it_may() {
    let api = Harness::new().await;
    let id = api.create("mail").await;
    let answer = post(&api, &format!("/v1/executions/{id}/promote"), None, "").await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!("NotDelayedCleaned")));
    let answer = post(&api, &format!("/v1/executions/{id}/cancel"), None, "").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(api.state(&id).await, "waiting");
}
