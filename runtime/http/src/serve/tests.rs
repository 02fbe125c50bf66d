//! A server on a real socket.

use super::*;
use crate::testing::Harness;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

const POLL: &str =
    r#"{"lanes":["mail"],"worker_instance_id":"w-1","credits":1,"lease_ttl_ms":1000,"max_wait_ms":60000}"#;

/// Tells when it is dropped.
struct Gone(Option<oneshot::Sender<()>>);

impl Drop for Gone {
    fn drop(&mut self) {
        if let Some(gone) = self.0.take() {
            gone.send(()).unwrap_or(());
        }
    }
}

/// A server that tells when a request has come in and when it was let go.
struct Server {
    address: std::net::SocketAddr,
    arrived: Arc<Notify>,
    gone: oneshot::Receiver<()>,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<io::Result<()>>,
    _api: Harness,
}

async fn start() -> Server {
    let api = Harness::new().await;
    let arrived = Arc::new(Notify::new());
    let (gone, is_gone) = oneshot::channel();
    let guard = Arc::new(std::sync::Mutex::new(Some(Gone(Some(gone)))));
    let arrival = arrived.clone();
    let router = api.router.clone().layer(middleware::from_fn(move |request: Request, next: Next| {
        let guard = guard.lock().unwrap().take();
        arrival.notify_one();
        async move {
            let response = next.run(request).await;
            drop(guard);
            response
        }
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(serve(listener, router, async move {
        drop(stopped.await);
    }));
    Server { address, arrived, gone: is_gone, stop, ended, _api: api }
}

async fn send_poll(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/workers/w/claim HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{POLL}", POLL.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_caller_that_hangs_up_ends_its_poll() {
    let server = start().await;
    let stream = send_poll(server.address).await;
    server.arrived.notified().await;
    drop(stream);
    server.gone.await.unwrap();
}

#[tokio::test]
async fn a_server_that_stops_answers_polls_with_no_tasks_and_ends() {
    let server = start().await;
    let mut stream = send_poll(server.address).await;
    server.arrived.notified().await;
    server.stop.send(()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with(r#"{"tasks":[]}"#), "{answer}");
    server.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let server = start().await;
    drop(server.stop);
    server.ended.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
