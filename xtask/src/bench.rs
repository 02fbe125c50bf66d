//! `cargo xtask bench`: one benchmark by name, the release binary `bench` of the tests crate.

use crate::failure::{Failure, Outcome};
use crate::workspace::Workspace;

/// Every benchmark, in the order in which `bench all` runs them.
const NAMES: [&str; 5] = ["throughput", "latency", "idle", "timers", "waiting"];

/// Builds the benchmarks and runs the named one, or with `all` each in turn, with the
/// arguments that follow the name.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let Some((name, rest)) = args.split_first() else {
        return Err(Failure::usage(&format!("bench NAME|all [args...]; names: {}", NAMES.join(", "))));
    };
    workspace.build_release()?;
    if name != "all" {
        return workspace.run_release("bench", args);
    }
    for name in NAMES {
        let mut args = vec![name.to_owned()];
        args.extend_from_slice(rest);
        workspace.run_release("bench", &args)?;
    }
    Ok(())
}
