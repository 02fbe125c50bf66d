//! Why a subcommand did not do what it was asked.

use crate::http_client::ClientError;
use crate::output;
use leasehold_core::error::EngineError;
use serde_json::{Value, json};
use thiserror::Error;

/// Why a subcommand did not do what it was asked.
#[derive(Debug, Error)]
pub enum CliError {
    /// The server refused it, or cannot be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It was refused before it was sent, by the server's own rules.
    #[error("{0}")]
    Refused(Box<EngineError>),
    /// A file could not be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The execution that was waited for ended otherwise than well.
    #[error("{execution_id} ended as {public_state}")]
    EndedOtherwise {
        /// The execution.
        execution_id: String,
        /// How it ended.
        public_state: String,
    },
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl CliError {
    /// The envelope programs read.
    fn envelope(&self) -> Value {
        match self {
            Self::Client(ClientError::Refused(refusal)) => refusal.envelope.clone(),
            Self::Refused(error) => {
                let message = error.to_string();
                // As the server puts it, so that it is the same wherever it was refused.
                let name = match &**error {
                    EngineError::Validation { kind, detail } => format!("{}: {detail}", kind.code()),
                    _ => message.clone(),
                };
                json!({"error": name, "code": error.code(), "message": message})
            }
            other => json!({"error": other.to_string()}),
        }
    }

    /// Shows it on the standard error output.
    pub fn show(&self, json: bool) {
        if json {
            output::note(&self.envelope().to_string());
        } else {
            output::note(&format!("error: {}", output::printable(&self.to_string())));
        }
    }
}
