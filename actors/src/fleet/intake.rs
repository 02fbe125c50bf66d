//! The intake: stands open with the dispatcher of the node's present life and
//! starts a handler for every task that comes.

use super::options::SLOTS_MAX;
use super::pool::{Pool, Wanted};
use super::run;
use leasehold_contract::Task;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Why the fleet no longer stands open.
enum Ended {
    /// Something else is wanted of it, or the dispatcher was replaced.
    Told,
    /// The dispatcher has gone and no other is there yet.
    Gone,
}

/// Runs until the fleet is to stop.
pub(super) async fn run(pool: Arc<Pool>) {
    let mut wanted = pool.wanted();
    let mut dispatchers = pool.engine.dispatcher().watch();
    loop {
        let now = *wanted.borrow_and_update();
        match now {
            Wanted::Stop => return,
            Wanted::Rest => {
                if wanted.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Wanted::Claim(_) => {}
        }
        let dispatcher = dispatchers.borrow_and_update().clone();
        // As many batches as there can be credits: a task that was claimed is
        // never turned away for want of room.
        let (sink, mut tasks) = mpsc::channel(SLOTS_MAX as usize);
        let ended = if pool.open(dispatcher, sink) {
            loop {
                tokio::select! {
                    biased;
                    _ = wanted.changed() => break Ended::Told,
                    _ = dispatchers.changed() => break Ended::Told,
                    batch = tasks.recv() => match batch {
                        Some(batch) => start(&pool, batch),
                        None => break Ended::Gone,
                    },
                }
            }
        } else {
            Ended::Gone
        };
        pool.close();
        tasks.close();
        while let Some(batch) = tasks.recv().await {
            if pool.takes_tasks() {
                start(&pool, batch);
            } else {
                give_back(&pool, batch);
            }
        }
        pool.closed();
        if matches!(ended, Ended::Gone) {
            tokio::select! {
                biased;
                _ = wanted.changed() => {}
                _ = dispatchers.changed() => {}
            }
        }
    }
}

fn start(pool: &Arc<Pool>, batch: Vec<Task>) {
    let leases = pool.admit(&batch);
    for (task, lease) in batch.into_iter().zip(leases) {
        tokio::spawn(run::run(pool.clone(), lease, task));
    }
}

/// Tasks that were claimed for a fleet that no longer wants them go back at
/// once.
fn give_back(pool: &Arc<Pool>, batch: Vec<Task>) {
    for lease in pool.admit(&batch) {
        tokio::spawn(run::give_back(pool.clone(), lease));
    }
}
