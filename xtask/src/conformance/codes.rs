//! The error codes that the cases of an operation must reach: a line `operation code` each,
//! with `#` comments.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::{Failure, Outcome};

/// Codes by operation.
pub type Codes = BTreeMap<String, BTreeSet<String>>;

/// Parses the list; a line that is not two words, or repeats another, is refused.
pub fn parse(text: &str) -> Outcome<Codes> {
    let mut codes = Codes::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = index + 1;
        match words[..] {
            [] => {}
            [operation, code] => {
                let codes = codes.entry(operation.to_owned()).or_default();
                if !codes.insert(code.to_owned()) {
                    return Err(Failure::new(format!(
                        "expected codes, line {number}: `{operation} {code}` stands there twice"
                    )));
                }
            }
            _ => {
                return Err(Failure::new(format!("expected codes, line {number}: `{line}` is not `operation code`")));
            }
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_say_nothing() {
        let codes = parse("# all\n\ncomplete_execution stale_lease # rule 4\n").unwrap();
        assert_eq!(codes.len(), 1);
        assert!(codes["complete_execution"].contains("stale_lease"));
    }

    #[test]
    fn a_line_that_is_not_two_words_is_refused() {
        assert!(parse("complete_execution\n").is_err());
        assert!(parse("complete_execution stale_lease fence\n").is_err());
        assert!(parse("complete a\ncomplete a\n").is_err());
    }
}
