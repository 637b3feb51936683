//! Accepting connections, and letting them go when the server stops.
//!
//! Not `axum::serve`: that one waits for a client's first bytes for ever.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Peer;
use super::doors::Doors;

/// Serves connections until the doors' shutdown is cancelled, then until the last request is answered and the
/// last stream is closed, or the grace is over.
pub async fn serve(doors: &Doors, router: Router, listener: TcpListener) {
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = doors.shutdown().cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                doors
                    .tasks()
                    .spawn(connection(doors.clone(), router.clone(), stream, peer, cut.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors: some must be given back first.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    doors.tasks().close();
    if tokio::time::timeout(doors.settings().grace, doors.tasks().wait())
        .await
        .is_err()
    {
        tracing::warn!(
            left = doors.tasks().len(),
            "cutting the connections that did not end in time"
        );
        cut.cancel();
    }
}

async fn connection(doors: Doors, router: Router, stream: TcpStream, peer: SocketAddr, cut: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone at once");
        return;
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        async move {
            router
                .oneshot(request.map(Body::new))
                .await
                .map_err(|never: Infallible| match never {})
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(doors.settings().head_timeout)
        .max_buf_size(64 * 1024);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = doors.shutdown().cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = &mut connection => ended,
                () = cut.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}
