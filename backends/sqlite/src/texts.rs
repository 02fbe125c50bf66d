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
    /// The text for exactly so many rows, followed by `suffix`.
    pub(crate) fn text(&self, rows: usize, suffix: &str) -> Arc<str> {
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

/// How many kinds of small commits are remembered.
const KINDS_MAX: usize = 64;

/// How often a kind comes before it is worth a text of its own, which SQLite
/// has to prepare.
const COMMON: u32 = 3;

/// What a small commit consists of: how many parts, and how many rows for
/// each statement.
pub(crate) type Kind = Vec<usize>;

/// Texts of whole commits, of those kinds that keep coming.
#[derive(Debug, Default)]
pub(crate) struct Wholes {
    kinds: HashMap<Kind, Whole>,
    clock: u64,
}

#[derive(Debug, Default)]
struct Whole {
    text: Option<Arc<str>>,
    times: u32,
    used: u64,
}

impl Wholes {
    /// Notes that a commit of this kind has come; whether the kind is common.
    pub(crate) fn note(&mut self, kind: &Kind) -> bool {
        self.clock += 1;
        if !self.kinds.contains_key(kind) {
            self.make_room();
        }
        let whole = self.kinds.entry(kind.clone()).or_default();
        whole.used = self.clock;
        whole.times = whole.times.saturating_add(1);
        whole.times >= COMMON
    }

    /// The text of a kind, made when it is asked for first.
    pub(crate) fn text(&mut self, kind: Kind, make: impl FnOnce() -> String) -> Arc<str> {
        let whole = self.kinds.entry(kind).or_default();
        Arc::clone(whole.text.get_or_insert_with(|| make().into()))
    }

    /// Forgets the kind that has not come for the longest time.
    fn make_room(&mut self) {
        if self.kinds.len() < KINDS_MAX {
            return;
        }
        let oldest = self.kinds.iter().min_by_key(|(_, whole)| whole.used).map(|(kind, _)| kind.clone());
        if let Some(oldest) = oldest {
            self.kinds.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_gets_its_text_once_it_keeps_coming() {
        let mut wholes = Wholes::default();
        let seen: Vec<_> = (0..4).map(|_| wholes.note(&vec![1, 2])).collect();
        assert_eq!(seen, [false, false, true, true]);
        assert_eq!(&*wholes.text(vec![1, 2], || "a".to_owned()), "a");
        assert_eq!(&*wholes.text(vec![1, 2], || "b".to_owned()), "a");
    }

    #[test]
    fn a_bounded_number_of_kinds_is_remembered_the_latest_ones() {
        let mut wholes = Wholes::default();
        for _ in 0..COMMON {
            wholes.note(&vec![0]);
        }
        for kind in 1..1000 {
            wholes.note(&vec![kind]);
            assert!(wholes.note(&vec![0]), "what keeps coming is forgotten");
        }
        assert_eq!(wholes.kinds.len(), KINDS_MAX);
    }
}
