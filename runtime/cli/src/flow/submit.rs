//! `leasehold flow submit`: a whole flow from a file.
//!
//! The file is the body of `POST /v1/flows`, with less to write: `namespace`
//! and each member's `lane_id` are `default` unless they say otherwise, a
//! member may give its input as `payload` in plain JSON, and the flow's id is
//! made here, so that the command can be repeated with `--flow-id`.

use super::flow_id;
use crate::connection::Connection;
use crate::error::CliError;
use crate::http_client::base64;
use crate::{output, payload};
use clap::Args;
use leasehold_core::error::EngineError;
use leasehold_core::ids::FlowId;
use serde_json::{Value, json};
use std::path::PathBuf;

/// How large a file may be: what a server takes at most.
const FILE_BYTES_MAX: usize = 32 << 20;

/// Submit a whole flow from a file.
#[derive(Args, Debug)]
pub struct SubmitFlowArgs {
    /// The declaration, as JSON; `-` is the standard input.
    pub file: PathBuf,
    /// The flow's id; a repeat with the same one finds the first flow.
    #[arg(long)]
    pub flow_id: Option<String>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

fn refuse(detail: impl Into<String>) -> CliError {
    EngineError::invalid_input(detail).into()
}

/// The body of the request.
fn request(text: &[u8], id: Option<FlowId>) -> Result<Value, CliError> {
    let mut flow: Value = serde_json::from_slice(text).map_err(|error| refuse(format!("file: no JSON: {error}")))?;
    let fields = flow.as_object_mut().ok_or_else(|| refuse("file: not an object"))?;
    if let Some(id) = id {
        fields.insert("flow_id".to_owned(), id.to_string().into());
    } else if !fields.contains_key("flow_id") {
        fields.insert("flow_id".to_owned(), FlowId::new().to_string().into());
    }
    fields.entry("namespace").or_insert_with(|| "default".into());
    let members = fields.entry("members").or_insert_with(|| json!([]));
    let members = members.as_array_mut().ok_or_else(|| refuse("members: not a list"))?;
    for (index, member) in members.iter_mut().enumerate() {
        let member = member.as_object_mut().ok_or_else(|| refuse(format!("members[{index}]: not an object")))?;
        member.entry("lane_id").or_insert_with(|| "default".into());
        if let Some(payload) = member.remove("payload")
            && member.insert("input_payload".to_owned(), base64(payload.to_string().as_bytes()).into()).is_some()
        {
            return Err(refuse(format!("members[{index}]: payload and input_payload: give one of them")));
        }
    }
    Ok(flow)
}

impl SubmitFlowArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = self.flow_id.as_deref().map(flow_id).transpose()?;
        let text = payload::file_bytes(&self.file, FILE_BYTES_MAX)?;
        if text.len() > FILE_BYTES_MAX {
            return Err(refuse(format!("file over {FILE_BYTES_MAX} bytes")));
        }
        let body = request(&text, id)?;
        let flow = body["flow_id"].as_str().unwrap_or_default().to_owned();
        let answer = self.connection.client()?.post("/v1/flows", &body).await;
        let answer = answer.inspect_err(|_| {
            if !self.connection.json {
                output::note(&format!("to try again, add --flow-id {flow}"));
            }
        })?;
        let answer = answer.json()?;
        if self.connection.json {
            output::json(&answer);
            return Ok(());
        }
        let (outcome, told) = match &answer["Submitted"] {
            Value::Null => ("already submitted", &answer["AlreadySatisfied"]),
            told => ("submitted", told),
        };
        output::data(&flow);
        output::note(&format!("{outcome}: {} members, {} dependencies", told["node_count"], told["edge_count"]));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_leave_out_what_is_usual() {
        let id = FlowId::new();
        let text =
            br#"{"flow_kind": "deploy", "members": [{"name": "a", "execution_kind": "x", "payload": {"n": 1}}]}"#;
        let body = request(text, Some(id)).unwrap();
        assert_eq!((&body["flow_id"], &body["namespace"]), (&json!(id.to_string()), &json!("default")));
        let member = &body["members"][0];
        assert_eq!((&member["lane_id"], &member["payload"]), (&json!("default"), &json!(null)));
        assert_eq!(member["input_payload"], base64(br#"{"n":1}"#));
        let own = br#"{"flow_id": "x", "namespace": "n", "members": [{"lane_id": "l", "input_payload": "YQ=="}]}"#;
        let body = request(own, None).unwrap();
        assert_eq!((&body["flow_id"], &body["namespace"]), (&json!("x"), &json!("n")));
        assert_eq!(body["members"][0], json!({"lane_id": "l", "input_payload": "YQ=="}));
    }

    #[test]
    fn what_is_no_declaration_is_refused_before_it_is_sent() {
        for (text, detail) in [
            ("x", "file: no JSON"),
            ("[]", "file: not an object"),
            (r#"{"members": 1}"#, "members: not a list"),
            (r#"{"members": [1]}"#, "members[0]: not an object"),
            (r#"{"members": [{"payload": 1, "input_payload": ""}]}"#, "members[0]: payload and input_payload"),
        ] {
            let refused = request(text.as_bytes(), None).unwrap_err().to_string();
            assert!(refused.contains(detail), "{refused}");
        }
    }
}
