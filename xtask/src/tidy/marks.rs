//! Signs of unfinished work: macros that stand for missing code, tests switched off, debugging
//! output, and promises in comments.
//!
//! The marks are written in two pieces here, so that this file does not hold them.

use super::{Finding, holds_word, numbered};

/// Not allowed anywhere in a line.
const IN_CODE: [&str; 6] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("#[ig", "nore"),
    concat!("db", "g!("),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
];
/// Not allowed in a comment, but good names in code.
const IN_COMMENTS: [&str; 4] = [concat!("TO", "DO"), concat!("HA", "CK"), concat!("W", "IP"), concat!("T", "BD")];

/// Checks one file, if it is of a kind that has comments we know.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let Some(opening) = comment_opening(path) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (number, line) in numbered(text) {
        let comment = line.split_once(opening).map_or("", |(_, comment)| comment);
        let marks = IN_CODE.iter().filter(|mark| holds_word(line, mark));
        let promises = IN_COMMENTS.iter().filter(|mark| holds_word(comment, mark));
        for mark in marks.chain(promises) {
            findings.push(Finding::line(number, format!("`{mark}` marks unfinished work")));
        }
    }
    findings
}

fn comment_opening(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "rs" => Some("//"),
        "sql" | "lua" => Some("--"),
        "toml" => Some("#"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_found_in_code() {
        for mark in IN_CODE {
            assert_eq!(check("a.rs", &format!("fn a() {{ {mark} }}\n")).len(), 1, "{mark}");
        }
        assert_eq!(check("a.sql", &format!("-- {}\n", IN_CODE[4])).len(), 1);
        assert!(check("a.md", IN_CODE[4]).is_empty());
    }

    #[test]
    fn a_promise_counts_only_in_a_comment() {
        for mark in IN_COMMENTS {
            assert_eq!(check("a.rs", &format!("let a = 1; // {mark}: b\n")).len(), 1, "{mark}");
            assert!(check("a.rs", &format!("const {mark}: u8 = 1;\n")).is_empty(), "{mark}");
        }
        assert_eq!(check("a.toml", &format!("a = 1 # {}\n", IN_COMMENTS[0])).len(), 1);
    }

    #[test]
    fn longer_words_are_no_marks() {
        let name = format!("let path = \"tmp.{}X\";\n", IN_CODE[5]);
        assert!(check("a.rs", &name).is_empty());
        assert!(check("a.rs", &format!("my_{}();\n", IN_CODE[0])).is_empty());
    }
}
