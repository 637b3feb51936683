//! Who is to answer, found before anything is stored.

use super::answering::{Answering, Manner};
use super::chat::Chat;
use super::create::checked_model;
use super::reply::generation::Generation;
use super::reply::payer::{self, Payer, Wish};
use crate::app::App;
use crate::assistant::assistant;
use crate::db::Connection;
use crate::error::{Error, Result};
use crate::id::{AssistantId, UserId};

/// An assistant, its model, and the key that pays for it.
#[derive(Debug)]
pub struct Lane {
    /// In whose name it is written; none for answers from before there was a choice.
    pub assistant_id: Option<AssistantId>,
    /// Whom to ask and with whose key.
    pub payer: Payer,
    /// In which manner.
    pub manner: Manner,
}

impl Lane {
    /// Who answers `user_id` in this chat; where nothing is wished, as the chat and its assistant say.
    ///
    /// # Errors
    /// INVALID for a model that cannot be one, KEY_MISSING.
    pub async fn in_chat(
        connection: &mut Connection,
        app: &App,
        user_id: UserId,
        chat: &Chat,
        wish: Wish,
    ) -> Result<Self> {
        let model = checked_model(app, &["reply", "model"], wish.model)?;
        let assistants = assistant::of_chat(connection, chat.id, user_id).await?;
        let assistant = assistants.into_iter().next();
        let assistant = assistant.ok_or_else(|| Error::internal("there is no default assistant"))?;
        let Answering {
            assistant_id,
            wish,
            manner,
        } = Answering::new(&assistant, chat, Wish { model, ..wish });
        let payer = payer::resolve(connection, app, user_id, wish).await?;
        Ok(Lane {
            assistant_id: Some(assistant_id),
            payer,
            manner,
        })
    }

    /// The same model and, as far as `user_id` can still use it, the same assistant as before.
    ///
    /// # Errors
    /// KEY_MISSING.
    pub async fn again(
        connection: &mut Connection,
        app: &App,
        user_id: UserId,
        generation: &Generation,
        assistant_id: Option<AssistantId>,
    ) -> Result<Self> {
        let wish = Wish {
            provider: generation.provider.parse().ok(),
            model: Some(generation.model.clone()),
        };
        let payer = payer::resolve(connection, app, user_id, wish).await?;
        let ids: Vec<AssistantId> = assistant_id.into_iter().collect();
        let found = assistant::find_open(connection, user_id, &ids).await?;
        Ok(Lane {
            assistant_id,
            payer,
            manner: found.values().next().map(Manner::of).unwrap_or_default(),
        })
    }
}
