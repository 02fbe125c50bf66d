//! Events of this node, as they become durable, for whoever listens in this
//! process.

use leasehold_core::event::Event;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Where partitions put durable events.
#[derive(Clone, Debug)]
pub struct EventHub {
    sender: broadcast::Sender<Arc<Event>>,
}

/// What a subscriber gets next.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// An event.
    Event(Arc<Event>),
    /// So many were lost, because the subscriber was slower than the bound.
    Lagged(u64),
    /// The node is gone.
    Closed,
}

/// A bounded view of durable events, from now on.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<Event>>,
}

impl EventHub {
    /// A hub whose subscribers may lag `capacity` events behind.
    pub fn new(capacity: usize) -> Self {
        Self { sender: broadcast::channel(capacity.max(1)).0 }
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> Subscription {
        Subscription { receiver: self.sender.subscribe() }
    }

    /// Tells everybody who listens.
    pub fn publish(&self, event: Arc<Event>) {
        // Nobody listening is no failure.
        drop(self.sender.send(event));
    }
}

impl Subscription {
    /// The next event.
    pub async fn next(&mut self) -> Received {
        match self.receiver.recv().await {
            Ok(event) => Received::Event(event),
            Err(broadcast::error::RecvError::Lagged(lost)) => Received::Lagged(lost),
            Err(broadcast::error::RecvError::Closed) => Received::Closed,
        }
    }
}
