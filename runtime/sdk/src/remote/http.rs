//! Calls to a server, as a worker makes them.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take; the longest wait a server grants is shorter.
const ANSWER_MAX: Duration = Duration::from_secs(90);

/// How large an answer may be: larger than any a server gives.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Why a call to a server came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteError {
    /// The address or the token cannot be used.
    Address(&'static str),
    /// Nobody answered, or not in time.
    Unreachable(String),
    /// The server refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The engine's code; the server's own word when the engine was not
        /// asked.
        code: String,
        /// For people.
        message: String,
    },
    /// The answer is none of such a server.
    Garbled(String),
}

impl RemoteError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::Address(_) | Self::Garbled(_) => false,
        }
    }

    /// The code of a refusal; empty without one.
    pub fn code(&self) -> &str {
        if let Self::Refused { code, .. } = self { code } else { "" }
    }

    /// Whether the lease is gone for good.
    pub(super) fn means_lost(&self) -> bool {
        self.means_ended() || matches!(self.code(), "stale_lease" | "lease_expired" | "lease_revoked")
    }

    /// Whether the execution runs no more.
    pub(super) fn means_ended(&self) -> bool {
        matches!(self.code(), "execution_not_active" | "execution_not_found")
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(reason) => f.write_str(reason),
            Self::Unreachable(reason) => write!(f, "the server cannot be reached: {reason}"),
            Self::Refused { status, code, message } => write!(f, "the server answered {status} {code}: {message}"),
            Self::Garbled(reason) => write!(f, "the answer is not one of a leasehold server: {reason}"),
        }
    }
}

impl std::error::Error for RemoteError {}

/// A server's HTTP face.
pub(super) struct Connection {
    base: String,
    authorization: Option<HeaderValue>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Connection {
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, RemoteError> {
        let base = url.trim_end_matches('/').to_owned();
        let wrong = RemoteError::Address("the address is not of the form http://host[:port]");
        let uri: Uri = base.parse().map_err(|_| wrong.clone())?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() || uri.query().is_some() {
            return Err(wrong);
        }
        let authorization = token.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| RemoteError::Address("the token holds a character that no header can carry"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_MAX));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { base, authorization: authorization.transpose()?, client })
    }

    pub async fn get(&self, path: &str) -> Result<Value, RemoteError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, RemoteError> {
        self.send(Method::POST, path, body.to_string().into()).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Value, RemoteError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(body));
        let request = request.map_err(|_| RemoteError::Address("the path cannot be sent"))?;
        match tokio::time::timeout(ANSWER_MAX, self.answer(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(RemoteError::Unreachable("it did not answer in time".to_owned())),
        }
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Value, RemoteError> {
        let response = self.client.request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(|error| unreachable(&*error))?.to_bytes();
        if status.is_success() {
            let bytes = if bytes.is_empty() { &b"null"[..] } else { &bytes[..] };
            return serde_json::from_slice(bytes).map_err(|error| RemoteError::Garbled(error.to_string()));
        }
        let envelope: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let text = |field: &str| envelope[field].as_str();
        let code = text("code").or_else(|| text("error")).unwrap_or_default().to_owned();
        let message = text("message").or_else(|| text("error")).unwrap_or_default().to_owned();
        Err(RemoteError::Refused { status: status.as_u16(), code, message })
    }
}

/// The innermost cause says it: "connection refused".
fn unreachable(error: &(dyn std::error::Error + 'static)) -> RemoteError {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    RemoteError::Unreachable(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_tokens_that_can_be_used_are_taken() {
        assert!(Connection::new("http://127.0.0.1:7420/", Some("secret")).is_ok());
        for (url, token) in [("127.0.0.1:7420", None), ("https://host", None), ("http://h/?q", None)] {
            assert!(matches!(Connection::new(url, token), Err(RemoteError::Address(_))), "{url}");
        }
        assert!(matches!(Connection::new("http://h", Some("a\nb")), Err(RemoteError::Address(_))));
    }

    #[test]
    fn what_the_server_cannot_answer_now_is_worth_a_repeat_and_a_lost_lease_is_not() {
        let refused =
            |status, code: &str| RemoteError::Refused { status, code: code.to_owned(), message: String::new() };
        assert!(RemoteError::Unreachable(String::new()).is_retryable());
        assert!(refused(503, "outcome_unknown").is_retryable() && refused(429, "resource_exhausted").is_retryable());
        assert!(!refused(409, "stale_lease").is_retryable() && refused(409, "stale_lease").means_lost());
        assert!(refused(409, "execution_not_active").means_ended() && !refused(409, "stale_lease").means_ended());
    }
}
