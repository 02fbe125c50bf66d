//! Statement texts with many rows of question marks.
//!
//! A statement for a set of rows exists in a few sizes, so that its prepared
//! form is found again: the rows of a batch are rounded up to the next size
//! and the surplus is bound to nothing, which the statements pass over.

use std::collections::HashMap;
use std::sync::Arc;

/// The most rows one statement takes. Seventeen columns of them stay well
/// below SQLite's limit of 32,766 values.
pub(crate) const ROWS_MAX: usize = 128;

/// A statement for a set of rows: `head`, the rows, `tail`.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its name, unique in this crate.
    pub(crate) name: &'static str,
    /// What stands before the rows.
    pub(crate) head: &'static str,
    /// How many values make a row.
    pub(crate) columns: usize,
    /// What stands after the rows.
    pub(crate) tail: &'static str,
}

/// The size that takes `rows` rows: exact while small, then within an eighth.
pub(crate) fn size_for(rows: usize) -> usize {
    match rows {
        0..=16 => rows.max(1),
        17..=64 => rows.next_multiple_of(8),
        _ => rows.next_multiple_of(16).min(ROWS_MAX),
    }
}

impl Shape {
    fn text(&self, rows: usize, suffix: &str) -> Arc<str> {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        let mut text = String::with_capacity(self.head.len() + self.tail.len() + rows * (row.len() + 1) + suffix.len());
        text.push_str(self.head);
        for index in 0..rows {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&row);
        }
        text.push_str(self.tail);
        text.push_str(suffix);
        text.into()
    }
}

/// Texts made so far.
#[derive(Debug, Default)]
pub(crate) struct Texts(HashMap<(&'static str, usize, &'static str), Arc<str>>);

impl Texts {
    /// The text of a shape for so many rows, followed by `suffix`.
    pub(crate) fn get(&mut self, shape: &Shape, rows: usize, suffix: &'static str) -> Arc<str> {
        let text = self.0.entry((shape.name, rows, suffix)).or_insert_with(|| shape.text(rows, suffix));
        Arc::clone(text)
    }
}
