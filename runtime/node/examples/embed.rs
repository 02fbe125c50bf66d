//! A node in a few lines: open, handle, submit, wait, drain.

use leasehold::{Json, Node, Payload};
use std::time::Duration;

async fn double(Payload(number): Payload<u64>) -> Json<u64> {
    Json(number * 2)
}

#[tokio::main]
async fn main() -> Result<(), leasehold::EngineError> {
    let node = Node::builder().memory().open().await?;
    node.worker("doubler").on("double", double).start().await?;

    let client = node.client();
    let submitted = client.submit_json("double", &21).await?;
    let outcome = client.wait(submitted.execution_id, Duration::from_secs(5)).await?;
    let answer = outcome.result.unwrap_or_default();
    #[expect(clippy::print_stdout, reason = "an example shows its result")]
    {
        println!("{}: {}", outcome.public_state.as_str(), String::from_utf8_lossy(&answer));
    }

    node.drain(Duration::from_secs(5)).await?;
    node.shutdown().await;
    Ok(())
}
