//! Who is to answer, found before anything is stored.

use serde_json::{Value, json};

use super::answering::{Answering, Manner};
use super::chat::Chat;
use super::create::checked_model;
use super::reply::generation::Generation;
use super::reply::payer::{self, Payer, Wish};
use crate::app::App;
use crate::assistant::{Assistant, assistant};
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AssistantId, UserId};
use crate::vault::key::{self, StoredKey};

/// The most lanes that one question may have.
pub const MOST_LANES: usize = 4;

/// What becomes of the answers of several lanes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "ReplyMode")]
pub enum Mode {
    /// Every lane answers, and all answers stay, as siblings; the first lane's is the one that is shown.
    #[default]
    Compare,
    /// Every lane answers; the first answer that is complete stays and is shown, the others are stopped and removed. Who
    /// stops one of them ends the race with it. If all fail, the first lane's failure is shown.
    Race,
    /// One answer: each lane is asked only when the one before it failed without a word.
    Fallback,
}

/// Who is wished for as one of several.
#[derive(Debug, Clone)]
pub struct LaneWish {
    /// Whose model, and which.
    pub wish: Wish,
    /// In whose name.
    pub assistant_id: Option<AssistantId>,
}

/// How something is to be answered, this once.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Whose model, and which, when there is one answer.
    pub wish: Wish,
    /// Who, when there are several or substitutes.
    pub lanes: Option<Vec<LaneWish>>,
    /// What becomes of the lanes' answers.
    pub mode: Mode,
    /// Whether no tools may be used, whatever the chat has.
    pub without_tools: bool,
    /// Whether the model is to be asked, whatever it has answered before.
    pub without_cache: bool,
}

impl Reply {
    /// What tells it from another under the same idempotency key.
    pub fn asked(&self) -> Value {
        let lanes = self.lanes.as_ref().map(|lanes| {
            let lanes = lanes.iter();
            lanes
                .map(|lane| json!([wished(&lane.wish), lane.assistant_id.map(|id| id.0)]))
                .collect::<Vec<_>>()
        });
        let mut asked = vec![wished(&self.wish), json!(lanes), json!(format!("{:?}", self.mode))];
        // Left out where it is not said, so that repeats from before there were tools and a cache are
        // known.
        asked.extend(self.without_tools.then(|| json!("without tools")));
        asked.extend(self.without_cache.then(|| json!("without cache")));
        asked.into()
    }

    /// Whether it names models or assistants.
    pub fn is_particular(&self) -> bool {
        self.lanes.is_some() || self.wish.provider.is_some() || self.wish.model.is_some()
    }

    /// The same by the model itself: who wants another answer does not want the same one again.
    #[must_use]
    pub fn anew(self) -> Self {
        Reply {
            without_cache: true,
            ..self
        }
    }
}

fn wished(wish: &Wish) -> Value {
    json!([wish.provider.map(|provider| provider.name()), wish.model])
}

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

/// Everybody who is to answer, or what is sent to each of them: at least one.
#[derive(Debug)]
pub struct Lanes<T = Lane> {
    /// In the order in which they were named.
    pub lanes: Vec<T>,
    /// What becomes of their answers.
    pub mode: Mode,
    /// Whether they may use the chat's tools. Those that race never do: what the losers have done could not be undone.
    pub tools: bool,
    /// Whether an earlier answer may be given again.
    pub from_cache: bool,
}

impl<T> Lanes<T> {
    /// One lane alone, which is asked in any case.
    pub fn one(lane: T) -> Self {
        Lanes {
            lanes: vec![lane],
            mode: Mode::Compare,
            tools: true,
            from_cache: false,
        }
    }

    /// How many answers they write.
    pub fn answers(&self) -> usize {
        match self.mode {
            Mode::Compare | Mode::Race => self.lanes.len(),
            Mode::Fallback => 1,
        }
    }

    /// The same with something else for each lane.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Lanes<U> {
        Lanes {
            lanes: self.lanes.into_iter().map(change).collect(),
            mode: self.mode,
            tools: self.tools,
            from_cache: self.from_cache,
        }
    }
}

impl Lanes {
    /// Who answers `user_id` in this chat; where nothing is wished, as the chat and its assistant say.
    ///
    /// # Errors
    /// INVALID for lanes or models that cannot be, NOT_FOUND for an assistant, KEY_MISSING.
    pub async fn in_chat(
        connection: &mut Connection,
        app: &App,
        user_id: UserId,
        chat: &Chat,
        reply: Reply,
    ) -> Result<Self> {
        // On their way together: who waits for the first word waits for one statement less.
        let shared: &Connection = connection;
        let assistants = assistant::of_chat(shared, chat.id, user_id);
        let (assistants, keys) = tokio::join!(assistants, key::list(shared, user_id));
        let (first, keys) = (assistants?.into_iter().next(), keys?);
        let first = first.ok_or_else(|| Error::internal("there is no default assistant"))?;
        let who = Who {
            app,
            user_id,
            chat,
            keys,
        };
        let Some(wishes) = reply.lanes else {
            let model = checked_model(app, &["reply", "model"], reply.wish.model)?;
            let wish = Wish { model, ..reply.wish };
            let lane = who.lane(&first, wish)?;
            return Ok(Lanes {
                tools: !reply.without_tools,
                from_cache: !reply.without_cache,
                ..Lanes::one(lane)
            });
        };
        let refuse = |message: String| Err(Error::rejected(ErrorCode::Invalid, &["reply", "lanes"], message));
        if reply.wish.provider.is_some() || reply.wish.model.is_some() {
            return refuse("Name models either in the lanes or beside them, not both.".into());
        }
        if wishes.is_empty() || wishes.len() > MOST_LANES {
            return refuse(format!("Name at least one lane and at most {MOST_LANES}."));
        }
        let ids: Vec<AssistantId> = wishes.iter().filter_map(|lane| lane.assistant_id).collect();
        let named = assistant::find_open(connection, user_id, &ids).await?;
        let mut lanes = Vec::with_capacity(wishes.len());
        for (index, LaneWish { wish, assistant_id }) in wishes.into_iter().enumerate() {
            let index = index.to_string();
            let path = |field: &'static str| ["reply", "lanes", index.as_str(), field];
            let assistant = match assistant_id {
                Some(id) => named
                    .get(&id)
                    .ok_or_else(|| Error::not_found(&path("assistantId"), "assistant"))?,
                None => &first,
            };
            let model = checked_model(app, &path("model"), wish.model)?;
            let lane = who.lane(assistant, Wish { model, ..wish });
            lanes.push(lane.map_err(|error| error.at(&path("provider")))?);
        }
        Ok(Lanes {
            lanes,
            mode: reply.mode,
            tools: !reply.without_tools && reply.mode != Mode::Race,
            from_cache: !reply.without_cache,
        })
    }
}

/// For whom a lane is found, and where.
struct Who<'a> {
    app: &'a App,
    user_id: UserId,
    chat: &'a Chat,
    keys: Vec<StoredKey>,
}

impl Who<'_> {
    fn lane(&self, assistant: &Assistant, wish: Wish) -> Result<Lane> {
        let Answering {
            assistant_id,
            wish,
            manner,
        } = Answering::new(assistant, self.chat, wish);
        let payer = payer::choose(self.app, self.user_id, self.keys.clone(), wish)?;
        Ok(Lane {
            assistant_id: Some(assistant_id),
            payer,
            manner,
        })
    }
}

impl Lane {
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
