//! `cargo xtask mutants`: do the tests notice when the code is wrong?
//!
//! Each `tests/mutants/*.patch` breaks one rule and names, in lines above its first hunk, the
//! commands that must fail for it:
//!
//! ```text
//! # name: head comparison skipped
//! # expect: two owners both commit; the takeover tests see the second one succeed
//! # run: nextest run --package leasehold-core -E 'test(takeover)'
//! # run: run --release --package leasehold-tests --bin sim -- --seeds 50
//! # limit_s: 300
//! --- a/backends/sqlite/src/commit.rs
//! +++ b/backends/sqlite/src/commit.rs
//! ```
//!
//! A `# run:` line holds arguments of cargo: `nextest run`, `test`, `run`, or `xtask sim` and
//! `xtask kills`. All of a mutant's commands must fail; a single one that passes lets it live.
//! `# limit_s:` (900 if absent) ends a command that a mutant makes hang, which counts as
//! noticed.
//!
//! The work happens in a git worktree of `HEAD` below `target/mutants`, with a build directory
//! of its own that is kept, so that a mutant costs an incremental build. Before the first
//! mutant every command must pass on the unchanged sources: a test that fails anyway notices
//! nothing. A mutant that does not apply or does not build proves nothing either and fails the
//! tool, like one that lives.

mod patch;
mod trial;
mod words;
mod worktree;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::failure::{During, Failure, Outcome};
use crate::steps::{seconds, timed};
use crate::workspace::{Workspace, output};
use crate::{services, table, tools};

use patch::Mutant;
use trial::{Trial, Verdict};
use worktree::Worktree;

const DIRECTORY: &str = "tests/mutants";

/// Tries the mutants, or those whose file name contains one of the given words; with `--list`
/// only names them.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let (flags, filters): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| arg.starts_with('-'));
    let list = match flags[..] {
        [] => false,
        [flag] if flag == "--list" => true,
        _ => return Err(Failure::usage("mutants [--list] [NAME...]")),
    };
    let mut mutants = read_all(workspace)?;
    mutants.retain(|mutant| filters.is_empty() || filters.iter().any(|filter| mutant.file.contains(filter.as_str())));
    if mutants.is_empty() {
        return Err(Failure::new(format!("no such mutant in {DIRECTORY}")));
    }
    if list {
        let cells = |mutant: &Mutant| vec![mutant.file.clone(), mutant.name.clone()];
        let rows: Vec<_> = mutants.iter().map(cells).collect();
        println!("{}", table::render(&["mutant", "what it breaks"], &rows));
        return Ok(());
    }
    tools::NEXTEST.install_if_missing(workspace)?;
    warn_of_changes(workspace)?;
    services::install()?;
    workspace.services().start()?;
    let worktree = Worktree::open(workspace)?;
    baseline(&worktree, &mutants)?;
    try_all(&worktree, &mutants)
}

fn read_all(workspace: &Workspace) -> Outcome<Vec<Mutant>> {
    let directory = workspace.root().join(DIRECTORY);
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&directory).during(directory.display())? {
        let path = entry.during(directory.display())?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| Mutant::read(path)).collect()
}

fn warn_of_changes(workspace: &Workspace) -> Outcome {
    let changes = output(&mut workspace.git(&["status", "--porcelain"]))?;
    if !changes.is_empty() {
        eprintln!("mutants are tried on HEAD; uncommitted changes are left out");
    }
    Ok(())
}

fn baseline(worktree: &Worktree, mutants: &[Mutant]) -> Outcome {
    let trials: BTreeSet<&Trial> = mutants.iter().flat_map(|mutant| &mutant.trials).collect();
    for trial in trials {
        let (verdict, took) = timed(|| trial.run(worktree, "baseline"));
        let said = match verdict? {
            Verdict::Lived(_) => {
                println!("baseline  {}  {trial}", seconds(took));
                continue;
            }
            Verdict::Caught(how) | Verdict::Broken(how) => how,
        };
        return Err(Failure::new(format!(
            "`{trial}` fails without any mutant: {said} (see {})",
            worktree.log("baseline").display()
        )));
    }
    Ok(())
}

fn try_all(worktree: &Worktree, mutants: &[Mutant]) -> Outcome {
    let mut rows = Vec::new();
    let mut failed = 0;
    for mutant in mutants {
        let (verdict, took) = timed(|| attempt(worktree, mutant));
        let verdict = verdict?;
        let (word, how) = match &verdict {
            Verdict::Caught(how) => ("caught", how.clone()),
            Verdict::Lived(passed) => ("LIVED", format!("`{passed}` passes")),
            Verdict::Broken(how) => ("BROKEN", how.clone()),
        };
        failed += usize::from(!matches!(verdict, Verdict::Caught(_)));
        println!("{word}  {}  {}", mutant.file, seconds(took));
        rows.push(vec![mutant.file.clone(), word.into(), seconds(took), how, mutant.name.clone()]);
    }
    let header = ["mutant", "verdict", "time", "how", "what it breaks"];
    println!("\n{}", table::render(&header, &rows));
    println!("{} mutants, {} caught", mutants.len(), mutants.len() - failed);
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("{failed} mutants were not caught; see {}", worktree.logs().display())))
}

/// Applies the mutant, runs its commands until one passes, and restores the sources.
fn attempt(worktree: &Worktree, mutant: &Mutant) -> Outcome<Verdict> {
    worktree.restore()?;
    if let Err(failure) = worktree.apply(&mutant.path) {
        return Ok(Verdict::Broken(format!("does not apply: {failure}")));
    }
    let mut reports = Vec::new();
    for trial in &mutant.trials {
        match trial.run(worktree, &mutant.file)? {
            Verdict::Caught(how) => reports.push(how),
            other => {
                worktree.restore()?;
                return Ok(other);
            }
        }
    }
    worktree.restore()?;
    Ok(Verdict::Caught(reports.join(", ")))
}
