//! Search as clients see it.

use async_graphql::connection::{Connection, ConnectionNameType, EdgeNameType, EmptyFields, OpaqueCursor};
use async_graphql::{Context, InputObject, Object, OutputType, SimpleObject};
use chrono::{DateTime, Utc};

use crate::chat::message::{self, Message, MessageRole};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::id::{ChatId, UserId};
use crate::page::{PageArguments, Window};
use crate::search::highlight::{self, Fragment, Span};
use crate::search::{self, Hit, HitKey, Looking};

/// How many hits a page has when nobody says.
const HITS: i32 = 20;
/// The most chats that a search names.
const MOST_CHATS: usize = 100;

/// What a connection of hits is called.
#[derive(Debug)]
pub struct SearchConnectionName;

impl ConnectionNameType for SearchConnectionName {
    fn type_name<T: OutputType>() -> String {
        "SearchConnection".to_owned()
    }
}

/// What its edges are called.
#[derive(Debug)]
pub struct SearchEdgeName;

impl EdgeNameType for SearchEdgeName {
    fn type_name<T: OutputType>() -> String {
        "SearchEdge".to_owned()
    }
}

/// A page of hits.
pub type SearchConnection =
    Connection<OpaqueCursor<HitKey>, SearchHit, SearchSummary, EmptyFields, SearchConnectionName, SearchEdgeName>;

/// Where to search; what is left away does not matter.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "SearchFilter")]
pub struct SearchFilterInput {
    /// Only in these chats, at most 100.
    chat_ids: Option<Vec<ChatId>>,
    /// Only what this person wrote.
    author_id: Option<UserId>,
    /// Only messages with one of these roles.
    roles: Option<Vec<MessageRole>>,
    /// Only messages from this moment on.
    from: Option<DateTime<Utc>>,
    /// Only messages before this moment.
    to: Option<DateTime<Utc>>,
}

/// What is known of a search as a whole.
#[derive(Debug, SimpleObject)]
pub struct SearchSummary {
    /// Whether everything was looked at. Of words that thousands of messages hold only the newest 2000 messages are
    /// ranked; phrases, and words of which none is rare, are looked for in the newest 16000 messages that hold the rarest
    /// of the words; and nobody's chats are searched beyond the newest 2000. Then this is false, and a narrower search may
    /// find more.
    complete: bool,
    /// What was looked for instead of words that nothing was found for; empty when something was.
    corrections: Vec<SearchCorrection>,
}

/// A word that was probably misspelled.
#[derive(Debug, SimpleObject)]
pub struct SearchCorrection {
    /// As it was typed.
    word: String,
    /// What was looked for instead: words of the viewer's own latest messages, the likeliest first.
    meant: Vec<String>,
}

/// A message that was found.
#[derive(Debug)]
pub struct SearchHit {
    hit: Hit,
    message: Message,
    fragments: Vec<Fragment>,
}

/// A message that was found, and why.
#[Object]
impl SearchHit {
    /// The message.
    async fn message(&self) -> &Message {
        &self.message
    }

    /// How well it fits: more often, closer together, as typed, in a shorter text and not long ago all count. Says
    /// something beside other hits of the same search only.
    async fn rank(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let score = self.hit.score as f64;
        score / 1e6
    }

    /// The pieces of the text that the words are in, at most three; its beginning when there are none to show.
    async fn fragments(&self) -> Vec<SearchFragment<'_>> {
        self.fragments.iter().map(SearchFragment).collect()
    }
}

/// A piece of a text with words that were looked for.
#[derive(Debug)]
pub struct SearchFragment<'a>(&'a Fragment);

/// A piece of a text with words that were looked for. Offsets count UTF-16 code units, as JavaScript, Dart and Java do.
#[Object]
impl SearchFragment<'_> {
    /// The piece, as it is: no markup is added, none is taken away.
    async fn text(&self) -> &str {
        &self.0.text
    }

    /// Where it begins in the message's content.
    async fn start(&self) -> i32 {
        offset(self.0.start)
    }

    /// Where the words are in the piece.
    async fn matches(&self) -> Vec<SearchMatch> {
        self.0.matches.iter().map(SearchMatch::from).collect()
    }
}

/// A word in a piece of a text.
#[derive(Debug, SimpleObject)]
pub struct SearchMatch {
    /// Where it begins in the piece, in UTF-16 code units.
    start: i32,
    /// How long it is, in UTF-16 code units.
    length: i32,
}

impl From<&Span> for SearchMatch {
    fn from(span: &Span) -> Self {
        SearchMatch {
            start: offset(span.start),
            length: offset(span.length),
        }
    }
}

fn offset(units: usize) -> i32 {
    i32::try_from(units).unwrap_or(i32::MAX)
}

/// The question for what was said.
#[derive(Debug, Default)]
pub struct SearchQuery;

#[Object]
impl SearchQuery {
    /// Messages of the viewer's chats that hold all the words, those that fit best first: on the branches that are
    /// shown, with answers once they have ended. Words are found in their other forms in nine languages, without regard
    /// to case and accents. `"several words"` are found as they follow each other, `begin*` by its beginning (as the last
    /// word always is), and `-word` must not be there. When nothing is found, what was probably meant is looked for.
    async fn search(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to look for, at most 200 characters and 12 words or phrases.")] query: String,
        #[graphql(desc = "Where to search.")] filter: Option<SearchFilterInput>,
        #[graphql(desc = "How many, at most 100.", default_with = "HITS")] first: i32,
        #[graphql(desc = "Only hits after this cursor, of the same query and filter.")] after: Option<String>,
    ) -> Result<SearchConnection> {
        let who = context.signed_in()?;
        let arguments = PageArguments {
            first: Some(first),
            after,
            ..PageArguments::default()
        };
        let window: Window<HitKey> = Window::forward(arguments, i64::from(HITS))?;
        let looking = looking(who.user_id, query, filter.unwrap_or_default())?;
        let mut connection = context.app().connection().await?;
        let found = search::find(&mut connection, &looking, window.after, window.fetch()).await?;
        let ids: Vec<_> = found.hits.iter().map(|hit| hit.message_id).collect();
        let mut messages = message::find_many_visible(&mut connection, who.user_id, &ids).await?;
        let hits: Vec<(Hit, Message)> = found
            .hits
            .into_iter()
            .filter_map(|hit| Some((hit, messages.remove(&hit.message_id)?)))
            .collect();
        let texts: Vec<&str> = hits
            .iter()
            .map(|(_, message)| message.content_for(Some(who.user_id)))
            .collect();
        let fragments = if context
            .look_ahead()
            .field("edges")
            .field("node")
            .field("fragments")
            .exists()
            || context.look_ahead().field("nodes").field("fragments").exists()
        {
            highlight::fragments(&mut connection, &found.words, &texts).await?
        } else {
            vec![Vec::new(); texts.len()]
        };
        let hits = hits
            .into_iter()
            .zip(fragments)
            .map(|((hit, message), fragments)| SearchHit {
                hit,
                message,
                fragments,
            });
        let page = window.connection(hits.collect(), |SearchHit { hit, .. }| {
            (hit.until, hit.score, hit.message_id)
        });
        let corrections = found.corrections.into_iter();
        let summary = SearchSummary {
            complete: found.complete,
            corrections: corrections
                .map(|(word, meant)| SearchCorrection { word, meant })
                .collect(),
        };
        let mut connection =
            SearchConnection::with_additional_fields(page.has_previous_page, page.has_next_page, summary);
        connection.edges.extend(
            page.edges
                .into_iter()
                .map(|edge| async_graphql::connection::Edge::new(edge.cursor, edge.node)),
        );
        Ok(connection)
    }
}

fn looking(user_id: UserId, query: String, filter: SearchFilterInput) -> Result<Looking> {
    let chats = filter.chat_ids;
    if chats.as_ref().is_some_and(|chats| chats.len() > MOST_CHATS) {
        return Err(Error::BadInput(format!(
            "`chatIds` must name at most {MOST_CHATS} chats."
        )));
    }
    if let (Some(from), Some(to)) = (filter.from, filter.to)
        && from >= to
    {
        return Err(Error::BadInput("`from` must be before `to`.".into()));
    }
    let roles = filter
        .roles
        .map(|roles| roles.into_iter().map(MessageRole::as_str).collect());
    Ok(Looking {
        chats,
        author: filter.author_id,
        roles,
        from: filter.from,
        to: filter.to,
        ..Looking::new(user_id, query)
    })
}
