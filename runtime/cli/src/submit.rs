//! `leasehold submit`: a new execution, and its end if that is waited for.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::{Answer, ClientError, HttpClient, base64, execution_path};
use crate::{output, payload};
use clap::Args;
use hyper::StatusCode;
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;
use leasehold_core::policy::ExecutionPolicy;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// How long one request waits for the end; then it is asked again.
const WAIT_MS: u64 = 30_000;

/// Submit an execution.
#[derive(Args, Debug)]
pub struct SubmitArgs {
    /// Which handler runs it.
    pub kind: String,
    /// What the handler is given, as text.
    #[arg(long, conflicts_with = "payload_file", allow_hyphen_values = true)]
    pub payload: Option<String>,
    /// A file with what the handler is given; `-` is the standard input.
    #[arg(long)]
    pub payload_file: Option<PathBuf>,
    /// The lane it waits in.
    #[arg(long, default_value = "default")]
    pub lane: String,
    /// Whom it belongs to.
    #[arg(long, default_value = "default")]
    pub namespace: String,
    /// What goes first within a lane: 0 to 9000.
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    pub priority: i32,
    /// A tag, `namespace.name=value`; may be repeated.
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,
    /// How long it rests before it may start.
    #[arg(long)]
    pub delay_ms: Option<u64>,
    /// How it is retried, timed out and routed, as JSON.
    #[arg(long, value_name = "JSON")]
    pub policy: Option<String>,
    /// Makes repeats safe: a second submission with the same key finds the first.
    #[arg(long)]
    pub idempotency_key: Option<String>,
    /// Wait until it has ended; anything but completed ends with exit code 1.
    #[arg(long)]
    pub wait: bool,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl SubmitArgs {
    /// The request, as far as it does not depend on the server's clock.
    fn request(&self) -> Result<Value, CliError> {
        let payload = payload::read(self.payload.as_deref(), self.payload_file.as_deref())?;
        let mut request = json!({
            "namespace": self.namespace,
            "lane_id": self.lane,
            "execution_kind": self.kind,
            "input_payload": base64(&payload),
            "priority": self.priority,
            "creator_identity": "cli",
            "tags": tags(&self.tags)?,
        });
        if let Some(key) = &self.idempotency_key {
            request["idempotency_key"] = key.as_str().into();
        }
        if let Some(policy) = &self.policy {
            ExecutionPolicy::from_json(policy.as_bytes())?;
            request["policy"] =
                serde_json::from_str(policy).map_err(|error| ClientError::Garbled(error.to_string()))?;
        }
        Ok(request)
    }

    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let mut request = self.request()?;
        let client = self.connection.client()?;
        if let Some(delay_ms) = self.delay_ms {
            request["delay_until"] = later(&client, delay_ms).await?.into();
        }
        let answer = client.post("/v1/executions", &request).await?.json()?;
        let (outcome, told) = match (&answer["Created"], &answer["Duplicate"]) {
            (Value::Null, told) => ("duplicate", told),
            (told, _) => ("created", told),
        };
        let text = told["execution_id"].as_str().unwrap_or_default();
        let id: ExecutionId = execution_id(text).map_err(|_| ClientError::Garbled(answer.to_string()))?;
        let mut shown = json!({"execution_id": text, "outcome": outcome});
        if let Some(state) = told["public_state"].as_str() {
            shown["public_state"] = state.into();
        }
        if self.wait {
            if !self.connection.json {
                output::note(&format!("{outcome} {text}, waiting for its end"));
            }
            wait(&client, id, &mut shown).await?;
        }
        self.show(id, &shown)
    }

    fn show(&self, id: ExecutionId, shown: &Value) -> Result<(), CliError> {
        if self.connection.json {
            output::json(shown);
        } else if let Some(text) = shown["result_text"].as_str() {
            output::data(&output::printable(text));
        } else {
            output::data(&id.to_string());
        }
        let state = shown["public_state"].as_str().unwrap_or_default();
        if self.wait && state != "completed" {
            return Err(CliError::EndedOtherwise { execution_id: id.to_string(), public_state: state.to_owned() });
        }
        Ok(())
    }
}

/// The tags of `key=value` arguments. What a key and a value may be is the
/// server's to say.
fn tags(given: &[String]) -> Result<Map<String, Value>, CliError> {
    let mut tags = Map::new();
    for tag in given {
        let Some((key, value)) = tag.split_once('=') else {
            return Err(EngineError::invalid_input(format!("tag: {tag} is not of the form key=value")).into());
        };
        if tags.insert(key.to_owned(), value.into()).is_some() {
            return Err(EngineError::invalid_input(format!("tag: {key} is given twice")).into());
        }
    }
    Ok(tags)
}

/// The moment `delay_ms` from now, by the server's clock.
async fn later(client: &HttpClient, delay_ms: u64) -> Result<i64, CliError> {
    let time = client.get("/v1/time").await?.json()?;
    let now = time["server_time_ms"].as_i64().ok_or_else(|| ClientError::Garbled(time.to_string()))?;
    Ok(now.saturating_add(i64::try_from(delay_ms).unwrap_or(i64::MAX)))
}

/// Waits for the end and notes it, with the result.
async fn wait(client: &HttpClient, id: ExecutionId, shown: &mut Value) -> Result<(), CliError> {
    let path = execution_path(id, &format!("/wait?timeout_ms={WAIT_MS}"));
    let ended = loop {
        let answer = client.get(&path).await?;
        if !answer.is_empty() {
            break answer.json()?;
        }
    };
    shown["public_state"] = ended["public_state"].clone();
    if let Some(answer) = result(client, id).await? {
        shown["result"] = base64(&answer.bytes).into();
        if let Ok(text) = std::str::from_utf8(&answer.bytes) {
            shown["result_text"] = text.into();
        }
    }
    Ok(())
}

/// The stored result; none when there is none.
pub(crate) async fn result(client: &HttpClient, id: ExecutionId) -> Result<Option<Answer>, CliError> {
    match client.get(&execution_path(id, "/result")).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.refusal().is_some_and(|refusal| refusal.status == StatusCode::NOT_FOUND) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
