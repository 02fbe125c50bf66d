//! The node that is killed: a SQLite file, a fleet and HTTP on a port of the
//! system's choice, which it prints. It ends in order when its input ends.

use super::task::{self, Task};
use super::{Fallible, runtime};
use leasehold::{Json, Node, SqliteOptions};
use leasehold_backend::{Clock, SystemClock, SystemEntropy};
use leasehold_core::partition::PartitionConfig;
use leasehold_http::HttpOptions;
use leasehold_sdk::{Context, HandlerError, Payload, TaskInfo};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long handlers and calls may take when the node ends in order.
const GRACE: Duration = Duration::from_secs(10);

/// How long leases of the fleet run.
const LEASE_TTL: Duration = Duration::from_secs(30);

/// How many executions the fleet runs at once.
const SLOTS: u32 = 64;

/// Runs one life of the node.
///
/// # Errors
///
/// What keeps the node from starting or from ending.
pub fn run(file: &str, life: &str) -> Fallible {
    runtime()?.block_on(serve(file, life))
}

async fn serve(file: &str, life: &str) -> Fallible {
    let node = Node::builder().sqlite_with(SqliteOptions::new(file)).open().await?;
    let life = NodeLife { number: life.parse()?, partitions: PartitionConfig::default(), lease_ttl: LEASE_TTL };
    serve_on(node, life).await
}

/// What a life of a node is.
#[derive(Clone, Copy, Debug)]
pub struct NodeLife {
    /// Counted from 1.
    pub number: u64,
    /// The store's partitions.
    pub partitions: PartitionConfig,
    /// How long leases of the fleet run.
    pub lease_ttl: Duration,
}

/// Serves an open node until the input ends.
///
/// # Errors
///
/// What keeps its fleet or its listener from starting, or the node from
/// ending in order.
pub async fn serve_on(node: Node, life: NodeLife) -> Fallible {
    node.worker(instance(life.number))
        .lanes([task::FLEET_LANE])
        .slots(SLOTS)
        .lease_ttl(life.lease_ttl)
        .on(task::QUICK, quick)
        .on(task::FLAKY, flaky)
        .on(task::SLOW, slow)
        .on(task::DOOMED, doomed)
        .start()
        .await?;
    let options = HttpOptions::new(life.partitions, Arc::new(SystemEntropy::default()));
    let router = leasehold_http::router(Arc::new(node.engine().clone()), options);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(listener.local_addr()?.port());
    leasehold_http::serve(listener, router, end_of_input()).await?;
    node.drain(GRACE).await?;
    node.shutdown().await;
    Ok(())
}

/// The name of the fleet of a life; its instance's name begins with it.
pub fn instance(life: u64) -> String {
    format!("life-{life}")
}

/// The life an instance belongs to; none of a remote worker's.
pub fn life_of(instance: &str) -> Option<u64> {
    instance.strip_prefix("life-")?.split('-').next()?.parse().ok()
}

#[expect(clippy::print_stdout, reason = "the parent reads the port")]
fn announce(port: u16) {
    println!("port {port}");
}

/// Ends when the parent closes its end of the pipe, or is gone.
async fn end_of_input() {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        // Whatever the reading says, there is nothing more to wait for.
        let read = std::io::stdin().read_to_end(&mut Vec::new());
        drop((read, ended));
    });
    // The sender is only ever dropped.
    let _gone: Result<(), _> = end.await;
}

async fn quick(Payload(task): Payload<Task>) -> Json<String> {
    Json(task.key)
}

async fn flaky(Payload(task): Payload<Task>, TaskInfo(info): TaskInfo) -> Result<Json<String>, HandlerError> {
    if info.retry_count < task::FLAKY_FAILURES {
        return Err(HandlerError::transient(format!("failure {}", info.retry_count)));
    }
    Ok(Json(task.key))
}

async fn slow(Payload(task): Payload<Task>, Context(context): Context) -> Json<String> {
    let clock = SystemClock::default();
    tokio::select! {
        // tidy: sleep because taking time is what this handler is for
        () = clock.sleep(Duration::from_millis(task.sleep_ms)) => {}
        () = context.token().cancelled() => {}
    }
    Json(task.key)
}

async fn doomed(Payload(task): Payload<Task>) -> Result<Json<String>, HandlerError> {
    Err(HandlerError::permanent(task.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_tells_its_life() {
        assert_eq!(life_of(&format!("{}-0b5e-77", instance(12))), Some(12));
        assert_eq!(life_of("remote-1"), None);
    }
}
