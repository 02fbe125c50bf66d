//! How the statement of a commit is handed a set of rows.
//!
//! A commit of a busy node carries many rows, that of an idle one a few, and
//! the server sets up every array to be unnested, every column of it, before it
//! looks at the first row. So a small batch comes in forms that cost it less.

use crate::binds::Binds;

/// The name and the type of a column.
pub(super) type Column = (&'static str, &'static str);

/// How rows are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Exactly one row, a value per column.
    One,
    /// One array per column, and the number of rows: each value is looked up
    /// by its place, which takes a search from the front for each. The places
    /// are written out, so that the server plans for as few rows as there are.
    Few,
    /// One array per column, unnested.
    Many,
}

impl Form {
    /// How many rows it is meant for.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::One => 1,
            Self::Few => 8,
            Self::Many => usize::MAX,
        }
    }

    /// Binds so many rows, column by column.
    pub(super) fn bind(self, count: usize, binds: &mut Binds, columns: impl FnOnce(&mut Binds)) {
        match self {
            Self::One => binds.one(columns),
            Self::Few => {
                columns(binds);
                binds.small_int(count as i32);
            }
            Self::Many => columns(binds),
        }
    }

    /// The rows as an item of a `FROM` list, called `x`.
    pub(super) fn rows(self, columns: &[Column]) -> String {
        let list = |item: &dyn Fn(&Column) -> String| columns.iter().map(item).collect::<Vec<_>>().join(", ");
        match self {
            Self::One => format!("(SELECT {}) AS x", list(&|(name, kind)| format!("?::{kind} AS {name}"))),
            Self::Few => {
                let places: Vec<_> = (1..=self.most()).map(|place| format!("({place})")).collect();
                let columns = list(&|(name, kind)| format!("(?::{kind}[])[place] AS {name}"));
                let places = places.join(", ");
                format!("(SELECT {columns} FROM (VALUES {places}) AS places(place) WHERE place <= ?::int4) AS x")
            }
            Self::Many => format!(
                "unnest({}) AS x({})",
                list(&|(_, kind)| format!("?::{kind}[]")),
                list(&|(name, _)| (*name).to_owned())
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [("partition", "int4"), ("id", "uuid")];

    #[test]
    fn every_form_names_the_same_columns() {
        assert_eq!(Form::One.rows(&COLUMNS), "(SELECT ?::int4 AS partition, ?::uuid AS id) AS x");
        assert_eq!(
            Form::Few.rows(&COLUMNS),
            "(SELECT (?::int4[])[place] AS partition, (?::uuid[])[place] AS id \
             FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8)) AS places(place) WHERE place <= ?::int4) AS x"
        );
        assert_eq!(Form::Many.rows(&COLUMNS), "unnest(?::int4[], ?::uuid[]) AS x(partition, id)");
    }
}
