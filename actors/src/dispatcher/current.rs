//! Which dispatcher there is: each life of a node has its own.

use super::DispatcherHandle;
use tokio::sync::watch;

/// The dispatcher of the node's present life.
///
/// A new life has a new dispatcher; whoever stands open with the old one
/// finds its sink closed, waits for the new one and opens again.
pub struct CurrentDispatcher {
    handle: watch::Sender<DispatcherHandle>,
}

impl Default for CurrentDispatcher {
    fn default() -> Self {
        Self { handle: watch::Sender::new(DispatcherHandle::default()) }
    }
}

impl CurrentDispatcher {
    /// The dispatcher of the present life.
    pub fn get(&self) -> DispatcherHandle {
        self.handle.borrow().clone()
    }

    /// The dispatcher of the present life, and word of every later one.
    pub fn watch(&self) -> watch::Receiver<DispatcherHandle> {
        self.handle.subscribe()
    }

    /// A new life.
    pub fn set(&self, handle: DispatcherHandle) {
        self.handle.send_replace(handle);
    }
}
