//! Statement texts, made from templates.
//!
//! In a template `@name` stands for an object of the store's schema and `?`
//! for the next value. A text is made once; the same text is prepared once per
//! connection. The schema's name is checked before it gets here.

use leasehold_backend::{StoreError, StoreResult};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Makes and keeps texts.
#[derive(Debug)]
pub(crate) struct Texts {
    schema: String,
    made: Mutex<HashMap<(&'static str, u32), Arc<str>>>,
}

impl Texts {
    /// For a schema.
    ///
    /// # Errors
    ///
    /// `Refused` for a name that would have to be quoted or that the server
    /// keeps for itself.
    pub(crate) fn of(schema: &str) -> StoreResult<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let starts_well = schema.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if schema.len() > 63 || !starts_well || !schema.bytes().all(plain) || schema.starts_with("pg_") {
            return Err(StoreError::refused(format!(
                "The schema name {schema:?} cannot be used. It must be 1 to 63 lower-case letters, digits and \
                 underscores, begin with no digit and not with pg_."
            )));
        }
        Ok(Self { schema: schema.to_owned(), made: Mutex::default() })
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// The text of a template.
    pub(crate) fn get(&self, template: &'static str) -> Arc<str> {
        self.made_of(template, 0, || template.to_owned())
    }

    /// The text of a template that is put together, by a name and a number
    /// that tell it from the others.
    pub(crate) fn made_of(&self, name: &'static str, number: u32, template: impl FnOnce() -> String) -> Arc<str> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let text = made.entry((name, number)).or_insert_with(|| self.qualified(&template()).into());
        Arc::clone(text)
    }

    /// Names qualified and values numbered.
    pub(crate) fn qualified(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 256);
        let mut values = 0;
        for character in template.chars() {
            match character {
                '@' => {
                    text.push('"');
                    text.push_str(&self.schema);
                    text.push_str("\".");
                }
                '?' => {
                    values += 1;
                    text.push('$');
                    text.push_str(&values.to_string());
                }
                other => text.push(other),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_qualified_and_values_numbered() {
        let texts = Texts::of("one").unwrap();
        let text = texts.get("SELECT a FROM @nodes WHERE b = ? AND c = ?");
        assert_eq!(&*text, r#"SELECT a FROM "one".nodes WHERE b = $1 AND c = $2"#);
    }

    #[test]
    fn a_name_that_could_break_out_is_refused() {
        for name in ["", "a\"b", "A", "1a", "pg_temp", "a b", "a.b", "é", &"a".repeat(64)] {
            assert!(matches!(Texts::of(name), Err(StoreError::Refused { .. })), "{name}");
        }
        for name in ["leasehold", "_a1", &"a".repeat(63)] {
            Texts::of(name).unwrap();
        }
    }
}
