//! The grammar of tags: `namespace.name` keys and bounded values.

use std::collections::BTreeMap;

use crate::error::{EngineError, ValidationKind};

/// How many tags a record may carry.
pub const MAX_TAGS: usize = 64;

/// How long a tag's value may be.
pub const MAX_TAG_VALUE_BYTES: usize = 1024;

/// How long a tag's key may be. The grammar sets no bound, yet a key becomes
/// part of an index entry, which every store limits.
pub const MAX_TAG_KEY_BYTES: usize = 256;

/// Checks a key against `^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$`.
pub fn validate_tag_key(key: &str) -> Result<(), EngineError> {
    if key.len() <= MAX_TAG_KEY_BYTES && matches_grammar(key) {
        return Ok(());
    }
    // The offending key comes from outside and may be of any length.
    let shown: String = key.chars().take(MAX_TAG_KEY_BYTES).collect();
    Err(EngineError::validation(ValidationKind::InvalidTagKey, shown))
}

fn matches_grammar(key: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    // The first part cannot hold a dot, so the first dot is where it ends.
    let Some((namespace, name)) = key.split_once('.') else { return false };
    namespace.starts_with(|first: char| first.is_ascii_lowercase())
        && namespace.bytes().all(word)
        && name.bytes().next().is_some_and(word)
        && name.bytes().all(|byte| word(byte) || byte == b'.')
}

/// Checks a whole set of tags: their number, every key and every value.
pub fn validate_tags(tags: &BTreeMap<String, String>) -> Result<(), EngineError> {
    if tags.len() > MAX_TAGS {
        return Err(EngineError::invalid_input(format!("{} tags, at most {MAX_TAGS} are allowed", tags.len())));
    }
    for (key, value) in tags {
        validate_tag_key(key)?;
        if value.len() > MAX_TAG_VALUE_BYTES {
            return Err(EngineError::invalid_input(format!(
                "the value of tag {key} has {} bytes, at most {MAX_TAG_VALUE_BYTES} are allowed",
                value.len()
            )));
        }
        if value.contains('\0') {
            return Err(EngineError::invalid_input(format!("the value of tag {key} contains a NUL byte")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn keys_of_the_grammar_are_accepted() {
        for key in ["a.b", "a_1.0", "team.cost_center", "a._", "a.b.c", "a.b..", "z9._x.1"] {
            assert_eq!(validate_tag_key(key), Ok(()), "{key}");
        }
    }

    #[test]
    fn other_keys_are_refused_and_named() {
        for key in ["", "a", "a.", ".a", "1a.b", "_a.b", "A.b", "a.B", "a..b", "a-b.c", "a.b-c", "a.b ", "a.é", "a.b\n"]
        {
            let expected = EngineError::validation(ValidationKind::InvalidTagKey, key);
            assert_eq!(validate_tag_key(key), Err(expected), "{key:?}");
        }
    }

    #[test]
    fn an_overlong_key_is_refused_with_a_bounded_message() {
        let key = format!("a.{}", "b".repeat(MAX_TAG_KEY_BYTES));
        assert!(validate_tag_key(&key).unwrap_err().to_string().len() < 400);
        assert_eq!(validate_tag_key(&key[..MAX_TAG_KEY_BYTES]), Ok(()));
    }

    #[test]
    fn the_number_of_tags_is_limited() {
        let full: BTreeMap<_, _> = (0..MAX_TAGS).map(|n| (format!("a.t{n}"), String::new())).collect();
        assert_eq!(validate_tags(&full), Ok(()));
        let mut over = full;
        over.insert("a.more".to_owned(), String::new());
        assert_eq!(validate_tags(&over).unwrap_err().code(), "invalid_input");
    }

    #[test]
    fn values_are_limited_in_length_and_hold_no_nul() {
        let longest = "v".repeat(MAX_TAG_VALUE_BYTES);
        assert_eq!(validate_tags(&tags(&[("a.b", &longest)])), Ok(()));
        for value in [format!("{longest}v"), "x\0y".to_owned()] {
            assert_eq!(validate_tags(&tags(&[("a.b", &value)])).unwrap_err().code(), "invalid_input");
        }
        assert_eq!(validate_tags(&tags(&[("nodot", "v")])).unwrap_err().code(), "invalid_tag_key");
    }
}
