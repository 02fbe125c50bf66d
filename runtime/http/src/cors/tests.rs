//! Which pages may call, and what preflights are told.

use super::*;
use crate::testing::{Answer, Harness};

async fn with_origins(entries: &[&str]) -> Harness {
    let cors = Cors::parse(entries.iter().copied()).unwrap();
    Harness::with(|options| options.cors = cors).await
}

async fn preflight(api: &Harness, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-custom"),
    ];
    api.send_with(Method::OPTIONS, "/v1/executions", &headers, None).await
}

#[test]
fn a_list_without_a_valid_origin_is_refused() {
    for entries in [&["example.org"][..], &["https://example.org/path", "ftp//x"], &["null"], &["https://"]] {
        let invalid = entries.iter().map(|entry| (*entry).to_owned()).collect();
        assert_eq!(Cors::parse(entries.iter().copied()), Err(CorsError::OnlyInvalid(invalid)));
    }
    let error = Cors::parse(["nonsense"]).unwrap_err();
    assert_eq!(error.to_string(), "none of the CORS origins is valid: nonsense");
}

#[test]
fn valid_origins_are_kept_beside_invalid_ones() {
    let origins =
        |entries: &[&'static str]| Cors::Origins(entries.iter().map(|entry| HeaderValue::from_static(entry)).collect());
    assert_eq!(Cors::parse([]), Ok(Cors::Off));
    assert_eq!(Cors::parse(["", " "]), Ok(Cors::Off));
    assert_eq!(Cors::parse(["https://a.org", "*"]), Ok(Cors::Any));
    assert_eq!(
        Cors::parse(["https://a.org", "nonsense", " http://localhost:3000 "]),
        Ok(origins(&["https://a.org", "http://localhost:3000"]))
    );
}

#[tokio::test]
async fn without_a_rule_no_origin_is_named() {
    let api = Harness::new().await;
    let answer = api.send_with(Method::GET, "/v1/time", &[("origin", "https://a.org")], None).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(preflight(&api, "https://a.org").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_listed_origin_may_call_with_three_methods() {
    let api = with_origins(&["https://a.org", "https://b.org"]).await;
    let answer = preflight(&api, "https://b.org").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://b.org"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST,PUT"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
    assert_eq!(answer.header("vary"), Some("origin"));
    let answer = api.send_with(Method::GET, "/v1/time", &[("origin", "https://b.org")], None).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://b.org"));
}

#[tokio::test]
async fn an_unlisted_origin_is_told_nothing() {
    let api = with_origins(&["https://a.org"]).await;
    let answer = preflight(&api, "https://evil.org").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("access-control-allow-methods"), None);
    let answer = api.send_with(Method::GET, "/v1/time", &[("origin", "https://evil.org")], None).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("vary"), Some("origin"));
}

#[tokio::test]
async fn a_star_lets_everybody_call_with_anything() {
    let api = with_origins(&["*"]).await;
    let answer = preflight(&api, "https://any.org").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type,x-custom"));
}

#[tokio::test]
async fn a_preflight_needs_no_token_and_allows_to_send_one() {
    let api = Harness::with(|options| {
        options.cors = Cors::parse(["https://a.org"]).unwrap();
        options.token = Some(crate::secret::Secret::try_new("hunter2").unwrap());
    })
    .await;
    let answer = preflight(&api, "https://a.org").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type,authorization"));
    let answer = api.send_with(Method::GET, "/v1/time", &[("origin", "https://a.org")], None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.org"), "the page sees why");
}
