//! `leasehold demo`: the arguments; the binary carries it out.

use clap::Args;
use std::fmt;
use std::path::PathBuf;

/// Watch thousands of executions being submitted, retried, crashed and
/// recovered.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// How many executions; at least 100, so that every kind of them occurs.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub executions: u32,
    /// The database file, kept afterwards; otherwise a temporary one.
    #[arg(long)]
    pub path: Option<PathBuf>,
    /// Print the closing account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A worker process of the demo.
#[derive(Args, Clone)]
pub struct DemoWorkerArgs {
    /// The demo's server.
    #[arg(long)]
    pub url: String,
    /// The server's bearer token.
    #[arg(long, env = "LEASEHOLD_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// What the demo tells its worker beyond that; the demo reads it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<String>,
}

impl fmt::Debug for DemoWorkerArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoWorkerArgs").field("url", &self.url).field("rest", &self.rest).finish_non_exhaustive()
    }
}
