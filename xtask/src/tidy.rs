//! `cargo xtask tidy`: the rules for sources that no compiler checks.
//!
//! Every file that git tracks or would track is looked at:
//!
//! * **any text**: no space at the end of a line;
//! * **Rust** ([`rust`]): module doc first, at most 500 lines, no module named after nothing,
//!   no waiting by the clock in tests;
//! * **Rust, SQL, Lua, TOML** ([`marks`]): no sign of unfinished work;
//! * **SQL, Lua** ([`script`]): opened by a comment, migrations numbered;
//! * **`Cargo.toml`** ([`manifest`]): the workspace's lints apply.
//!
//! Two rules can be waived beside the code, with the reason: `// tidy: long because ...` in
//! the first twenty lines of a file, and `// tidy: sleep because ...` on the line or above it.

mod manifest;
mod marks;
mod rust;
mod script;

use std::fs;

use crate::failure::{During, Failure, Outcome};
use crate::workspace::{Workspace, output};

/// Files whose lines may end in spaces: a patch's empty context line is one.
const SPACES_MATTER: [&str; 2] = [".patch", ".diff"];

/// One broken rule. Line 0 stands for the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    line: usize,
    message: String,
}

impl Finding {
    fn file(message: impl Into<String>) -> Self {
        Self::line(0, message)
    }

    fn line(line: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { line, message }
    }
}

/// Prints every broken rule and fails if there is one.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(Failure::usage("tidy"));
    }
    let listed =
        output(&mut workspace.git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]))?;
    let mut count = 0;
    let mut paths = Vec::new();
    for path in listed.split_terminator('\0') {
        let absolute = workspace.root().join(path);
        // A tracked file may be deleted in the working tree, and a path may be a link.
        if !absolute.symlink_metadata().is_ok_and(|file| file.is_file()) {
            continue;
        }
        paths.push(path);
        let bytes = fs::read(&absolute).during(path)?;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        count += print(path, check(path, &text));
    }
    for (path, finding) in script::shared_migration_numbers(&paths) {
        count += print(path, vec![finding]);
    }
    if count > 0 {
        return Err(Failure::new(format!("tidy: {count} findings")));
    }
    println!("tidy: {} files", paths.len());
    Ok(())
}

fn print(path: &str, mut findings: Vec<Finding>) -> usize {
    findings.sort();
    for Finding { line, message } in &findings {
        match line {
            0 => println!("{path}: {message}"),
            line => println!("{path}:{line}: {message}"),
        }
    }
    findings.len()
}

fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !SPACES_MATTER.iter().any(|ending| path.ends_with(ending)) {
        findings.extend(spaces_at_line_end(text));
    }
    findings.extend(marks::check(path, text));
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "rs" => findings.extend(rust::check(path, text)),
        "sql" | "lua" => findings.extend(script::check(path, text)),
        "toml" if path.rsplit('/').next() == Some("Cargo.toml") => {
            findings.extend(manifest::check(text));
        }
        _ => {}
    }
    findings
}

fn spaces_at_line_end(text: &str) -> impl Iterator<Item = Finding> {
    numbered(text)
        .filter(|(_, line)| line.ends_with([' ', '\t', '\r']))
        .map(|(number, _)| Finding::line(number, "space at the end of the line"))
}

/// The lines with their numbers, as editors count them, and with any carriage return.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
}

/// Whether the line holds the text as a word of its own: at an end that is a letter, digit or
/// underscore, the text must not go on with another.
fn holds_word(line: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let grows_before = word.starts_with(is_part) && before.is_some_and(is_part);
        let grows_after = word.ends_with(is_part) && after.is_some_and(is_part);
        !grows_before && !grows_after
    })
}

/// Whether a line waives a rule and gives a reason.
fn waives(line: &str, rule: &str) -> bool {
    let opening = format!("// tidy: {rule} because ");
    line.split_once(&opening).is_some_and(|(_, reason)| !reason.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_at_the_end_of_a_line_are_found() {
        let lines: Vec<_> = spaces_at_line_end("a\nb \n\tc\nd\t\ne\r\n").map(|f| f.line).collect();
        assert_eq!(lines, [2, 4, 5]);
        assert!(check("a.patch", "+a \n").is_empty());
        assert_eq!(check("a.md", "a \n").len(), 1);
    }

    #[test]
    fn a_word_has_ends() {
        assert!(holds_word("a sleep(b)", "sleep("));
        assert!(holds_word("time::sleep(b)", "sleep("));
        assert!(!holds_word("do_sleep(b)", "sleep("));
        assert!(holds_word("(ABC)", "ABC"));
        assert!(!holds_word("ABCD", "ABC"));
        assert!(holds_word("ABCD ABC", "ABC"));
    }

    #[test]
    fn a_waiver_needs_a_reason() {
        assert!(waives("x // tidy: long because one table", "long"));
        assert!(!waives("x // tidy: long because ", "long"));
        assert!(!waives("x // tidy: long", "long"));
        assert!(!waives("x // tidy: long because it is", "sleep"));
    }
}
