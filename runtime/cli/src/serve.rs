//! `leasehold serve`: the arguments; the binary carries it out.

use clap::Args;
use std::path::PathBuf;

/// Serve a store over HTTP until told to stop.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// The configuration; `cluster.toml` if it is there, otherwise the defaults.
    #[arg(long, env = "LEASEHOLD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print the address as JSON.
    #[arg(long)]
    pub json: bool,
}
