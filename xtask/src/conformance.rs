//! `cargo xtask conformance`: which operations are proved on which targets, and which error
//! codes their cases reach.
//!
//! Three sources are laid side by side:
//!
//! * what **should** run: the tests that nextest lists in the `conformance` test of
//!   `leasehold-tests`, named `<target>::<concern>::<operation>::<case>` ([`listing`]);
//! * what **did** run: a line of JSON for each finished case, in files below the directory that
//!   `LEASEHOLD_CONFORMANCE_DIR` names ([`records`]);
//! * which codes must be **reached**: `tests/conformance/expected_codes.txt` ([`codes`]).
//!
//! A case that is listed and has no record is skipped, and so is one that another target has
//! and this one lacks. A skip or an expected code that a target never reaches fails the
//! command ([`report`]). `docs/operations.md` is the same account as a page; `--write` renews it,
//! and a run whose account is another one than the page's fails.

mod codes;
mod listing;
mod records;
mod report;

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{During, Failure, Outcome};
use crate::workspace::{Workspace, execute, output};
use crate::{services, tools};

use report::Report;

const DIRECTORY_VARIABLE: &str = "LEASEHOLD_CONFORMANCE_DIR";
const EXPECTED_CODES: &str = "tests/conformance/expected_codes.txt";
const PAGE: &str = "docs/operations.md";
const PACKAGE_SELECTION: [&str; 4] = ["--package", "leasehold-tests", "--test", "conformance"];
const WORKSPACE_SELECTION: [&str; 3] = ["--workspace", "--filterset", "binary_id(leasehold-tests::conformance)"];

/// One conformance case on one target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The operation it is about.
    pub operation: String,
    /// What it ran against: a store, or a store behind a public face.
    pub target: String,
    /// What it shows.
    pub name: String,
}

/// Runs the cases and prints the report, as a table or with `--json` as a line per operation
/// and target; with `--write` the page of the documentation is written anew.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let (mut json, mut write) = (false, false);
    for flag in args {
        match flag.as_str() {
            "--json" => json = true,
            "--write" => write = true,
            _ => return Err(Failure::usage("conformance [--json] [--write]")),
        }
    }
    tools::NEXTEST.install_if_missing(workspace)?;
    services::install()?;
    workspace.services().start()?;
    let mut command = workspace.cargo(&["nextest", "run"]);
    command.args(PACKAGE_SELECTION);
    record(workspace, &mut command)?;
    // A failed case has no record: the report names it, so it is printed before the failure.
    let tests = execute(&mut command);
    let report = assemble(workspace, &PACKAGE_SELECTION)?;
    report.print(json);
    tests.and(report.verdict())?;
    let page = workspace.root().join(PAGE);
    if write { fs::write(&page, report.page()).during(page.display()) } else { check_page(workspace, &report) }
}

/// Empties the directory of records and makes a test run write into it.
pub fn record(workspace: &Workspace, command: &mut Command) -> Outcome {
    let directory = directory(workspace);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).during(directory.display());
        }
        _ => {}
    }
    fs::create_dir_all(&directory).during(directory.display())?;
    command.env(DIRECTORY_VARIABLE, directory);
    Ok(())
}

/// Reports on the records that a run of all the workspace's tests has left.
pub fn check_workspace(workspace: &Workspace) -> Outcome {
    let report = assemble(workspace, &WORKSPACE_SELECTION)?;
    report.print(false);
    report.verdict()?;
    check_page(workspace, &report)
}

fn check_page(workspace: &Workspace, report: &Report) -> Outcome {
    let page = workspace.root().join(PAGE);
    if fs::read_to_string(&page).during(page.display())? == report.page() {
        return Ok(());
    }
    Err(Failure::new(format!("{PAGE} is not what ran; `cargo xtask conformance --write` renews it")))
}

fn directory(workspace: &Workspace) -> PathBuf {
    workspace.target().join("conformance")
}

/// Lists with the same package selection that the tests were built with: another one may
/// unify features differently and build everything again.
fn assemble(workspace: &Workspace, selection: &[&str]) -> Outcome<Report> {
    let mut command = workspace.cargo(&["nextest", "list", "--message-format", "json"]);
    command.args(selection);
    let listed = listing::parse(&output(&mut command)?)?;
    let recorded = records::read(&directory(workspace))?;
    let path = workspace.root().join(EXPECTED_CODES);
    let expected = codes::parse(&fs::read_to_string(&path).during(path.display())?)?;
    Ok(Report::new(&listed, &recorded, &expected))
}
