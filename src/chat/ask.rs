//! From what a person wants to what will be sent: who answers, in which manner, with whose key, and with what of the
//! conversation. Nothing is stored here, and what a model could not take is refused here.

use super::chat::Chat;
use super::lane::Lanes;
use super::plan::history::Tip;
use super::plan::{Material, Plan};
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId, UserId};

/// What a model is told behind the part of an answer that it is to go on with.
const GO_ON: &str = "Your last message broke off. Go on exactly where it ends, in the middle of a word if need be. \
    Repeat nothing of it and say nothing about going on.";

/// What a person wants answered.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who.
    pub user_id: UserId,
    /// Where.
    pub chat_id: ChatId,
    /// The number of the chat's newest message.
    pub last_sequence: i64,
    /// After which message.
    pub tip: Tip,
    /// What; none when the message at `tip` is the question.
    pub question: Option<&'a str>,
    /// How many of the newest messages the model is shown in any case.
    pub at_least: usize,
}

impl<'a> Ask<'a> {
    /// What `user_id` wants in this chat.
    pub fn new(user_id: UserId, chat: &Chat, tip: Tip, question: Option<&'a str>) -> Self {
        Ask {
            user_id,
            chat_id: chat.id,
            last_sequence: chat.last_sequence,
            tip,
            question,
            at_least: usize::from(question.is_none()),
        }
    }

    /// Going on with the answer at `tip`: it and its question are shown in any case.
    pub fn going_on(user_id: UserId, chat: &Chat, answer: MessageId) -> Self {
        Ask {
            at_least: 2,
            ..Ask::new(user_id, chat, Tip::At(answer), Some(GO_ON))
        }
    }

    /// What would be sent to the models of `lanes`, though it may be too much.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn look(&self, connection: &mut Connection, app: &App, lanes: Lanes) -> Result<Lanes<Plan>> {
        let material = Material::read(connection, app, self).await?;
        Ok(lanes.map(|lane| material.plan(app, lane)))
    }

    /// What will be sent to the models of `lanes`.
    ///
    /// # Errors
    /// CONTEXT_TOO_LONG, or when Postgres fails.
    pub async fn plan(&self, connection: &mut Connection, app: &App, lanes: Lanes) -> Result<Lanes<Plan>> {
        let plans = self.look(connection, app, lanes).await?;
        match plans.lanes.iter().find_map(Plan::refusal) {
            Some(refusal) => Err(Error::Rejected(vec![refusal])),
            None => Ok(plans),
        }
    }
}
