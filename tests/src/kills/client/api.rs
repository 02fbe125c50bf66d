//! Calls that are repeated until the node has answered.

use crate::kills::Fallible;
use crate::kills::acks::{Ack, AckLog};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A call that takes longer has an unknown outcome.
const CALL_MAX: Duration = Duration::from_secs(30);

/// The pause before a repeat, unless the node has another port sooner.
const PAUSE: Duration = Duration::from_millis(20);

/// What the node has to say about a call.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It was carried out.
    Done(Value),
    /// It was refused, which is noted.
    Refused,
}

/// How one try went.
enum Try {
    Answered(StatusCode, Value),
    /// Nothing was sent.
    Unreachable,
    /// The connection broke, or the time was up.
    Unknown,
}

/// The way to whichever node lives.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    port: watch::Receiver<u16>,
    log: Arc<AckLog>,
    /// When the last try was sent.
    sent: i64,
}

impl Api {
    /// Calls the node on the port last told.
    pub fn new(port: watch::Receiver<u16>, log: Arc<AckLog>) -> Self {
        let client = Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
        let sent = log.now();
        Self { client, port, log, sent }
    }

    /// Notes something; it is in the file when this returns.
    pub fn note(&self, ack: &Ack) {
        self.log.write(self.sent, ack);
    }

    /// Posts until there is an answer. Every try without one is noted as
    /// unknown, every refusal as refused.
    pub async fn post(&mut self, op: &str, path: &str, body: &Value) -> Answer {
        self.call(op, Method::POST, path, Bytes::from(body.to_string())).await
    }

    /// Reads until there is an answer.
    pub async fn get(&mut self, op: &str, path: &str) -> Answer {
        self.call(op, Method::GET, path, Bytes::new()).await
    }

    async fn call(&mut self, op: &str, method: Method, path: &str, body: Bytes) -> Answer {
        loop {
            self.sent = self.log.now();
            match self.try_once(method.clone(), path, body.clone()).await {
                Ok(Try::Answered(status, answer)) if status.is_success() => return Answer::Done(answer),
                Ok(Try::Answered(status, answer)) => {
                    if let Some(refused) = self.refusal(op, status, &answer) {
                        return refused;
                    }
                }
                Ok(Try::Unreachable) => {
                    self.note(&Ack::Retried { op: op.to_owned(), code: "unreachable".to_owned() });
                }
                Ok(Try::Unknown) => self.note(&Ack::Unknown { op: op.to_owned() }),
                Err(error) => {
                    self.note(&Ack::Fault { op: op.to_owned(), detail: error.to_string() });
                    return Answer::Refused;
                }
            }
            self.pause().await;
        }
    }

    /// Waits a moment, or until there is another node.
    pub async fn pause(&mut self) {
        let port = *self.port.borrow_and_update();
        // Either way it is time for the next try.
        let _changed = timeout(PAUSE, self.port.wait_for(|now| *now != port)).await;
    }

    async fn try_once(&self, method: Method, path: &str, body: Bytes) -> Fallible<Try> {
        let port = *self.port.borrow();
        let path = path.replace('{', "%7B").replace('}', "%7D");
        let request = Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{port}{path}"))
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| failed(&error))?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|_| Try::Unknown)?;
            Ok((status, body.to_bytes()))
        };
        let mut moved = self.port.clone();
        let answered = tokio::select! {
            answered = timeout(CALL_MAX, exchange) => answered,
            // Whoever is asked now has nothing to say of what the other did.
            _ = moved.wait_for(|now| *now != port) => return Ok(Try::Unknown),
        };
        match answered {
            Ok(Ok((status, body))) => Ok(Try::Answered(status, serde_json::from_slice(&body)?)),
            Ok(Err(failed)) => Ok(failed),
            Err(_) => Ok(Try::Unknown),
        }
    }

    /// What a refusal means; none where the call has to be repeated.
    fn refusal(&self, op: &str, status: StatusCode, answer: &Value) -> Option<Answer> {
        if may_come_back(answer) {
            self.note(&come_back(op, answer));
            return None;
        }
        let (code, op) = (code_of(answer), op.to_owned());
        if status.is_server_error() {
            self.note(&Ack::Fault { op, detail: format!("{status} {answer}") });
        } else {
            self.note(&Ack::Refused { op, code });
        }
        Some(Answer::Refused)
    }
}

fn code_of(answer: &Value) -> String {
    answer["code"].as_str().or(answer["error"].as_str()).unwrap_or("?").to_owned()
}

/// Whether a call that was refused so may be repeated: where the answer says
/// so, and where the call was dropped because nobody had decided it in time.
pub fn may_come_back(answer: &Value) -> bool {
    answer["retryable"] == true || answer["code"] == "timeout"
}

/// What an answer means that asks to be called again.
pub fn come_back(op: &str, answer: &Value) -> Ack {
    let (op, code) = (op.to_owned(), code_of(answer));
    if code == "outcome_unknown" { Ack::Unknown { op } } else { Ack::Retried { op, code } }
}

fn failed(error: &Error) -> Try {
    if error.is_connect() { Try::Unreachable } else { Try::Unknown }
}
