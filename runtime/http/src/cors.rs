//! Which pages of other origins may call.
//!
//! A browser asks before it sends what a form could not send (the preflight)
//! and shows an answer to a page only if the answer names the page's origin.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use thiserror::Error;

/// How long a browser may remember a preflight's answer, in seconds.
const PREFLIGHT_SECONDS: &str = "600";

/// Which pages of other origins may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// None.
    #[default]
    Off,
    /// All, with any method and header.
    Any,
    /// Those of these origins, with GET, POST and PUT.
    Origins(Arc<[HeaderValue]>),
}

/// Why a list of origins cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CorsError {
    /// No entry is an origin, so that nobody could call although somebody was
    /// meant to.
    #[error("none of the CORS origins is valid: {}", .0.join(", "))]
    OnlyInvalid(Vec<String>),
}

impl Cors {
    /// Reads a list of origins, `scheme://host[:port]` each; `*` stands for
    /// all. Entries that are no origin are left out with a warning; no entries
    /// mean [`Cors::Off`].
    ///
    /// # Errors
    ///
    /// [`CorsError::OnlyInvalid`].
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, CorsError> {
        let mut origins = Vec::new();
        let mut invalid = Vec::new();
        for entry in entries.into_iter().map(str::trim).filter(|entry| !entry.is_empty()) {
            if entry == "*" {
                return Ok(Self::Any);
            }
            match origin(entry) {
                Some(origin) => origins.push(origin),
                None => invalid.push(entry.to_owned()),
            }
        }
        match (origins.is_empty(), invalid.is_empty()) {
            (true, true) => Ok(Self::Off),
            (true, false) => Err(CorsError::OnlyInvalid(invalid)),
            (false, _) => {
                for entry in invalid {
                    tracing::warn!(entry, "left out a CORS origin that is not of the form scheme://host[:port]");
                }
                Ok(Self::Origins(origins.into()))
            }
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Off => false,
            Self::Any => true,
            Self::Origins(origins) => origins.contains(origin),
        }
    }

    fn allow_origin(&self, origin: &HeaderValue) -> HeaderValue {
        if *self == Self::Any { HeaderValue::from_static("*") } else { origin.clone() }
    }
}

/// An origin as browsers spell it: no path, not even a slash.
fn origin(entry: &str) -> Option<HeaderValue> {
    let (scheme, host) = entry.split_once("://")?;
    let uri: Uri = entry.parse().ok()?;
    let spelled = uri.scheme_str()? == scheme && uri.authority()?.as_str() == host && !host.contains('@');
    if spelled { HeaderValue::from_str(&entry.to_ascii_lowercase()).ok() } else { None }
}

/// The rule and whether callers present a token, in a header of their own.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub cors: Cors,
    pub token: bool,
}

/// Answers preflights and names the origin on every other answer.
pub(crate) async fn apply(State(policy): State<Policy>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(ORIGIN).cloned() else { return vary(&policy, next.run(request).await) };
    let asks = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let allowed = policy.cors.allows(&origin);
    if asks {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if allowed {
            permit(&policy, &request, &origin, &mut response);
        }
        return vary(&policy, response);
    }
    let mut response = next.run(request).await;
    if allowed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, policy.cors.allow_origin(&origin));
    }
    vary(&policy, response)
}

fn permit(policy: &Policy, request: &Request, origin: &HeaderValue, response: &mut Response) {
    let asked = |name| request.headers().get(name).cloned();
    let (methods, headers) = match (&policy.cors, policy.token) {
        (Cors::Any, _) => (asked(ACCESS_CONTROL_REQUEST_METHOD), asked(ACCESS_CONTROL_REQUEST_HEADERS)),
        (_, true) => (
            Some(HeaderValue::from_static("GET,POST,PUT")),
            Some(HeaderValue::from_static("content-type,authorization")),
        ),
        (_, false) => (Some(HeaderValue::from_static("GET,POST,PUT")), Some(HeaderValue::from_static("content-type"))),
    };
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, policy.cors.allow_origin(origin));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS));
    for (name, value) in [(ACCESS_CONTROL_ALLOW_METHODS, methods), (ACCESS_CONTROL_ALLOW_HEADERS, headers)] {
        if let Some(value) = value {
            answer.insert(name, value);
        }
    }
}

/// Tells caches that the answer depends on who asks.
fn vary(policy: &Policy, mut response: Response) -> Response {
    if let Cors::Origins(_) = policy.cors {
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    }
    response
}

#[cfg(test)]
mod tests;
