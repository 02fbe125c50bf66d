//! Rules for Rust files: module doc, length, module names, sleeps in tests.

use super::{Finding, holds_word, numbered, waives};

const MAX_LINES: usize = 500;
/// How far down the reason for a long file may stand.
const WAIVER_LINES: usize = 20;
/// Names that say nothing about what is in a module.
const EMPTY_NAMES: [&str; 5] = ["common", "helpers", "misc", "util", "utils"];
const SLEEP: &str = "sleep(";

/// Checks one file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::file("does not begin with a module doc (`//!`)"));
    }
    findings.extend(length(text));
    findings.extend(names(path, text));
    if path.split('/').any(|part| part == "tests") {
        findings.extend(sleeps(text));
    }
    findings
}

fn length(text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let waived = text.lines().take(WAIVER_LINES).any(|line| waives(line, "long"));
    (lines > MAX_LINES && !waived).then(|| {
        Finding::file(format!("{lines} lines, more than {MAX_LINES}: split it, or say `// tidy: long because ...`"))
    })
}

fn names(path: &str, text: &str) -> Vec<Finding> {
    let says_nothing = |name: &str| EMPTY_NAMES.contains(&name);
    let message = |name: &str| format!("a module named `{name}` says nothing about its content");
    let parts = path.trim_end_matches(".rs").split('/');
    let mut findings: Vec<Finding> =
        parts.filter(|part| says_nothing(part)).map(|part| Finding::file(message(part))).collect();
    for (number, line) in numbered(text) {
        let inline = line.trim().strip_suffix('{').and_then(module_name);
        if let Some(name) = inline.filter(|name| says_nothing(name)) {
            findings.push(Finding::line(number, message(name)));
        }
    }
    findings
}

/// The name in `mod name`, whatever its visibility.
fn module_name(declaration: &str) -> Option<&str> {
    let mut words = declaration.split_whitespace().rev();
    let name = words.next()?;
    (words.next()? == "mod").then_some(name)
}

fn sleeps(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut above = "";
    for (number, line) in numbered(text) {
        let comment = line.trim_start().starts_with("//");
        let waived = waives(line, "sleep") || waives(above, "sleep");
        if !comment && !waived && holds_word(line, SLEEP) {
            findings.push(Finding::line(
                number,
                "a test that sleeps: wait on a signal, or say `// tidy: sleep because ...`",
            ));
        }
        above = line;
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_file_begins_with_its_doc() {
        assert!(check("a/src/lib.rs", "//! Doc.\n").is_empty());
        assert_eq!(lines(&check("a/src/lib.rs", "use std::fmt;\n//! Doc.\n")), [0]);
        assert_eq!(lines(&check("a/src/lib.rs", "")), [0]);
    }

    #[test]
    fn a_long_file_needs_a_reason_near_its_top() {
        let body = "//! Doc.\n".repeat(MAX_LINES);
        assert!(length(&body).is_none());
        let long = body + "//! One more.\n";
        assert!(length(&long).is_some());
        let reason = "// tidy: long because it is one table\n";
        assert!(length(&format!("//! Doc.\n{reason}{long}")).is_none());
        assert!(length(&format!("{long}{reason}")).is_some());
    }

    #[test]
    fn modules_have_names_that_say_something() {
        assert_eq!(names("a/tests/common/mod.rs", "").len(), 1);
        assert_eq!(names("a/src/utils.rs", "").len(), 1);
        assert!(names("a/src/commons.rs", "mod common_cause {\n").is_empty());
        assert_eq!(lines(&names("a/src/b.rs", "//! Doc.\npub(crate) mod util {\n")), [2]);
    }

    #[test]
    fn a_test_does_not_sleep_without_a_reason() {
        let call = "    thread::sleep(ms);\n";
        assert_eq!(lines(&sleeps(&format!("//! Doc.\n{call}"))), [2]);
        let reason = "// tidy: sleep because the child owns no clock\n";
        assert!(sleeps(&format!("{reason}{call}")).is_empty());
        assert!(sleeps(&format!("    thread::sleep(ms); {reason}")).is_empty());
        assert_eq!(lines(&sleeps(&format!("{reason}\n{call}"))), [3]);
        assert!(sleeps("// sleep(ms) would do no good\n").is_empty());
        let source = format!("//! Doc.\n{call}");
        assert!(check("actors/src/timer.rs", &source).is_empty());
        assert_eq!(check("actors/tests/timer.rs", &source).len(), 1);
    }
}
