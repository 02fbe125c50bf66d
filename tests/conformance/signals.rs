//! Waiting for what happens by itself, on the signals the engine gives.

use crate::case::Case;
use leasehold_actors::events::{Received, Subscription};
use leasehold_core::ids::ExecutionId;
use leasehold_core::time::TimestampMs;
use leasehold_tests::harness::describe_fact;

/// Listens to everything that becomes durable from now on.
pub fn listen(case: &Case) -> Subscription {
    case.handle.subscribe().expect("the engine has a node")
}

/// Waits until something is told of an execution; when it happened.
pub async fn told(listener: &mut Subscription, id: ExecutionId, what: &str) -> TimestampMs {
    loop {
        match listener.next().await {
            Received::Event(event) => {
                if event.execution_id == id && event.facts.iter().any(|fact| describe_fact(fact) == what) {
                    return event.at;
                }
            }
            other => panic!("waited for `{what}` and got {other:?}"),
        }
    }
}

/// Waits for what is overdue: the alarm of something due in the past rings a
/// millisecond later, one turn after the other.
pub async fn soon<T>(case: &Case, answer: impl Future<Output = T>) -> T {
    let (answer, ()) = tokio::join!(answer, case.pass(5));
    answer
}
