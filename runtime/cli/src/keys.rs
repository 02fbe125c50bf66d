//! `leasehold rotate-key`, `seed-key` and `keys`: the keys that waitpoint
//! tokens are minted with. Secrets are read from a file, never from the
//! command line, where other users of the machine would see them.

use crate::connection::Connection;
use crate::error::CliError;
use crate::http_client::ClientError;
use crate::inspect::plain;
use crate::table::Table;
use crate::{output, payload, time};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Make another key mint waitpoint tokens.
#[derive(Args, Debug)]
pub struct RotateKeyArgs {
    /// What the key is called.
    pub kid: String,
    /// A file with its secret in hexadecimal digits; `-` is the standard input.
    #[arg(long)]
    pub secret_file: PathBuf,
    /// How long tokens of the key before stay good; as the server is
    /// configured unless given.
    #[arg(long)]
    pub grace_ms: Option<u64>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Install the first key that mints waitpoint tokens.
#[derive(Args, Debug)]
pub struct SeedKeyArgs {
    /// What the key is called.
    pub kid: String,
    /// A file with its secret in 64 hexadecimal digits; `-` is the standard
    /// input.
    #[arg(long)]
    pub secret_file: PathBuf,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Show which keys mint and verify waitpoint tokens.
#[derive(Args, Debug)]
pub struct KeysArgs {
    /// The partition that is asked.
    #[arg(long, default_value_t = 0)]
    pub partition: u16,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

fn secret(file: &std::path::Path) -> Result<String, CliError> {
    let bytes = payload::read(None, Some(file))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| ClientError::Garbled("the secret is no text".to_owned()))?;
    Ok(text.trim().to_owned())
}

impl RotateKeyArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let secret = secret(&self.secret_file)?;
        let body = json!({"new_kid": self.kid, "new_secret_hex": secret, "grace_ms": self.grace_ms});
        let client = self.connection.client()?;
        let answer = client.post("/v1/admin/rotate-waitpoint-secret", &body).await?.json()?;
        output::outcome(&answer, &["new_kid", "rotated"], self.connection.json);
        let failed = answer["failed"].as_array().map_or(0, Vec::len);
        if failed > 0 && !self.connection.json {
            output::note(&format!("{failed} partitions failed; repeat the command"));
        }
        Ok(())
    }
}

impl SeedKeyArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let body = json!({"kid": self.kid, "secret_hex": secret(&self.secret_file)?});
        let answer = self.connection.client()?.post("/v1/admin/seed-waitpoint-secret", &body).await?.json()?;
        if self.connection.json {
            output::json(&answer);
        } else if answer["AlreadySeeded"]["same_secret"] == false {
            output::data(&format!("{} is installed with another secret, which stays", self.kid));
        } else {
            output::data(&self.kid);
        }
        Ok(())
    }
}

impl KeysArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let path = format!("/v1/admin/waitpoint-kids?partition={}", self.partition);
        let answer = self.connection.client()?.get(&path).await?.json()?;
        if self.connection.json {
            output::json(&answer);
            return Ok(());
        }
        let mut table = Table::new(["KEY", "MINTS", "VERIFIES UNTIL"]);
        if let Some(current) = answer["current_kid"].as_str() {
            table.row([current, "yes", ""]);
        }
        for key in answer["verifying"].as_array().into_iter().flatten() {
            table.row([plain(&key["kid"]).as_str(), "no", &time::shown(&key["expires_at_ms"])]);
        }
        output::data(&table.to_string());
        Ok(())
    }
}
