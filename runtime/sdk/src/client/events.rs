//! Events for an application's own actor.

use leasehold_actors::events::{Received, Subscription};
use ractor::{ActorRef, Message};
use tokio::task::AbortHandle;

/// Sends everything a subscription receives to an actor, losses included,
/// until the actor or the node has ended. The actor's mailbox is not bounded:
/// one that is slower than the events must drop some itself. The handle ends
/// it before that.
pub fn forward_events<M: Message>(
    mut subscription: Subscription,
    actor: ActorRef<M>,
    message: impl Fn(Received) -> M + Send + 'static,
) -> AbortHandle {
    let task = tokio::spawn(async move {
        loop {
            let received = subscription.next().await;
            let closed = received == Received::Closed;
            if actor.cast(message(received)).is_err() || closed {
                return;
            }
        }
    });
    task.abort_handle()
}
