//! The values bound to a statement.

use crate::stats::RecordedValue;
use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug)]
enum Value {
    Null,
    Int(i64),
    Text(Arc<str>),
    Bytes(Vec<u8>),
}

/// Values in the order of their question marks.
#[derive(Debug, Default)]
pub(crate) struct Binds {
    values: Vec<Value>,
    bytes: usize,
}

impl Binds {
    /// For about so many values.
    pub(crate) fn with_capacity(values: usize) -> Self {
        Self { values: Vec::with_capacity(values), bytes: 0 }
    }

    fn add(&mut self, value: Value, bytes: usize) {
        self.bytes += bytes;
        self.values.push(value);
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.add(Value::Int(value), 8);
    }

    pub(crate) fn null(&mut self) {
        self.add(Value::Null, 0);
    }

    pub(crate) fn maybe_int(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.add(Value::Text(value.into()), value.len());
    }

    /// Text that is shared already.
    pub(crate) fn shared(&mut self, value: &Arc<str>) {
        self.add(Value::Text(Arc::clone(value)), value.len());
    }

    pub(crate) fn maybe_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    pub(crate) fn bytes(&mut self, value: Vec<u8>) {
        let length = value.len();
        self.add(Value::Bytes(value), length);
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

    /// Puts the values of the next statement behind these.
    pub(crate) fn append(&mut self, mut next: Self) {
        self.bytes += next.bytes;
        self.values.append(&mut next.values);
    }

    pub(crate) fn bytes_bound(&self) -> u64 {
        self.bytes as u64
    }

    /// A copy of the values.
    pub(crate) fn recorded(&self) -> Vec<RecordedValue> {
        let copy = |value: &Value| match value {
            Value::Null => RecordedValue::Null,
            Value::Int(value) => RecordedValue::Int(*value),
            Value::Text(value) => RecordedValue::Text(value.as_ref().to_owned()),
            Value::Bytes(value) => RecordedValue::Blob(value.clone()),
        };
        self.values.iter().map(copy).collect()
    }

    /// The values as sqlx takes them.
    ///
    /// # Errors
    ///
    /// When a value cannot be encoded, which would shift all others.
    pub(crate) fn finish(self) -> Result<SqliteArguments, sqlx::Error> {
        let mut args = SqliteArguments::default();
        args.reserve(self.values.len(), 0);
        for value in self.values {
            match value {
                Value::Null => args.add(None::<i64>),
                Value::Int(value) => args.add(value),
                Value::Text(value) => args.add(value),
                Value::Bytes(value) => args.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(args)
    }
}
