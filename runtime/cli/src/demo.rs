//! `leasehold demo`: the arguments; the binary carries it out.

use clap::Args;
use std::fmt;
use std::path::PathBuf;

/// Watch thousands of executions being submitted, retried, crashed and
/// recovered.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// How many executions.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..))]
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
    /// What its random numbers start from.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// What the demo tells its worker beyond that.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<String>,
}

impl fmt::Debug for DemoWorkerArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoWorkerArgs")
            .field("url", &self.url)
            .field("seed", &self.seed)
            .field("rest", &self.rest)
            .finish_non_exhaustive()
    }
}
