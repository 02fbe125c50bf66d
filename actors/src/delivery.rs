//! The last step of a task: from its partition to whoever asked for it.
//!
//! Between the moment a partition hands a task over and the moment the asker
//! is woken, the asker may go away. What lies in an inbox nobody opens any
//! more is given back, so that the next worker gets it at once and it does not
//! count as a reclaim.

use crate::dispatcher::{DispatcherHandle, WorkerKey};
use crate::partition::ClaimSink;
use crate::router::Router;
use leasehold_contract::{EngineResult, Task};
use leasehold_core::command::{CommandSource, Delay};
use leasehold_core::error::EngineError;
use tokio::sync::{mpsc, oneshot};

/// Where the tasks of one poll arrive.
pub(crate) struct PollInbox {
    router: Router,
    dispatcher: DispatcherHandle,
    worker: WorkerKey,
    tasks: mpsc::Receiver<Vec<Task>>,
    /// What has come; given back with the rest when nobody takes it.
    held: Vec<Task>,
}

impl PollInbox {
    /// An inbox for what the dispatcher finds for a worker.
    pub(crate) fn new(
        router: Router,
        dispatcher: DispatcherHandle,
        worker: WorkerKey,
        tasks: mpsc::Receiver<Vec<Task>>,
    ) -> Self {
        Self { router, dispatcher, worker, tasks, held: Vec::new() }
    }

    /// Waits for the first tasks, or until the dispatcher is gone.
    pub(crate) async fn first(&mut self) {
        self.held.extend(self.tasks.recv().await.unwrap_or_default());
    }

    /// Asks for no more and waits for the claims that are under way: each of
    /// them would else be claimed for nothing and given back.
    pub(crate) async fn claimed(&mut self) {
        self.dispatcher.close(self.worker);
        while let Some(more) = self.tasks.recv().await {
            self.held.extend(more);
        }
    }

    /// What has come until now. Whatever comes later is given back.
    pub(crate) fn take(mut self) -> Vec<Task> {
        self.empty()
    }

    fn empty(&mut self) -> Vec<Task> {
        self.dispatcher.close(self.worker);
        self.tasks.close();
        while let Ok(more) = self.tasks.try_recv() {
            self.held.extend(more);
        }
        std::mem::take(&mut self.held)
    }
}

impl Drop for PollInbox {
    fn drop(&mut self) {
        let left = self.empty();
        give_back(&self.router, left);
    }
}

/// Where the tasks of one claim arrive.
pub(crate) struct ClaimInbox {
    router: Router,
    reply: oneshot::Receiver<EngineResult<Vec<Task>>>,
}

impl ClaimInbox {
    /// An inbox, and the sink that a partition delivers to.
    pub(crate) fn new(router: Router) -> (Self, ClaimSink) {
        let (port, reply) = oneshot::channel();
        let sink: ClaimSink = Box::new(move |result| match port.send(result) {
            Ok(()) | Err(Err(_)) => Vec::new(),
            Err(Ok(undelivered)) => undelivered,
        });
        (Self { router, reply }, sink)
    }

    /// Waits for the tasks.
    pub(crate) async fn tasks(mut self) -> EngineResult<Vec<Task>> {
        (&mut self.reply).await.map_err(|_| EngineError::OutcomeUnknown { op: "claim" })?
    }
}

impl Drop for ClaimInbox {
    fn drop(&mut self) {
        self.reply.close();
        if let Ok(Ok(left)) = self.reply.try_recv() {
            give_back(&self.router, left);
        }
    }
}

fn give_back(router: &Router, tasks: Vec<Task>) {
    if tasks.is_empty() {
        return;
    }
    // Without a runtime the engine has gone, and the leases lapse.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let router = router.clone();
    runtime.spawn(async move {
        for task in tasks {
            let execution_id = task.claimed.execution_id;
            let give_back = Delay {
                execution_id,
                fence: task.claimed.fence().into(),
                source: CommandSource::LeaseHolder,
                delay_until: router.partition_time(),
            };
            if let Err(error) = router.submit(give_back).await {
                tracing::debug!(%execution_id, %error, "an undelivered task was not given back");
            }
        }
    });
}
