//! From what a person wants to what will be sent: who answers, in which manner, with whose key, and with what of the
//! conversation. Nothing is stored here, and what a model could not take is refused here.

use super::builtin;
use super::chat::Chat;
use super::lane::Lanes;
use super::plan::history::Tip;
use super::plan::{Material, Plan};
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId, ToolServerId, UserId};
use crate::tool::builtin::{BuiltinTool, Caller};
use crate::tool::offer::Offer;

/// What a model is told behind the part of an answer that it is to go on with.
const GO_ON: &str = "Your last message broke off. Go on exactly where it ends, in the middle of a word if need be. \
    Repeat nothing of it and say nothing about going on.";

/// The tools that an answer may use: those that its chat has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tools<'a> {
    servers: &'a [Option<ToolServerId>],
    builtins: &'a [Option<BuiltinTool>],
}

impl<'a> Tools<'a> {
    /// Those of this chat.
    pub fn of(chat: &'a Chat) -> Self {
        Tools {
            servers: &chat.tool_server_ids,
            builtins: &chat.builtin_tools,
        }
    }

    fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.builtins.is_empty()
    }

    async fn offer(&self, connection: &mut Connection, user_id: UserId, chat_id: ChatId) -> Result<Offer> {
        let caller = Caller { user_id, chat_id };
        let servers: Vec<ToolServerId> = self.servers.iter().flatten().copied().collect();
        let wanted: Vec<BuiltinTool> = self.builtins.iter().flatten().copied().collect();
        Offer::load(connection, caller, &servers, &builtin::chosen(&wanted)).await
    }
}

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
    /// The tools that the answer may use.
    pub tools: Tools<'a>,
    /// How many of the newest messages the model is shown in any case.
    pub at_least: usize,
    /// How many bytes of the message at `tip` are shown; none for all of them.
    pub tip_octets: Option<usize>,
}

impl<'a> Ask<'a> {
    /// What `user_id` wants in this chat.
    pub fn new(user_id: UserId, chat: &'a Chat, tip: Tip, question: Option<&'a str>) -> Self {
        Ask {
            user_id,
            chat_id: chat.id,
            last_sequence: chat.last_sequence,
            tip,
            question,
            tools: Tools::of(chat),
            at_least: usize::from(question.is_none()),
            tip_octets: None,
        }
    }

    /// Going on with the answer at `tip`: it and its question are shown in any case.
    pub fn going_on(user_id: UserId, chat: &'a Chat, answer: MessageId) -> Self {
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
        let mut material = Material::read(connection, app, self).await?;
        material.from_cache = lanes.from_cache;
        if lanes.tools && !self.tools.is_empty() {
            material.offer = self.tools.offer(connection, self.user_id, self.chat_id).await?;
        }
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
