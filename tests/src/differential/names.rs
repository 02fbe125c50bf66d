//! Other names for what legitimately differs between stores.

use std::collections::HashMap;
use std::fmt::Write as _;

/// How many characters a uuid has in text.
const UUID_CHARS: usize = 36;

/// Names for identifiers, in the order in which they are first met.
///
/// Identifiers that the engine mints come from its randomness, and how often
/// it draws is no part of the contract. Two transcripts agree when the same
/// identifiers stand in the same places, whatever they are.
#[derive(Debug, Default)]
pub struct Names {
    known: HashMap<String, usize>,
}

impl Names {
    /// The text with every uuid replaced by its name.
    pub fn rename(&mut self, text: &str) -> String {
        let mut renamed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = next_uuid(rest) {
            renamed.push_str(&rest[..at]);
            let number = self.known.len() + 1;
            let number = *self.known.entry(rest[at..at + UUID_CHARS].to_owned()).or_insert(number);
            write!(renamed, "#{number}").expect("writing to a string");
            rest = &rest[at + UUID_CHARS..];
        }
        renamed.push_str(rest);
        renamed
    }
}

/// Where the next uuid begins.
fn next_uuid(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    // Dashes are rare, and the first one of a uuid is its ninth character.
    while let Some(dash) = bytes.get(from + 8..).and_then(|rest| rest.iter().position(|byte| *byte == b'-')) {
        let at = from + dash;
        if bytes.get(at..at + UUID_CHARS).is_some_and(is_uuid) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0190a1b2-0000-7000-8000-00000000000a";
    const TWO: &str = "0190a1b2-0000-7000-8000-00000000000b";

    #[test]
    fn the_same_identifier_has_the_same_name() {
        let mut names = Names::default();
        assert_eq!(names.rename(&format!("LeaseId({ONE}), {TWO} a-b {ONE}-")), "LeaseId(#1), #2 a-b #1-");
        assert_eq!(names.rename(TWO), "#2");
    }

    #[test]
    fn what_is_no_identifier_stays() {
        let mut names = Names::default();
        for text in ["", "-", "12345678-", "a-b-c-d-e", &ONE[1..], &ONE[..35], &ONE.to_uppercase()] {
            assert_eq!(names.rename(text), text);
        }
    }
}
