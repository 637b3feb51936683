//! `parlor user …`

use std::io::{BufRead, IsTerminal};

use clap::{Subcommand, ValueEnum};
use secrecy::SecretString;

use super::database::Database;
use super::{Outcome, block_on, prepare};
use crate::account::audit::Actor;
use crate::account::register::NewUser;
use crate::account::user::{Role, User};
use crate::account::{admin, password, profile, register};
use crate::app::App;
use crate::config::Settings;
use crate::error::Error;
use crate::page::{PageArguments, Window};

/// A role, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Chats.
    User,
    /// Also looks after accounts.
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::User => Role::User,
            RoleName::Admin => Role::Admin,
        }
    }
}

/// What can be done with accounts. Passwords are read from the terminal or, in a pipe, from the first line of the input.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an account; the password is asked for.
    Create {
        /// 3 to 32 letters, digits, dots, dashes and underscores.
        username: String,
        /// The e-mail address.
        email: String,
        /// The name that others see.
        #[arg(long)]
        display_name: Option<String>,
        /// What the person may do.
        #[arg(long, value_enum, default_value = "user")]
        role: RoleName,
    },
    /// List the accounts, newest first.
    List {
        /// Part of the user name, display name or e-mail address.
        query: Option<String>,
    },
    /// Give an account a role. Its live streams end within seconds.
    SetRole {
        /// The user name or the e-mail address.
        identifier: String,
        /// The role.
        #[arg(value_enum)]
        role: RoleName,
    },
    /// Give an account a new password, which is asked for. All its sessions end within seconds.
    ResetPassword {
        /// The user name or the e-mail address.
        identifier: String,
    },
}

/// Runs it, also beside a running server.
///
/// # Errors
/// What was refused, in words.
pub fn run(settings: Settings, command: Command) -> Outcome {
    let config = prepare(settings, false)?;
    block_on(async {
        let database = Database::open(&config).await?;
        let app = App::open(config, &database.url).await?;
        let done = act(&app, command).await;
        drop(app);
        database.close().await;
        done
    })
}

async fn act(app: &App, command: Command) -> Outcome {
    match command {
        Command::Create {
            username,
            email,
            display_name,
            role,
        } => {
            let new = NewUser {
                username,
                email,
                password: read_password()?,
                display_name,
            };
            let user = register::create(app, new.check().map_err(in_words)?, role.into())
                .await
                .map_err(in_words)?;
            println!(
                "Made the account {} <{}>, {}.",
                user.username,
                user.email,
                user.role.as_str()
            );
        }
        Command::List { query } => list(app, query).await?,
        Command::SetRole { identifier, role } => {
            let user = find(app, &identifier).await?;
            let user = admin::set_role(app, Actor::default(), user.id, role.into())
                .await
                .map_err(in_words)?;
            println!("{} is {} now.", user.username, user.role.as_str());
        }
        Command::ResetPassword { identifier } => {
            let user = find(app, &identifier).await?;
            let new = read_password()?;
            password::check_strength(&["password"], &new, &[&user.username, &user.email])
                .map_err(|error| error.message)?;
            profile::set_password(app, user.id, None, new, None, Actor::default())
                .await
                .map_err(in_words)?;
            println!(
                "{} has a new password; all sessions of the account are over.",
                user.username
            );
        }
    }
    Ok(())
}

async fn list(app: &App, query: Option<String>) -> Outcome {
    let mut after = None;
    loop {
        let mut window = Window::forward(PageArguments::default(), 100)?;
        window.after = after;
        let filter = admin::UserFilter {
            query: query.clone(),
            ..admin::UserFilter::default()
        };
        let users = admin::users(&mut *app.connection().await?, filter, &window).await?;
        for user in users.iter().take(100) {
            let state = if user.deactivated_at.is_some() {
                "deactivated"
            } else {
                "active"
            };
            println!(
                "{:<32} {:<5} {:<11} {}  {}",
                user.username,
                user.role.as_str(),
                state,
                user.created_at.format("%Y-%m-%d"),
                user.email
            );
        }
        match users.get(99).filter(|_| users.len() > 100) {
            Some(last) => after = Some((last.created_at, last.id)),
            None => return Ok(()),
        }
    }
}

async fn find(app: &App, identifier: &str) -> Result<User, Box<dyn std::error::Error + Send + Sync>> {
    let found = User::find_by_identifier(&mut *app.connection().await?, identifier).await?;
    found.ok_or_else(|| format!("There is no account {identifier}. `parlor user list` shows them.").into())
}

fn read_password() -> Result<SecretString, Box<dyn std::error::Error + Send + Sync>> {
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password("Password: ")?.into());
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).into())
}

fn in_words(error: Error) -> String {
    match error {
        Error::Rejected(errors) => errors
            .into_iter()
            .map(|error| error.message)
            .collect::<Vec<_>>()
            .join("\n"),
        other => other.to_string(),
    }
}
