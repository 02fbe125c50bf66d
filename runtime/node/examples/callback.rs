//! A payment that an outside service carries out and reports when it is done.
//! The service gets the waitpoint and its token with the order. In earnest it
//! is another program, which posts to `/v1/executions/{id}/signal`.

use leasehold::{Client, Data, EngineError, HandlerError, Issued, Json, Node, Payload, TimeoutBehavior, Wait, Waits};
use std::time::Duration;
use tokio::sync::mpsc;

/// An order to the service: how much, and whom to tell.
type Order = (u64, Issued);

struct Service(mpsc::UnboundedSender<Order>);

async fn pay(
    Payload(cents): Payload<u64>,
    Data(service): Data<Service>,
    mut waits: Waits,
) -> Result<Json<String>, HandlerError> {
    // One waitpoint: it exists before the execution is suspended, so that the
    // order is never lost, and an answer that comes at once is kept.
    let wait = Wait::callback()
        .timeout(Duration::from_mins(30), TimeoutBehavior::AutoResumeWithTimeoutSignal)
        .telling(|issued| async move { order(&service, cents, issued) });
    let answer = waits.wait("payment", wait).await?;
    match answer.first() {
        Some(receipt) if receipt.name == "paid" => Ok(Json(receipt.json()?)),
        Some(refusal) => Err(HandlerError::permanent(format!("the payment was {}", refusal.name))),
        // A retry orders again, with another waitpoint.
        None => Err(HandlerError::transient("the service did not answer")),
    }
}

fn order(service: &Service, cents: u64, issued: Vec<Issued>) -> Result<(), HandlerError> {
    for callback in issued {
        service.0.send((cents, callback))?;
    }
    Ok(())
}

/// The service: does its work and reports it; twice, as such services do.
async fn serve(client: Client, mut orders: mpsc::UnboundedReceiver<Order>) -> Result<(), EngineError> {
    while let Some((cents, callback)) = orders.recv().await {
        for _ in 0..2 {
            let report = client.signal(&callback, "paid").from("service", "payments").json(&format!("receipt-{cents}"));
            let outcome = report.idempotency_key(format!("payment-{cents}")).await?;
            show(&format!("the service reports {cents}: {outcome:?}"));
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn show(line: &str) {
    println!("{line}");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::builder().memory().open().await?;
    let client = node.client();
    let (orders, taken) = mpsc::unbounded_channel();
    let service = tokio::spawn(serve(client.clone(), taken));
    let worker = node.worker("cashier").data(Service(orders)).on("pay", pay).start().await?;

    let id = client.submit_json("pay", &1250).await?.execution_id;
    let outcome = client.wait(id, Duration::from_secs(5)).await?;
    show(&format!("{}: {}", outcome.public_state.as_str(), outcome.json::<String>()?));

    worker.drain(Duration::from_secs(5)).await;
    node.drain(Duration::from_secs(5)).await?;
    node.shutdown().await;
    // The worker and its order book are gone with the node.
    drop((worker, node, client));
    service.abort();
    Ok(())
}
