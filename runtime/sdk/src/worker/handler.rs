//! Async functions as handlers.

use super::extract::{Call, FromCall};
use super::outcome::IntoOutcome;
use futures::future::{BoxFuture, FutureExt};
use leasehold_actors::fleet::HandlerOutcome;
use std::marker::PhantomData;
use std::sync::Arc;

/// A handler of one kind of execution.
pub trait KindHandler: Send + Sync + 'static {
    /// Works on one execution.
    fn call(&self, call: Call) -> BoxFuture<'static, HandlerOutcome>;
}

/// What can be registered for a kind: async functions of up to four
/// extractors, actors, and handlers as they are. `Marker` only tells the
/// forms apart.
pub trait IntoHandler<Marker> {
    /// As a handler.
    fn into_handler(self) -> Arc<dyn KindHandler>;
}

impl IntoHandler<()> for Arc<dyn KindHandler> {
    fn into_handler(self) -> Arc<dyn KindHandler> {
        self
    }
}

/// An async function with its arguments' types.
struct Function<F, Args> {
    function: F,
    arguments: PhantomData<fn() -> Args>,
}

macro_rules! function_handler {
    ($($argument:ident),*) => {
        impl<F, Fut, $($argument,)*> KindHandler for Function<F, ($($argument,)*)>
        where
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
            Fut::Output: IntoOutcome,
            $($argument: FromCall + 'static,)*
        {
            #[allow(unused_variables, non_snake_case, reason = "a function without arguments looks at nothing")]
            fn call(&self, call: Call) -> BoxFuture<'static, HandlerOutcome> {
                $(let $argument = match $argument::from_call(&call) {
                    Ok(argument) => argument,
                    Err(rejection) => return std::future::ready(HandlerOutcome::from(rejection)).boxed(),
                };)*
                (self.function)($($argument),*).map(IntoOutcome::into_outcome).boxed()
            }
        }

        impl<F, Fut, $($argument,)*> IntoHandler<(Fut, $($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
            Fut::Output: IntoOutcome,
            $($argument: FromCall + 'static,)*
        {
            fn into_handler(self) -> Arc<dyn KindHandler> {
                Arc::new(Function { function: self, arguments: PhantomData::<fn() -> ($($argument,)*)> })
            }
        }
    };
}

function_handler!();
function_handler!(A);
function_handler!(A, B);
function_handler!(A, B, C);
function_handler!(A, B, C, D);
