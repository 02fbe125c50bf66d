//! Writing workers and clients against an engine in the same process.
//!
//! A [`WorkerRuntime`] runs async functions whose arguments are extracted from
//! the task; an application's own actor can be a handler too
//! ([`ActorHandler`]). A [`Client`] submits executions, waits for their
//! results and listens to events.
//!
//! ```no_run
//! # use leasehold_actors::EngineHandle;
//! # use leasehold_sdk::{Client, Json, Payload, WorkerRuntime};
//! # use std::time::Duration;
//! # async fn example(engine: EngineHandle) -> Result<(), leasehold_contract::EngineError> {
//! async fn double(Payload(number): Payload<u64>) -> Json<u64> {
//!     Json(number * 2)
//! }
//!
//! let worker = WorkerRuntime::builder(engine.clone()).on("double", double).start().await?;
//! let client = Client::new(engine);
//! let id = client.submit_json("double", &21).await?.execution_id;
//! let outcome = client.wait(id, Duration::from_secs(5)).await?;
//! assert_eq!(outcome.result.as_deref(), Some(&b"42"[..]));
//! worker.drain(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```

pub mod client;
#[cfg(feature = "remote")]
pub mod remote;
pub mod waits;
pub mod worker;

pub use client::{Client, Flow, Outcome, Signal, Submission, Submitted, SubmittedFlow, forward_events};
pub use worker::{
    ActorHandler, ActorTask, Call, Cancel, Context, Data, FenceOf, FromCall, HandlerError, IntoHandler, IntoOutcome,
    Json, Payload, PayloadBytes, Rejection, TaskInfo, Worker, WorkerBuilder, WorkerRuntime, category,
};

#[cfg(feature = "remote")]
pub use remote::{RemoteError, RemoteWorker};
pub use waits::{Answer, Halt, How, Issued, Resumed, Wait, Waits};

pub use leasehold_actors::events::{Received, Subscription};
pub use leasehold_actors::fleet::{
    DrainReport, FleetHealth, FleetOptions, FleetStatus, HandlerContext, HandlerOutcome, SLOTS_MAX,
};
pub use leasehold_contract::Task;
pub use leasehold_core::backoff::FailureClass;
pub use leasehold_core::flow::OnSatisfied;
pub use leasehold_core::record::TimeoutBehavior;
