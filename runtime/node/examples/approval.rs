//! A deployment that waits for two of three approvers. While it waits it takes
//! no slot; it may wait for weeks, and through restarts of the node.

use leasehold::{
    Data, EngineError, HandlerError, Issued, Node, Payload, TimeoutBehavior, Wait, Waits, contract::SignalOutcome,
};
use std::time::Duration;
use tokio::sync::mpsc;

/// Where the letters to the approvers go; mail, in earnest.
struct Mail(mpsc::UnboundedSender<Issued>);

async fn deploy(
    Payload(version): Payload<String>,
    Data(mail): Data<Mail>,
    mut waits: Waits,
) -> Result<String, HandlerError> {
    // Each approver gets a waitpoint of their own, and can vote for nobody
    // else. The handler begins anew when the votes are there: what must
    // happen once is part of the wait.
    let wait = Wait::quorum(2, ["ann", "ben", "cleo"])
        .timeout(Duration::from_hours(72), TimeoutBehavior::AutoResumeWithTimeoutSignal)
        .telling(|letters: Vec<Issued>| async move {
            for letter in letters {
                mail.0.send(letter)?;
            }
            Ok::<_, HandlerError>(())
        });
    let vote = waits.wait("approval", wait).await?;
    if !vote.is_approved() {
        return Err(HandlerError::permanent(format!("{version} was not approved in time")));
    }
    let by: Vec<_> = vote.signals.iter().map(|signal| signal.key.as_str()).collect();
    Ok(format!("{version} is deployed, approved by {}", by.join(" and ")))
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn show(line: &str) {
    println!("{line}");
}

#[tokio::main]
async fn main() -> Result<(), EngineError> {
    let node = Node::builder().memory().open().await?;
    let (mail, mut letters) = mpsc::unbounded_channel();
    node.worker("deployer").slots(1).data(Mail(mail)).on("deploy", deploy).start().await?;

    let client = node.client();
    let id = client.submit_json("deploy", &"v1.4").await?.execution_id;
    for (approver, vote) in [("ann", "approved"), ("ben", "rejected"), ("cleo", "approved")] {
        let Some(letter) = letters.recv().await else { break };
        let signal = client.signal(&letter, vote).from("user", approver).category("approval");
        if let SignalOutcome::Accepted { effect, .. } = signal.await? {
            show(&format!("{} votes {vote}: {}", letter.waitpoint_key, effect.as_str()));
        }
    }
    let outcome = client.wait(id, Duration::from_secs(5)).await?;
    show(&String::from_utf8_lossy(&outcome.result.unwrap_or_default()));

    node.drain(Duration::from_secs(5)).await?;
    node.shutdown().await;
    Ok(())
}
