//! Answering a listener until it is told to stop.

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::{Extension, Router};
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long requests may still take once the server has been told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Tells requests that wait that the server is about to stop.
#[derive(Clone, Debug)]
pub(crate) struct Closing(watch::Receiver<bool>);

impl Closing {
    /// Ends when the server is told to stop; never ends without a server.
    pub async fn closed(closing: Option<Extension<Self>>) {
        if let Some(Extension(Self(mut closing))) = closing
            && closing.wait_for(|closing| *closing).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Serves `router` on `listener` until `shutdown` ends. Then nothing new is
/// accepted, requests that wait for work are answered with none, and the
/// others have ten seconds to end.
///
/// # Errors
///
/// What the listener reports.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (close, closing) = watch::channel(false);
    let told = Closing(closing.clone());
    let router = router.layer(middleware::from_fn(move |mut request: Request, next: Next| {
        request.extensions_mut().insert(told.clone());
        next.run(request)
    }));
    let mut server = pin!(
        axum::serve(listener, router)
            .with_graceful_shutdown(async move {
                shutdown.await;
                close.send_replace(true);
            })
            .into_future()
    );
    let closed = Closing::closed(Some(Extension(Closing(closing))));
    tokio::select! {
        ended = &mut server => return ended,
        () = closed => {}
    }
    if let Ok(ended) = tokio::time::timeout(DRAIN, server).await {
        return ended;
    }
    tracing::warn!("requests were still under way when the server stopped");
    Ok(())
}

#[cfg(test)]
mod tests;
