//! Presence in GraphQL.

use std::collections::HashSet;

use async_graphql::{Context, InputObject, Object, SimpleObject, Subscription};
use async_stream::try_stream;
use futures_util::Stream;

use super::run::PRESENCE;
use super::seen;
use crate::account::presence::Presence;
use crate::context::RequestContext;
use crate::error::{Error, Result, UserError};
use crate::id::UserId;

/// The most people that one stream can be about.
const MOST: usize = 100;

/// How the viewer wants to be seen; what is left away stays as it is.
#[derive(Debug, InputObject)]
pub struct SetPresenceInput {
    /// Whether nobody is in front of this device, as long as it is connected; it is in use whenever it connects.
    away: Option<bool>,
    /// Whether to be seen by nobody, on all devices and until it is changed again.
    invisible: Option<bool>,
}

/// The result of `setPresence`.
#[derive(Debug, SimpleObject)]
pub struct SetPresencePayload {
    /// Whether the viewer is seen by nobody.
    invisible: Option<bool>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// How people want to be seen.
#[derive(Debug, Default)]
pub struct PresenceMutation;

#[Object]
impl PresenceMutation {
    /// Says whether somebody is in front of this device, and whether the viewer wants to be seen at all. Somebody is
    /// here as long as a device of theirs has a live `events`, `chatEvents` or `presenceEvents`: ONLINE when one of them
    /// is in use, AWAY when none is.
    async fn set_presence(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How to be seen.")] input: SetPresenceInput,
    ) -> Result<SetPresencePayload> {
        let who = context.signed_in()?;
        let app = context.app();
        if let Some(away) = input.away {
            app.presence().set_away(who.user_id, who.session_id, away);
        }
        let mut connection = app.connection().await?;
        if let Some(invisible) = input.invisible
            && seen::set_invisible(&mut connection, who.user_id, invisible).await?
        {
            app.presence().shown(who.user_id, invisible);
        }
        let invisible = seen::is_invisible(&mut connection, who.user_id).await?;
        Ok(SetPresencePayload {
            invisible: Some(invisible),
            errors: Vec::new(),
        })
    }
}

/// The stream of who is here.
#[derive(Debug, Default)]
pub struct PresenceSubscription;

#[Subscription]
impl PresenceSubscription {
    /// Whether these people are here: first of each as it is now, then whenever it changes. Nobody is told apart who
    /// does not exist, is not here, or is not the viewer's to see. Not replayed: under pressure what was in between is
    /// left out.
    async fn presence_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which people, at most 100.")] user_ids: Vec<UserId>,
    ) -> Result<impl Stream<Item = Result<Presence>> + 'static> {
        let who = context.signed_in()?.clone();
        if user_ids.len() > MOST {
            return Err(Error::BadInput(format!("Name at most {MOST} people.")));
        }
        let app = context.app().clone();
        Ok(try_stream! {
            let _attending = app.presence().attend(&who);
            let ear = app.log().listen(who.user_id);
            let wanted: HashSet<UserId> = user_ids.iter().copied().collect();
            let seen = app.patiently(|| async { Ok(seen::by(&mut *app.connection().await?, who.user_id, &user_ids).await?) });
            for presence in seen.await? {
                yield presence;
            }
            loop {
                for signal in ear.next().await {
                    if signal.subject.kind == PRESENCE && wanted.contains(&UserId(signal.subject.about)) {
                        yield serde_json::from_value::<Presence>(signal.payload.clone()).map_err(Error::surprise)?;
                    }
                }
            }
        })
    }
}
