//! Which server is asked, and how its answers are shown.

use crate::error::CliError;
use crate::http_client::HttpClient;
use clap::Args;
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;
use std::fmt;

/// Where a server listens unless it is told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:7420";

/// Which server is asked, and how its answers are shown.
#[derive(Args, Clone)]
pub struct Connection {
    /// The server.
    #[arg(long, env = "LEASEHOLD_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// The server's bearer token.
    #[arg(long, env = "LEASEHOLD_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Print JSON for programs.
    #[arg(long)]
    pub json: bool,
}

impl Connection {
    /// A client of the server.
    ///
    /// # Errors
    ///
    /// An address or a token that cannot be used.
    pub fn client(&self) -> Result<HttpClient, CliError> {
        Ok(HttpClient::new(&self.url, self.token.as_deref())?)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("url", &self.url).field("json", &self.json).finish_non_exhaustive()
    }
}

/// Reads an execution id, refusing it as the server would.
pub(crate) fn execution_id(text: &str) -> Result<ExecutionId, CliError> {
    text.parse().map_err(|error| EngineError::invalid_input(format!("execution_id: {error}")).into())
}
