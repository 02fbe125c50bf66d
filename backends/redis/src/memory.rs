//! Whether the servers have room.

use crate::RedisBackend;
use crate::server::field;
use crate::wire::Lane;
use redis::Value;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Creates are taken again when this share of the memory is free.
const FREE_PERCENT: u64 = 3;

/// Remembers that a server refused to grow.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    full: AtomicBool,
}

impl Memory {
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    pub(crate) fn set_full(&self) {
        if !self.full.swap(true, Relaxed) {
            tracing::warn!("the store's memory is full; creates are refused until some is free");
        }
    }

    fn set_room(&self) {
        if self.full.swap(false, Relaxed) {
            tracing::info!("the store has memory again");
        }
    }
}

/// Looks whether there is room again, where there was none. A server that
/// does not answer is asked again with the next heartbeat, which must not fail
/// for it.
pub(crate) async fn look_again(store: &RedisBackend) {
    if !store.memory.is_full() {
        return;
    }
    let info = redis::cmd("INFO").arg("memory").clone();
    for primary in &store.wire.topology().primaries {
        match primary.send(Lane::Ownership, [&info]).await {
            Ok(values) if tells_of_room(values.first()) => {}
            Ok(_) => return,
            Err(cut) => {
                tracing::warn!(error = cut.text(), server = primary.address, "a full server does not answer");
                return;
            }
        }
    }
    store.memory.set_room();
}

fn tells_of_room(info: Option<&Value>) -> bool {
    let Some(text) = info.and_then(crate::values::text) else { return false };
    let number = |name| field(&text, name).and_then(|value| value.parse::<u64>().ok());
    match (number("used_memory"), number("maxmemory")) {
        (Some(used), Some(most)) => has_room(used, most),
        _ => false,
    }
}

/// Whether creates are taken with so many bytes in use of so many; 0 stands
/// for no bound.
pub(crate) const fn has_room(used: u64, most: u64) -> bool {
    most == 0 || used < most - most / 100 * FREE_PERCENT
}
