//! What a worker carries, readable and comparable between stores.

use leasehold_contract::Handle;
use leasehold_core::handle::{BackendTag, HandlePayload};
use std::fmt;

/// A handle with what it says.
#[derive(Clone)]
pub struct Ticket {
    /// What it says; of a spoilt one, what it said.
    pub says: HandlePayload,
    /// The handle as its worker carries it.
    pub handle: Handle,
    spoilt: Option<&'static str>,
}

impl Ticket {
    /// Reads a handle.
    ///
    /// # Panics
    ///
    /// When it is not a handle of that store.
    pub fn read(handle: Handle, tag: BackendTag) -> Self {
        let says = handle.decode(tag).expect("an engine reads its own handles");
        Self { says, handle, spoilt: None }
    }

    /// The same, cut short.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.handle.opaque.truncate(self.handle.opaque.len() / 2);
        self.spoilt = Some("truncated");
        self
    }

    /// The same, as if another store had issued it.
    #[must_use]
    pub fn of_another_store(mut self) -> Self {
        self.handle.backend = match self.handle.backend {
            BackendTag::Sqlite => BackendTag::Postgres,
            BackendTag::Postgres | BackendTag::Valkey | BackendTag::Memory => BackendTag::Sqlite,
        };
        self.spoilt = Some("of another store");
        self
    }
}

/// Without the store that issued it, which is in the bytes.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:?}, {:?}", self.handle.kind, self.says)?;
        if let Some(how) = self.spoilt {
            write!(f, ", {how}")?;
        }
        f.write_str(")")
    }
}
