//! The statement of a commit: its head, the sections it needs, and what is
//! looked at after them.
//!
//! Which sections a batch needs, and in which form it hands over their rows,
//! makes the text; few combinations occur, and each is prepared once.

use super::form::Form;
use super::head::{self, Advance};
use super::rows::{EncodedExecution, In, Rows};
use super::sections::{SECTIONS, Section};
use super::values::{KEYS, bind_new};
use crate::binds::Binds;
use leasehold_backend::StoreResult;

/// What makes the text: a bit for each section, each [`Novelty`], and for a
/// small batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape(u32);

/// Of one part and few rows, which are handed over in the small forms.
const SMALL: u32 = 1 << 31;

const _: () = assert!(SECTIONS.len() <= 29, "each section has a bit below the others");

/// A look at whether one table of executions holds what is new to the other.
struct Novelty {
    /// Set where a batch has such rows. What only moves here is none.
    bit: u32,
    table: &'static str,
    other: &'static str,
    rows: fn(&Rows) -> &[In<EncodedExecution>],
}

static NOVELTIES: [Novelty; 2] = [
    Novelty { bit: 1 << 30, table: "executions", other: "executions_done", rows: |rows| &rows.hot.inserted },
    Novelty { bit: 1 << 29, table: "executions_done", other: "executions", rows: |rows| &rows.done.inserted },
];

impl Novelty {
    fn count(&self, rows: &Rows) -> usize {
        (self.rows)(rows).iter().filter(|(_, row)| row.is_new).count()
    }
}

impl Shape {
    /// The shape of what is to be written under a head.
    pub(super) fn of(advance: &Advance<'_>, rows: &Rows) -> Self {
        let section = |(at, section): (usize, &Section)| u32::from((section.count)(rows) > 0) << at;
        let novelty = |novelty: &Novelty| if novelty.count(rows) > 0 { novelty.bit } else { 0 };
        let used: u32 = SECTIONS.iter().enumerate().map(section).sum();
        let new: u32 = NOVELTIES.iter().map(novelty).sum();
        let small = advance.parts() == 1
            && SECTIONS.iter().all(|section| (section.count)(rows) <= section.small.most())
            && NOVELTIES.iter().all(|novelty| novelty.count(rows) <= Form::One.most());
        Self(used | new | if small { SMALL } else { 0 })
    }

    /// The number that tells it from the others.
    pub(super) const fn number(self) -> u32 {
        self.0
    }

    const fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// A form, where the batch is small enough for it.
    const fn form(self, small: Form) -> Form {
        if self.has(SMALL) { small } else { Form::Many }
    }

    fn sections(self) -> impl Iterator<Item = &'static Section> {
        SECTIONS.iter().enumerate().filter(move |(at, _)| self.has(1 << at)).map(|(_, section)| section)
    }

    fn novelties(self) -> impl Iterator<Item = &'static Novelty> {
        NOVELTIES.iter().filter(move |novelty| self.has(novelty.bit))
    }

    /// The template of the statement. It answers whether the head advanced.
    pub(super) fn template(self) -> String {
        let change = |section: &Section| {
            let rows = self.form(section.small).rows(&section.takes.concat());
            format!("{} AS ({})", section.name, section.change.replace("{x}", &rows))
        };
        let advance = head::advance(self.form(Form::One));
        let changes: Vec<_> = std::iter::once(advance).chain(self.sections().map(change)).collect();
        let (looks, failures): (Vec<_>, Vec<_>) = self.looks().unzip();
        let from = if looks.is_empty() { "" } else { " FROM " };
        format!(
            "WITH {} SELECT CASE WHEN NOT EXISTS (SELECT FROM head) THEN false{} ELSE true END{from}{}",
            changes.join(", "),
            failures.concat(),
            looks.join(", ")
        )
    }

    /// What is looked at, and when the statement fails over it.
    fn looks(self) -> impl Iterator<Item = (String, String)> {
        let found = |section: &'static Section| {
            let (name, table) = (section.name, section.finds?);
            let look = format!("(SELECT count(*) AS found, ?::int8 AS known FROM {name}) AS of_{name}");
            let failure = format!(
                " WHEN of_{name}.found <> of_{name}.known THEN @damaged('{table}', of_{name}.found, of_{name}.known)"
            );
            Some((look, failure))
        };
        let new = move |Novelty { table, other, .. }: &Novelty| {
            let rows = self.form(Form::One).rows(KEYS);
            let look = format!(
                "(SELECT count(*) AS found FROM {rows} \
                 JOIN @{other} AS o ON o.partition = x.partition AND o.id = x.id) AS in_{other}"
            );
            (look, format!(" WHEN in_{other}.found > 0 THEN @exists_already('{table}', in_{other}.found)"))
        };
        self.sections().filter_map(found).chain(self.novelties().map(new))
    }

    /// The values in the order of the template.
    pub(super) fn bind(self, advance: &Advance<'_>, rows: &Rows, binds: &mut Binds) -> StoreResult<()> {
        advance.bind(self.form(Form::One), binds)?;
        for section in self.sections() {
            self.form(section.small).bind((section.count)(rows), binds, |binds| (section.bind)(rows, binds));
        }
        for section in self.sections().filter(|section| section.finds.is_some()) {
            binds.int((section.count)(rows) as i64);
        }
        for novelty in self.novelties() {
            self.form(Form::One).bind(novelty.count(rows), binds, |binds| bind_new((novelty.rows)(rows), binds));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_backend::{Batch, Expected, Part};
    use leasehold_core::decision::ChangeSet;
    use leasehold_core::ids::NodeId;
    use leasehold_core::time::TimestampMs;
    use std::collections::BTreeSet;
    use uuid::Uuid;

    fn batch(parts: u16) -> Batch {
        let expected = |partition| Expected { partition, epoch: 1, nonce: 1, seq: 0 };
        let part = |partition| Part {
            expected: expected(partition),
            time: TimestampMs(0),
            first_event: 0,
            changes: ChangeSet::default(),
        };
        Batch { node: NodeId::from_uuid(Uuid::nil()), seq: 0, parts: (0..parts).map(part).collect() }
    }

    fn shape(parts: u16, refused: &[u16], rows: &Rows) -> Shape {
        let refused = refused.iter().copied().collect();
        Shape::of(&Advance { batch: &batch(parts), refused: &refused, fence: None }, rows)
    }

    fn kept(deleted: usize, inbox: usize) -> Rows {
        Rows {
            deleted_kept: vec![(0, vec![1]); deleted],
            inbox: (0..inbox).map(|number| (0, number as i64)).collect(),
            ..Rows::default()
        }
    }

    #[test]
    fn only_few_rows_of_one_part_take_the_small_forms() {
        let small = |parts, refused: &[u16], rows: &Rows| shape(parts, refused, rows).has(SMALL);
        assert!(small(1, &[], &kept(0, 0)));
        assert!(small(1, &[], &kept(8, 1)));
        assert!(!small(1, &[], &kept(9, 1)), "more than there are places");
        assert!(!small(1, &[], &kept(8, 2)), "more than one");
        assert!(!small(2, &[], &kept(1, 1)));
        assert!(small(2, &[1], &kept(1, 1)), "what is left out does not count");
        assert!(!small(1, &[0], &kept(0, 0)), "there is nothing to hand over");
    }

    #[test]
    fn a_shape_takes_as_many_values_as_it_binds() {
        for (deleted, inbox) in [(0, 0), (1, 0), (0, 1), (8, 1), (9, 1), (8, 2)] {
            for parts in [1, 3] {
                let (batch, refused, rows) = (batch(parts), BTreeSet::new(), kept(deleted, inbox));
                let advance = Advance { batch: &batch, refused: &refused, fence: None };
                let shape = Shape::of(&advance, &rows);
                let mut binds = Binds::default();
                shape.bind(&advance, &rows, &mut binds).unwrap();
                let arguments = binds.finish().unwrap();
                let taken = shape.template().matches('?').count();
                assert_eq!(sqlx::Arguments::len(&arguments), taken, "{deleted} {inbox} {parts}");
            }
        }
    }
}
