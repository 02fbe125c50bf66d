//! `cargo xtask bench`: one benchmark by name, the release binary `bench` of the tests crate.

use leasehold_services::{Kind, Services};

use crate::failure::{During, Failure, Outcome};
use crate::workspace::Workspace;

/// Every benchmark, in the order in which `bench all` runs them.
const NAMES: [&str; 11] = [
    "throughput",
    "latency",
    "idle",
    "timers",
    "history",
    "inbox",
    "flow",
    "cancel",
    "suspend",
    "suspended",
    "waiting",
];

/// Those that measure what not every store has, with the stores that do.
const NOT_EVERYWHERE: [(&str, &[&str]); 3] =
    [("inbox", &["sqlite", "postgres"]), ("suspended", &["sqlite"]), ("waiting", &["sqlite"])];

/// Builds the benchmarks and runs the named one, or with `all` each in turn that the store
/// has, with the arguments that follow the name. A bench on a server starts its own.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let Some((name, rest)) = args.split_first() else {
        return Err(Failure::usage(&format!("bench NAME|all [args...]; names: {}", NAMES.join(", "))));
    };
    let backend = backend(rest);
    let server = match backend {
        "postgres" => Some(Kind::Postgres),
        "redis" | "valkey" => Some(Kind::Valkey),
        _ => None,
    };
    if let Some(server) = server {
        Services::install(&[server]).during("services")?;
    }
    workspace.build_release()?;
    if name != "all" {
        return workspace.run_release("bench", args);
    }
    for name in NAMES {
        let missing = |(other, stores): &(&str, &[&str])| *other == name && !stores.contains(&backend);
        if NOT_EVERYWHERE.iter().any(missing) {
            continue;
        }
        let mut args = vec![name.to_owned()];
        args.extend_from_slice(rest);
        workspace.run_release("bench", &args)?;
    }
    Ok(())
}

/// The store that the arguments name.
fn backend(args: &[String]) -> &str {
    let joined = args.iter().find_map(|word| word.strip_prefix("--backend="));
    let apart = || Some(args.get(args.iter().position(|word| word == "--backend")? + 1)?.as_str());
    joined.or_else(apart).unwrap_or("sqlite")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_found_in_both_spellings() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(backend(&words("--json --backend postgres --rounds 2")), "postgres");
        assert_eq!(backend(&words("--backend=redis")), "redis");
        assert_eq!(backend(&words("--json --backend")), "sqlite");
    }
}
