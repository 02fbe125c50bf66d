//! An application's own actors: one is the handler of its executions, one
//! listens to what happens.

use leasehold::{ActorHandler, ActorTask, HandlerOutcome, Node, Received, forward_events};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::time::Duration;
use tokio::sync::oneshot;

/// Counts the letters of the names it greets.
struct Greeter;

enum GreeterMsg {
    Greet(ActorTask),
}

impl From<ActorTask> for GreeterMsg {
    fn from(task: ActorTask) -> Self {
        Self::Greet(task)
    }
}

impl Actor for Greeter {
    type Msg = GreeterMsg;
    type State = usize;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<GreeterMsg>, (): ()) -> Result<usize, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<GreeterMsg>,
        GreeterMsg::Greet(ActorTask { task, reply, .. }): GreeterMsg,
        letters: &mut usize,
    ) -> Result<(), ActorProcessingErr> {
        let name = String::from_utf8_lossy(&task.payload);
        *letters += name.len();
        let greeting = format!("hello {name}, letter {letters}");
        reply.send(HandlerOutcome::Complete(Some(greeting.into())))?;
        Ok(())
    }
}

/// Shows events, and says when it has seen enough of them.
struct Ticker;

impl Actor for Ticker {
    type Msg = Received;
    type State = (usize, Option<oneshot::Sender<()>>);
    type Arguments = (usize, oneshot::Sender<()>);

    async fn pre_start(
        &self,
        _: ActorRef<Received>,
        (enough, done): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((enough, Some(done)))
    }

    async fn handle(
        &self,
        _: ActorRef<Received>,
        received: Received,
        (left, done): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match received {
            Received::Event(event) => {
                for fact in &event.facts {
                    show(&format!("  event {} {}", fact.kind(), event.execution_id));
                }
            }
            Received::Lagged(lost) => show(&format!("  {lost} events lost")),
            Received::Closed => {}
        }
        *left = left.saturating_sub(1);
        if *left == 0
            && let Some(done) = done.take()
        {
            // Whoever waits may have gone.
            done.send(()).unwrap_or(());
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn show(line: &str) {
    println!("{line}");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::builder().memory().open().await?;
    let client = node.client();

    // Two executions, each claimed once and completed once.
    let (done, seen) = oneshot::channel();
    let (ticker, _) = Actor::spawn(None, Ticker, (4, done)).await?;
    forward_events(client.subscribe()?, ticker, |received| received);

    let (greeter, _) = Actor::spawn(None, Greeter, ()).await?;
    node.worker("greeter").slots(1).on("greet", ActorHandler::new(greeter)).start().await?;

    for name in ["Ada", "Grace"] {
        let id = client.submit("greet", name).await?.execution_id;
        let outcome = client.wait(id, Duration::from_secs(5)).await?;
        show(&String::from_utf8_lossy(&outcome.result.unwrap_or_default()));
    }
    seen.await?;

    node.drain(Duration::from_secs(5)).await?;
    node.shutdown().await;
    Ok(())
}
