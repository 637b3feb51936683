//! Accepting connections, and letting them go when the server stops.
//!
//! Not `axum::serve`: that one waits for a client's first bytes for ever.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Peer;
use super::client_address;
use super::doors::Doors;
use super::write_deadline::WriteDeadline;

/// How often the log tells that there is no room.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// How many milliseconds what was sent may stay unacknowledged. With the heartbeat that is how a stream over HTTP is found
/// to be dead whose client is gone without a word.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: u32 = 14_000;

/// Serves connections until the doors' shutdown is cancelled, then until the last request is answered and the
/// last stream is closed, or the grace is over.
pub async fn serve(doors: &Doors, router: Router, listener: TcpListener) {
    let cut = CancellationToken::new();
    let mut warned: Option<Instant> = None;
    let room = Arc::new(Semaphore::new(doors.settings().connections));
    loop {
        if room.available_permits() == 0 && warned.is_none_or(|at| at.elapsed() > WARN_EVERY) {
            warned = Some(Instant::now());
            tracing::warn!(
                limit = doors.settings().connections,
                "all connections are taken; more wait"
            );
        }
        let accepted = tokio::select! {
            biased;
            () = doors.shutdown().cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, peer, seat)) => {
                let is_proxy = client_address::is_among(peer.ip(), &doors.settings().trusted_proxies);
                let place = doors.connections().of_peer(peer.ip());
                if place.is_none() && !is_proxy {
                    tracing::debug!(%peer, "an address has too many connections");
                    continue;
                }
                let connection = connection(doors.clone(), router.clone(), stream, peer, cut.clone());
                doors.tasks().spawn(async move {
                    let _held = (seat, place);
                    connection.await;
                });
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

/// Accepts a connection once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let seat = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, seat))
}

async fn connection(doors: Doors, router: Router, stream: TcpStream, peer: SocketAddr, cut: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone at once");
        return;
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED) {
        tracing::debug!(%error, "a connection that is dead will be noticed late");
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
    let stream = WriteDeadline::new(stream, doors.settings().write_timeout);
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
