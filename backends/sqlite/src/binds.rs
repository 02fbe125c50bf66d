//! The values bound to a statement.

use crate::stats::RecordedValue;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Encode, Sqlite, Type};
use std::sync::Arc;
use uuid::Uuid;

/// Values in the order of their question marks.
#[derive(Default)]
pub(crate) struct Binds {
    args: SqliteArguments,
    bytes: u64,
    failed: bool,
    /// A second copy while transactions are recorded.
    copy: Option<Vec<RecordedValue>>,
}

impl Binds {
    /// For about so many values; `recording` keeps a copy of them.
    pub(crate) fn with_capacity(values: usize, recording: bool) -> Self {
        let mut args = SqliteArguments::default();
        args.reserve(values, 0);
        Self { args, bytes: 0, failed: false, copy: recording.then(Vec::new) }
    }

    /// For about so many values of a read.
    pub(crate) fn for_read(values: usize) -> Self {
        Self::with_capacity(values, false)
    }

    fn add<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T, bytes: usize) {
        self.bytes += bytes as u64;
        self.failed |= self.args.add(value).is_err();
    }

    fn keep(&mut self, value: impl FnOnce() -> RecordedValue) {
        if let Some(copy) = &mut self.copy {
            copy.push(value());
        }
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.keep(|| RecordedValue::Int(value));
        self.add(value, 8);
    }

    pub(crate) fn null(&mut self) {
        self.keep(|| RecordedValue::Null);
        self.add(None::<i64>, 0);
    }

    pub(crate) fn maybe_int(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.keep(|| RecordedValue::Text(value.to_owned()));
        self.add(Arc::<str>::from(value), value.len());
    }

    /// Text that is shared already.
    pub(crate) fn shared(&mut self, value: &Arc<str>) {
        self.keep(|| RecordedValue::Text(value.as_ref().to_owned()));
        self.add(Arc::clone(value), value.len());
    }

    pub(crate) fn maybe_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    pub(crate) fn bytes(&mut self, value: Vec<u8>) {
        self.keep(|| RecordedValue::Blob(value.clone()));
        let length = value.len();
        self.add(value, length);
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.bytes(value.as_bytes().to_vec());
    }

    /// Fills up with nothing.
    pub(crate) fn pad(&mut self, values: usize) {
        for _ in 0..values {
            self.null();
        }
    }

    pub(crate) fn bytes_bound(&self) -> u64 {
        self.bytes
    }

    /// The arguments and the copy.
    ///
    /// # Errors
    ///
    /// When a value could not be encoded, which would shift all others.
    pub(crate) fn finish(self) -> Result<(SqliteArguments, Option<Vec<RecordedValue>>), sqlx::Error> {
        if self.failed {
            return Err(sqlx::Error::Encode("a value could not be bound".into()));
        }
        Ok((self.args, self.copy))
    }
}
