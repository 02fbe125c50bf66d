//! Who may call: whoever presents the token.

use crate::error::Refusal;
use crate::secret::Secret;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const SCHEME: &[u8] = b"Bearer ";

/// Lets a request through that presents the token.
pub(crate) async fn require(State(token): State<Secret>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(AUTHORIZATION).map(axum::http::HeaderValue::as_bytes);
    match presented.and_then(bearer) {
        Some(presented) if token.matches(presented) => next.run(request).await,
        _ => Refusal::unauthorized().into_response(),
    }
}

/// What follows the scheme, whose letters may be of either case.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[test]
    fn the_scheme_is_read_in_either_case() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer abc"), Some(&b"abc"[..]));
        for other in ["Basic abc", "Bearer", "Bear", "", "abc"] {
            assert_eq!(bearer(other.as_bytes()), None, "{other}");
        }
    }

    #[tokio::test]
    async fn every_route_but_healthz_asks_for_the_token() {
        let api = Harness::with(|options| options.token = Some(Secret::try_new("hunter2").unwrap())).await;
        for (method, path) in [
            (Method::GET, "/v1/executions?partition=0"),
            (Method::POST, "/v1/executions"),
            (Method::GET, "/v1/capabilities"),
            (Method::GET, "/v1/no-such-route"),
            (Method::DELETE, "/v1/executions"),
        ] {
            let answer = api.send(method.clone(), path, None).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.body, json!({"error": "missing or invalid Authorization header"}));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        assert_eq!(api.send(Method::GET, "/healthz", None).await.status, StatusCode::OK);
    }

    #[tokio::test]
    async fn the_right_token_opens_and_a_wrong_one_does_not() {
        let api = Harness::with(|options| options.token = Some(Secret::try_new("hunter2").unwrap())).await;
        for (header, status) in [
            ("Bearer hunter2", StatusCode::OK),
            ("bearer hunter2", StatusCode::OK),
            ("Bearer hunter3", StatusCode::UNAUTHORIZED),
            ("Bearer ", StatusCode::UNAUTHORIZED),
            ("Basic hunter2", StatusCode::UNAUTHORIZED),
            ("hunter2", StatusCode::UNAUTHORIZED),
        ] {
            let answer = api.send_with(Method::GET, "/v1/time", &[("authorization", header)], None).await;
            assert_eq!(answer.status, status, "{header}");
        }
    }
}
