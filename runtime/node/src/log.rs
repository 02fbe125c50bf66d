//! Logging to the standard error output. Only the binary installs it.

use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Logs what a filter lets through from now on.
///
/// # Errors
///
/// What is wrong with the filter.
pub fn init(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log.filter: {error}"))?;
    let logging =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(stderr().is_terminal()).with_writer(stderr);
    logging.try_init().map_err(|error| error.to_string())
}
