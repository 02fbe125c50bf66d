//! A small client of a server's HTTP face.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use leasehold_core::ids::ExecutionId;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use thiserror::Error;

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take; the longest wait a server grants is shorter.
const ANSWER_MAX: Duration = Duration::from_secs(90);

/// How large an answer may be: larger than any a server gives.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A client of a server's HTTP face. Clones share their connections.
#[derive(Clone)]
pub struct HttpClient {
    base: String,
    authorization: Option<HeaderValue>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("base", &self.base).finish_non_exhaustive()
    }
}

/// What a request was answered with, other than a refusal.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub bytes: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError::Garbled`].
    pub fn json(&self) -> Result<Value, ClientError> {
        serde_json::from_slice(&self.bytes).map_err(|error| ClientError::Garbled(error.to_string()))
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.status == StatusCode::NO_CONTENT
    }
}

/// A server's refusal.
#[derive(Clone, Debug, Error)]
#[error("{}", self.text())]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The envelope as it came.
    pub envelope: Value,
}

impl Refusal {
    /// The refusal's first word to programs.
    pub fn error(&self) -> &str {
        self.envelope["error"].as_str().unwrap_or_default()
    }

    /// The engine's own code; empty when the engine was not asked.
    pub fn code(&self) -> &str {
        self.envelope["code"].as_str().unwrap_or_default()
    }

    /// The refusal for people.
    fn text(&self) -> String {
        let error = self.error();
        let message = self.envelope["message"].as_str().unwrap_or_default();
        // The first word may be a code with a detail, which the message has in
        // more words.
        let in_full = |(code, detail)| message.starts_with(code) && message.ends_with(detail);
        let says_all = message.starts_with(error) || error.split_once(": ").is_some_and(in_full);
        let mut text = match (error.is_empty(), message.is_empty() || says_all) {
            (true, _) => format!("the server answered {}", self.status),
            (false, true) => if message.is_empty() { error } else { message }.to_owned(),
            (false, false) => format!("{error}: {message}"),
        };
        if let Some(limit) = self.envelope["limit_bytes"].as_u64() {
            text = format!("{text}: the body may have {limit} bytes");
        }
        if self.status == StatusCode::UNAUTHORIZED {
            text.push_str(" (give the server's token with --token or LEASEHOLD_TOKEN)");
        }
        text
    }
}

/// Why a request has no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address cannot be used.
    #[error("{url} is no address of a server: {reason}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The token cannot be sent.
    #[error("the token is empty or holds a character that no header can carry")]
    Token,
    /// Nobody answers.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// The answer took too long.
    #[error("{url} did not answer in {} s", ANSWER_MAX.as_secs())]
    Late {
        /// The address.
        url: String,
    },
    /// The server refused.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The answer makes no sense.
    #[error("the answer is not one of a leasehold server: {0}")]
    Garbled(String),
}

impl ClientError {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        if let Self::Refused(refusal) = self { Some(refusal) } else { None }
    }
}

impl HttpClient {
    /// A client of the server at `http://host[:port]`.
    ///
    /// # Errors
    ///
    /// [`ClientError::Url`] and [`ClientError::Token`].
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, ClientError> {
        let base = url.trim_end_matches('/').to_owned();
        let wrong = |reason| ClientError::Url { url: url.to_owned(), reason };
        let uri: Uri = base.parse().map_err(|_| wrong("it is not of the form http://host[:port]"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("https is not spoken here; put a proxy in between")),
            _ => return Err(wrong("it does not begin with http://")),
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) || uri.query().is_some() {
            return Err(wrong("it is not of the form http://host[:port]"));
        }
        let authorization = token.map(bearer).transpose()?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_MAX));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { base, authorization, client })
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Asks for something; `path` begins with a slash and is encoded already.
    ///
    /// # Errors
    ///
    /// The server's refusal, or why there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.send(Method::GET, path, None).await
    }

    /// Posts JSON.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Puts JSON.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.send(Method::PUT, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let wrong = |_| ClientError::Url { url: format!("{}{path}", self.base), reason: "it cannot be sent" };
        let request = request.body(Full::new(body)).map_err(wrong)?;
        match tokio::time::timeout(ANSWER_MAX, self.answer(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Late { url: self.base.clone() }),
        }
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let response = self.client.request(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(|error| self.unreachable(&*error))?.to_bytes();
        if status.is_success() {
            return Ok(Answer { status, bytes });
        }
        let envelope = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Err(ClientError::Refused(Box::new(Refusal { status, envelope })))
    }

    /// The innermost cause says it: "connection refused".
    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ClientError {
        let mut cause = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        ClientError::Unreachable { url: self.base.clone(), reason: cause.to_string() }
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ClientError::Token);
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Bytes as requests and answers carry them.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes of an answer.
///
/// # Errors
///
/// [`ClientError::Garbled`].
pub fn from_base64(text: &str) -> Result<Bytes, ClientError> {
    STANDARD.decode(text).map(Bytes::from).map_err(|error| ClientError::Garbled(error.to_string()))
}

/// A text as a segment of a path or a part of a query.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
        encoded
    })
}

/// The path of an execution, with what follows it: `""` or `"/cancel"`.
pub fn execution_path(id: ExecutionId, rest: &str) -> String {
    format!("/v1/executions/{}{rest}", encoded(&id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_addresses_of_servers_are_taken() {
        for url in ["http://localhost", "http://127.0.0.1:7420/", "http://[::1]:1"] {
            assert!(HttpClient::new(url, None).is_ok(), "{url}");
        }
        for url in ["", "localhost:7420", "https://host", "http://", "http://u@h", "http://h/?q", "ftp://h", "a b"] {
            assert!(matches!(HttpClient::new(url, None), Err(ClientError::Url { .. })), "{url}");
        }
        for token in ["", "a b", "ö"] {
            assert!(matches!(HttpClient::new("http://h", Some(token)), Err(ClientError::Token)), "{token}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let client = HttpClient::new("http://h", Some("hunter2")).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
    }

    #[test]
    fn what_a_path_cannot_hold_is_encoded() {
        assert_eq!(encoded("{fp:0}:a-b/ü"), "%7Bfp%3A0%7D%3Aa-b%2F%C3%BC");
        assert_eq!(from_base64(&base64(b"\0x")).unwrap(), &b"\0x"[..]);
    }

    #[test]
    fn a_refusal_says_each_thing_once() {
        for (envelope, text) in [
            (json!({"error": "a: b", "message": "a: b"}), "a: b"),
            (json!({"error": "a", "message": "a: why"}), "a: why"),
            (json!({"error": "state_conflict", "message": "x: why"}), "state_conflict: x: why"),
            (json!({"error": "payload_too_large", "limit_bytes": 7}), "payload_too_large: the body may have 7 bytes"),
            (
                json!({"error": "invalid_input: too many", "message": "invalid_input: an argument was refused: too many"}),
                "invalid_input: an argument was refused: too many",
            ),
            (json!(null), "the server answered 409 Conflict"),
        ] {
            assert_eq!(Refusal { status: StatusCode::CONFLICT, envelope }.to_string(), text);
        }
    }
}
