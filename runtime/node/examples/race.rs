//! A race: three executions each wait for a quote of another supplier; the
//! first that has one lets the purchase go on, and the others are cancelled
//! where they wait.

use leasehold::{
    Answer, Client, Data, EngineError, Flow, HandlerError, Issued, Node, OnSatisfied, Payload, PayloadBytes, Wait,
    Waits,
};
use std::time::Duration;
use tokio::sync::mpsc;

const SUPPLIERS: [&str; 3] = ["north", "south", "west"];

/// Where requests for quotes go.
struct Requests(mpsc::UnboundedSender<(String, Issued)>);

async fn quote(
    Payload(supplier): Payload<String>,
    Data(requests): Data<Requests>,
    mut waits: Waits,
) -> Result<String, HandlerError> {
    let ask = supplier.clone();
    let wait = Wait::callback().telling(|issued: Vec<Issued>| async move {
        for callback in issued {
            requests.0.send((ask.clone(), callback))?;
        }
        Ok::<_, HandlerError>(())
    });
    let answer = waits.wait("quote", wait).await?;
    let price: u64 = answer.first().map(Answer::json).transpose()?.unwrap_or_default();
    Ok(format!("{supplier} for {price}"))
}

/// Gets the winner's result as its payload.
async fn buy(PayloadBytes(quote): PayloadBytes) -> Vec<u8> {
    [b"bought from ", &quote[..]].concat()
}

/// The race as a flow: any one quote is enough for the purchase.
fn race(client: &Client) -> Flow {
    let quote = |supplier: &str| client.submit_json("quote", &supplier);
    let flow = SUPPLIERS.into_iter().fold(client.flow("purchase"), |flow, name| flow.node(name, quote(name)));
    flow.node("purchase", client.submit("buy", Vec::new())).takes(SUPPLIERS).any_of(OnSatisfied::CancelRemaining)
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn show(line: &str) {
    println!("{line}");
}

#[tokio::main]
async fn main() -> Result<(), EngineError> {
    let node = Node::builder().memory().open().await?;
    let client = node.client();
    let (requests, mut asked) = mpsc::unbounded_channel();
    let worker = node.worker("buyer").slots(1).data(Requests(requests)).on("quote", quote).on("buy", buy);
    worker.start().await?;

    let flow = race(&client).await?;
    let mut callbacks = Vec::new();
    while callbacks.len() < SUPPLIERS.len() {
        callbacks.extend(asked.recv().await);
    }
    let (winner, callback) = &callbacks[1];
    show(&format!("all suppliers are asked; {winner} answers first"));
    client.signal(callback, "quoted").from("supplier", winner).json(&990).await?;

    for (name, id) in flow.members {
        let outcome = client.wait(id, Duration::from_secs(5)).await?;
        let result = outcome.result.unwrap_or_default();
        show(&format!("{name:8} {:9} {}", outcome.public_state.as_str(), String::from_utf8_lossy(&result)));
    }

    node.drain(Duration::from_secs(5)).await?;
    node.shutdown().await;
    Ok(())
}
