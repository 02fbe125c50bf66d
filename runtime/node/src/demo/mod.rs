//! `leasehold demo`: a node, fleets, and a remote worker that is killed, all
//! at work on thousands of executions, and an account of every one of them.
//!
//! The node is embedded and keeps one SQLite file. Most executions are done by
//! fleets of this process; those of the lane `render` by a process of its own
//! that reaches the node over HTTP and is killed while it holds leases. At the
//! end the store is read from end to end, and what it says of each execution
//! is compared with what should have become of it.

mod audit;
mod check;
mod child;
mod fleets;
mod live;
mod remote;
mod report;
mod stage;
mod workload;

pub use remote::worker;

use leasehold::{Node, SqliteOptions};
use leasehold_backend::{Entropy, SystemEntropy};
use leasehold_cli::{DemoArgs, output};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long the end of the node may take.
const GRACE: Duration = Duration::from_secs(5);

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Runs the demo: success when every execution is accounted for.
pub async fn run(args: DemoArgs) -> ExitCode {
    match perform(&args).await {
        Ok(code) => code,
        Err(error) => {
            output::note(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn perform(args: &DemoArgs) -> Result<ExitCode, Box<dyn Error>> {
    let entropy = SystemEntropy::default();
    let file = args.path.clone().unwrap_or_else(|| fresh_file(&entropy));
    if file.exists() {
        return Err(format!("{} is there already; the demo needs a fresh file", file.display()).into());
    }
    fleets::hush_expected_panics();
    let node = Node::builder().sqlite_with(SqliteOptions::new(&file)).open().await?;
    output::note(&format!("The store is {}", file.display()));

    let mut ended = tokio::select! {
        ended = stage::play(&node, args.executions) => Some(ended),
        stopped = tokio::signal::ctrl_c() => {
            stopped?;
            None
        }
    };
    if let Err(error) = node.drain(GRACE).await {
        output::note(&format!("the node did not come to rest: {error}"));
    }
    node.shutdown().await;

    let Some(played) = ended.take().transpose()? else {
        output::note(&format!("\nstopped; what was under way stands in {}", file.display()));
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let acknowledged = played.acknowledged;
    if args.json {
        output::data(&report::json(&played.audit, &file, acknowledged, played.elapsed)?);
    } else {
        output::data(&format!("\n{}", report::table(&played.audit, acknowledged)));
        output::data(&format!("It took {:.1} s. {}", played.elapsed.as_secs_f64(), further(&file)));
    }
    Ok(if played.audit.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A file in the system's directory for temporary files. It is left there, to
/// be looked at.
fn fresh_file(entropy: &dyn Entropy) -> PathBuf {
    std::env::temp_dir().join(format!("leasehold-demo-{:08x}.db", entropy.next_u64() >> 32))
}

/// How to look at what is left.
fn further(file: &Path) -> String {
    let file = file.display();
    let program = std::env::args().next().unwrap_or_else(|| "leasehold".to_owned());
    format!(
        "To look further, serve the file and ask:\n  \
         LEASEHOLD_STORE__PATH={file} {program} serve\n  \
         {program} list --limit 20\n  \
         {program} inspect ID\n\
         or read it as it is:\n  \
         sqlite3 {file} \"SELECT lane, kind, public_state, count(*) FROM executions GROUP BY 1, 2, 3\""
    )
}
