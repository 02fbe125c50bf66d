//! An application's own actor as a handler.

use super::category;
use super::extract::Call;
use super::handler::{IntoHandler, KindHandler};
use futures::future::{BoxFuture, FutureExt};
use leasehold_actors::fleet::{HandlerContext, HandlerOutcome};
use leasehold_contract::Task;
use leasehold_core::backoff::FailureClass;
use ractor::{ActorRef, Message, RpcReplyPort};
use std::sync::Arc;

/// What the actor is sent for every execution.
#[derive(Debug)]
pub struct ActorTask {
    /// What is to be done.
    pub task: Task,
    /// Under which lease. The actor looks at its token, or hands it on.
    pub context: HandlerContext,
    /// How it ended. Letting go of the port fails the attempt at once.
    pub reply: RpcReplyPort<HandlerOutcome>,
}

/// Sends executions to an actor and waits for its reply. When the actor dies,
/// the attempts it was working on fail at once with `actor_died`.
pub struct ActorHandler<M> {
    resolve: Arc<dyn Fn() -> Option<ActorRef<M>> + Send + Sync>,
}

impl<M: Message + From<ActorTask>> ActorHandler<M> {
    /// A handler that is this very actor.
    pub fn new(actor: ActorRef<M>) -> Self {
        Self::resolving(move || Some(actor.clone()))
    }

    /// A handler that asks for its actor each time: one that is restarted by
    /// its supervisor comes back under a new reference.
    pub fn resolving(resolve: impl Fn() -> Option<ActorRef<M>> + Send + Sync + 'static) -> Self {
        Self { resolve: Arc::new(resolve) }
    }
}

/// Marks actors among the forms of handlers.
#[derive(Debug)]
pub struct ViaActor;

impl<M: Message + From<ActorTask>> IntoHandler<ViaActor> for ActorHandler<M> {
    fn into_handler(self) -> Arc<dyn KindHandler> {
        Arc::new(self)
    }
}

impl<M: Message + From<ActorTask>> KindHandler for ActorHandler<M> {
    fn call(&self, call: Call) -> BoxFuture<'static, HandlerOutcome> {
        let actor = (self.resolve)();
        async move {
            let context = match call.context() {
                Ok(context) => context.clone(),
                Err(rejection) => return rejection.into(),
            };
            let Some(actor) = actor else { return died("there is no actor for it") };
            let (port, reply) = ractor::concurrency::oneshot();
            let task = ActorTask { task: call.task, context, reply: port.into() };
            if actor.cast(M::from(task)).is_err() {
                return died("its actor has ended");
            }
            tokio::select! {
                biased;
                reply = reply => reply.unwrap_or_else(|_| died("its actor died or let go of it")),
                // The port may have been handed on and outlive the actor.
                _ = actor.wait(None) => died("its actor has ended"),
            }
        }
        .boxed()
    }
}

fn died(reason: &str) -> HandlerOutcome {
    HandlerOutcome::Fail {
        reason: reason.to_owned(),
        category: category::ACTOR_DIED.to_owned(),
        class: FailureClass::InfraCrash,
    }
}
