//! Going over to another model when one has failed before its first word.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::live::{Live, Notice};
use crate::ai::FailureKind;
use crate::app::App;
use crate::chat::event;
use crate::chat::plan::Plan;
use crate::db::schema::{chats, generations, messages};
use crate::error::{Error, Result};
use crate::event::append;
use crate::id::{ChatId, MessageId};
use crate::usage::terms::AttemptOutcome;
use crate::usage::{budget, ledger};

/// Stores that `next` answers now, and tells those who watch. False when the answer has ended or is gone: then nobody is
/// to be asked.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn fall_back(app: &App, live: &Live, next: &Plan, code: FailureKind) -> Result<bool> {
    let payer = &next.lane.payer;
    let provider = payer.endpoint.provider;
    let tab = live.tab();
    tab.ended(AttemptOutcome::Failed, Some(code));
    let terms = payer
        .tab
        .terms()
        .ok_or_else(|| Error::internal("a tab without terms"))?;
    let mut connection = app.upkeep_connection().await?;
    let stored = connection
        .transaction(async |connection| {
            // The chat's lock first: it orders the event.
            let chat: Option<ChatId> = chats::table
                .find(live.chat_id)
                .select(chats::id)
                .for_no_key_update()
                .first(connection)
                .await
                .optional()?;
            let changes = (
                generations::provider.eq(provider.name()),
                generations::model.eq(&payer.model),
                generations::key_source.eq(payer.source),
            );
            let open = generations::table
                .find(live.id)
                .filter(generations::finished_at.is_null());
            let message_id: Option<MessageId> = diesel::update(open)
                .set(changes)
                .returning(generations::message_id)
                .get_result(connection)
                .await
                .optional()?;
            let (Some(chat_id), Some(message_id)) = (chat, message_id) else {
                return Ok::<_, Error>(false);
            };
            diesel::update(messages::table.find(message_id))
                .set((
                    messages::assistant_id.eq(next.lane.assistant_id),
                    messages::version.eq(messages::version + 1),
                ))
                .execute(connection)
                .await?;
            append(
                connection,
                [event::message_updated(chat_id, message_id, &["GENERATION"])],
            )
            .await?;
            // The two may be charged to different ones.
            budget::lock_all(connection, live.user_id).await?;
            ledger::settle(connection, &tab).await?;
            tab.begin(terms, next.input_tokens);
            ledger::open(connection, &tab).await?;
            Ok(true)
        })
        .await;
    let stored = stored.inspect_err(|_| tab.withdraw())?;
    if stored {
        app.log().wake();
        live.notice(Notice::FellBack {
            provider,
            model: payer.model.clone(),
            code,
        });
    }
    Ok(stored)
}
