//! The values bound to a statement.

use sqlx::postgres::{PgArguments, PgHasArrayType};
use sqlx::{Arguments, Encode, Postgres, Type};
use uuid::Uuid;

/// Values in the order of their marks. A set of rows is one array per column.
#[derive(Default)]
pub(crate) struct Binds {
    args: PgArguments,
    bytes: u64,
    is_one: bool,
    failed: bool,
}

impl Binds {
    fn add<'t, T: Encode<'t, Postgres> + Type<Postgres>>(&mut self, value: T, bytes: usize) {
        self.bytes += bytes as u64;
        self.failed |= self.args.add(value).is_err();
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.add(value, 8);
    }

    pub(crate) fn maybe_int(&mut self, value: Option<i64>) {
        self.add(value, 8);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.add(value, 1);
    }

    pub(crate) fn partition(&mut self, value: u16) {
        self.add(i32::from(value), 4);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.add(value, value.len());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.add(value, value.len());
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.add(value, 16);
    }

    /// A number of four bytes.
    pub(crate) fn small_int(&mut self, value: i32) {
        self.add(value, 4);
    }

    /// Binds a set of one row as a value per column instead of an array.
    pub(crate) fn one(&mut self, columns: impl FnOnce(&mut Self)) {
        self.is_one = true;
        columns(self);
        self.is_one = false;
    }

    /// A column of a set of rows.
    fn column<'t, T>(&mut self, values: impl Iterator<Item = T>, bytes: impl Fn(&T) -> usize)
    where
        T: Encode<'t, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        let values: Vec<T> = values.collect();
        let bytes = values.iter().map(bytes).sum();
        if !self.is_one {
            return self.add(values, bytes);
        }
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => self.add(value, bytes),
            _ => self.failed = true,
        }
    }

    pub(crate) fn ints(&mut self, values: impl Iterator<Item = i64>) {
        self.column(values, |_| 8);
    }

    pub(crate) fn maybe_ints(&mut self, values: impl Iterator<Item = Option<i64>>) {
        self.column(values, |_| 8);
    }

    /// Numbers of four bytes.
    pub(crate) fn small_ints(&mut self, values: impl Iterator<Item = i32>) {
        self.column(values, |_| 4);
    }

    pub(crate) fn partitions(&mut self, values: impl Iterator<Item = u16>) {
        self.small_ints(values.map(i32::from));
    }

    pub(crate) fn maybe_partitions(&mut self, values: Option<Vec<u16>>) {
        let values: Option<Vec<i32>> = values.map(|values| values.into_iter().map(i32::from).collect());
        self.add(values, 4);
    }

    pub(crate) fn texts<'t>(&mut self, values: impl Iterator<Item = &'t str>) {
        self.column(values, |value| value.len());
    }

    pub(crate) fn owned_texts(&mut self, values: impl Iterator<Item = String>) {
        self.column(values, String::len);
    }

    pub(crate) fn maybe_texts<'t>(&mut self, values: impl Iterator<Item = Option<&'t str>>) {
        self.column(values, |value| value.map_or(0, str::len));
    }

    pub(crate) fn uuids(&mut self, values: impl Iterator<Item = Uuid>) {
        self.column(values, |_| 16);
    }

    pub(crate) fn byte_strings<'t>(&mut self, values: impl Iterator<Item = &'t [u8]>) {
        self.column(values, |value| value.len());
    }

    /// How many bytes the values have.
    pub(crate) fn bytes_bound(&self) -> u64 {
        self.bytes
    }

    /// What has been bound so far.
    pub(crate) fn arguments(&self) -> &PgArguments {
        &self.args
    }

    /// The arguments.
    ///
    /// # Errors
    ///
    /// When a value could not be encoded, which would shift all others.
    pub(crate) fn finish(self) -> Result<PgArguments, sqlx::Error> {
        if self.failed {
            return Err(sqlx::Error::Encode("a value could not be bound".into()));
        }
        Ok(self.args)
    }
}
