//! `parlor serve`

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::database::Database;
use super::{Outcome, block_on, prepare};
use crate::app::App;
use crate::config::{Config, Settings};
use crate::vault::server as server_keys;
use crate::{graphql, server};

/// How long clients are told that the server stops when its database has ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves until it is told to stop.
///
/// # Errors
/// Why it cannot start, in words that say what to do.
pub fn run(settings: Settings) -> Outcome {
    let config = prepare(settings, true)?;
    block_on(serve(config))
}

async fn serve(config: Config) -> Outcome {
    let address = config.settings.listen;
    // Before anything is started: a taken port is the commonest mistake.
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("Cannot listen on {address}: {error}. Choose another address with PARLOR_LISTEN or --listen.")
    })?;
    let address = listener.local_addr()?;
    // From here on a signal stops us in order, also while starting.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    tokio::pin!(stop);
    let database = tokio::select! {
        opened = Database::open(&config) => opened?,
        _ = &mut stop => return Ok(()),
    };
    let started = App::start(config.clone(), &database.url).await;
    let app = match started {
        Ok(app) => app,
        Err(error) => {
            database.close().await;
            return Err(error.into());
        }
    };
    greet(&config, address);
    let schema = graphql::build(app.clone());
    let serving = tokio::spawn(server::serve(app.clone(), schema, listener));
    let lost = tokio::select! {
        signal = &mut stop => {
            tracing::info!(signal, "stopping");
            false
        }
        () = database.lost() => {
            tracing::error!("the embedded Postgres has ended; stopping. Whoever starts Parlor should start it again.");
            true
        }
    };
    // A second signal ends at once: what is committed is safe. Without a database nothing more can be.
    let patience = async {
        match lost {
            true => tokio::time::sleep(FAREWELL).await,
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        () = async { app.stop().await; drop(serving.await) } => {}
        () = patience => {}
        signal = second_signal() => tracing::warn!(signal, "stopping at once"),
    }
    drop(app);
    database.close().await;
    if lost {
        Err("The embedded Postgres has ended.".into())
    } else {
        Ok(())
    }
}

async fn second_signal() -> &'static str {
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        },
        _ => std::future::pending().await,
    }
}

fn greet(config: &Config, address: SocketAddr) {
    for notice in &config.notices {
        println!("{notice}");
    }
    println!(
        "Parlor {} serves GraphQL at http://{address}/graphql",
        env!("CARGO_PKG_VERSION")
    );
    if config.is_development() {
        println!("  try it in a chat:     http://{address}/demo");
        println!("  try it in GraphiQL:   http://{address}/graphiql");
        if server_keys::endpoints(&config.settings).next().is_none() {
            println!(
                "  Without a provider key the scripted provider answers; set OPENAI_API_KEY, or add a key in the demo's settings."
            );
        }
    }
}
