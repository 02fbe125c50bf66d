//! `leasehold migrate`: the arguments; the binary carries it out.

use clap::Args;
use std::path::PathBuf;

/// Bring the configured store up to date with this program.
///
/// That is the schema of a SQLite or PostgreSQL store, and the function library
/// of a Valkey or Redis store. `serve` does the same when it starts; this is
/// for those who want it done, or only told, beforehand.
#[derive(Args, Clone, Debug)]
pub struct MigrateArgs {
    /// The configuration; `cluster.toml` if it is there, otherwise the defaults.
    #[arg(long, env = "LEASEHOLD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Only tell what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON for programs.
    #[arg(long)]
    pub json: bool,
}
