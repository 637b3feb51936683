//! The command line: every command is one call into the library.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use parlor::command;
use parlor::config::Settings;

/// A chat backend: people and AI models in the same rooms, over one GraphQL schema.
///
/// Without a command it serves. Every option can also be given by the environment variable named beside it.
#[derive(Debug, Parser)]
#[command(name = "parlor", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and its pages (this is the default).
    Serve,
    /// Bring the database up to date and exit; `serve` does so too.
    Migrate,
    /// Print the GraphQL schema.
    Schema,
    /// Look after accounts.
    #[command(subcommand)]
    User(command::user::Command),
    /// Look after the encryption of provider keys.
    #[command(subcommand)]
    Keys(command::keys::Command),
    /// Look after what is known of models and their prices.
    #[command(subcommand)]
    Models(command::models::Command),
    /// Check everything that `serve` needs, and say what is wrong.
    Doctor,
}

fn main() -> ExitCode {
    let Cli { settings, command } = Cli::parse();
    let done = match command.unwrap_or(Command::Serve) {
        Command::Serve => command::serve::run(settings),
        Command::Migrate => command::migrate::run(settings),
        Command::Schema => command::schema::run(),
        Command::User(command) => command::user::run(settings, command),
        Command::Keys(command) => command::keys::run(settings, command),
        Command::Models(command) => command::models::run(settings, command),
        Command::Doctor => command::doctor::run(settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parlor: {error}");
            ExitCode::FAILURE
        }
    }
}
