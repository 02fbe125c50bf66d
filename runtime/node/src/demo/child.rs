//! The remote worker's process, as the demo starts and kills it.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::process::{Child, ChildStdin, Command};

/// A running process of the remote worker. It ends with the demo, however
/// that ends: dropping this kills it, and it ends by itself when its input is
/// closed.
#[derive(Debug)]
pub(super) struct RemoteProcess {
    child: Child,
    // Held apart from the child, whose `wait` would close it.
    input: Option<ChildStdin>,
}

impl RemoteProcess {
    /// Starts this program once more, as a worker.
    pub fn start(address: SocketAddr, token: &str, instance: &str) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["demo-worker", "--url", &format!("http://{address}"), instance])
            // Not among the arguments, which every user of the machine can see.
            .env("LEASEHOLD_TOKEN", token)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    /// Kills it with SIGKILL; it gets no chance to give anything back.
    pub async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Lets it end by itself.
    pub async fn end(mut self) -> io::Result<()> {
        drop(self.input.take());
        self.child.wait().await.map(drop)
    }

    /// Waits until it has ended, which it should not.
    pub async fn ended(&mut self) -> io::Result<std::process::ExitStatus> {
        self.child.wait().await
    }
}
