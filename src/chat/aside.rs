//! What Parlor itself asks a model in the background, such as a title: nobody watches, and the answer comes in one piece.

use std::time::Duration;

use super::reply::payer::{self, Payer, Wish};
use crate::ai::{Provider, Request, Turn};
use crate::app::App;
use crate::id::{ChatId, UserId};
use crate::job::Trouble;
use crate::usage::aside as usage;
use crate::usage::terms::{self, Asker};
use crate::vault::health::{self, Report, Verdict};

/// What a background question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What to call a chat.
    Title,
    /// What was said in a chat, in few words.
    Summary,
}

impl Purpose {
    /// What plays this part where no model answers: the scripted provider has a script for it.
    fn script(self) -> &'static str {
        match self {
            Purpose::Title => "scripted:title,first=0,delay=0",
            Purpose::Summary => "scripted:summary,first=0,delay=0",
        }
    }

    /// What the ledger calls it.
    fn in_the_ledger(self) -> terms::Purpose {
        match self {
            Purpose::Title => terms::Purpose::Title,
            Purpose::Summary => terms::Purpose::Summary,
        }
    }
}

/// A question of Parlor's own.
#[derive(Debug)]
pub struct Aside {
    /// What it is for.
    pub purpose: Purpose,
    /// Who pays.
    pub user_id: UserId,
    /// Which chat it is about.
    pub chat_id: Option<ChatId>,
    /// Whose model, and which.
    pub wish: Wish,
    /// The question.
    pub turns: Vec<Turn>,
    /// How long the answer may get. Models that think first need room for it.
    pub max_output_tokens: u32,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The words.
    pub text: String,
    /// Whose model.
    pub provider: Provider,
    /// Which model.
    pub model: String,
}

/// Asks, and waits for the whole answer.
///
/// # Errors
/// Why there is none, and whether it is worth another try.
pub async fn ask(app: &App, aside: Aside) -> Result<Said, Trouble> {
    let connection = app.connection().await?;
    let payer = payer::resolve(&connection, app, aside.user_id, aside.wish).await?;
    drop(connection);
    let Payer {
        endpoint,
        model,
        key,
        tab,
        ..
    } = payer;
    let provider = endpoint.provider;
    let scripted = provider == Provider::Scripted;
    let answers = model.clone();
    let request = Request {
        model: if scripted {
            aside.purpose.script().to_owned()
        } else {
            model
        },
        turns: aside.turns,
        max_output_tokens: Some(aside.max_output_tokens),
        ..Request::default()
    };
    let asker = Asker {
        user_id: aside.user_id,
        payer_id: aside.user_id,
        chat_id: aside.chat_id,
        generation_id: None,
        purpose: aside.purpose.in_the_ledger(),
    };
    let said = usage::ask(
        app,
        usage::Aside {
            asker,
            tab,
            endpoint,
            request,
        },
    )
    .await?;
    if let Some(key) = &key {
        let verdict = match &said {
            Ok(_) => Verdict::Accepted,
            Err(failure) => Verdict::Refused(failure.kind),
        };
        let wait = said.as_ref().err().and_then(|failure| failure.retry_after);
        health::report(app, key, Report { wait, ..verdict.into() }).await;
    }
    let said = said.map(|text| Said {
        text,
        provider,
        model: answers,
    });
    said.map_err(|failure| {
        let detail = format!("{}: {}", failure.kind.name(), failure.detail);
        if failure.kind.retryable() {
            Trouble::passing(detail, failure.retry_after.or(Some(Duration::from_secs(2))))
        } else {
            Trouble::hopeless(detail)
        }
    })
}
