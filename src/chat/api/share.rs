//! Work that is done once for all who are told the same: an event of a room is read from the database once for all
//! its followers here, and what they select of it is resolved and written once for all who select the same.
//!
//! Whether somebody may see it at all is not shared: the log's reader has looked up the members of the room just before
//! it handed the event out, and each follower compares with what it was told of itself before it takes anything
//! from here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use bytes::Bytes;
use lru::LruCache;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use uuid::Uuid;

use super::event::Event;
use super::selection::Selections;
use crate::chat::chat::Chat;
use crate::error::Result;
use crate::event::Made;

/// How many selections are kept, so that ten thousand sockets of one app hold one.
const SELECTIONS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");
/// How many selections of one event are answered once for all; those beyond are answered for each.
const ANSWERS: usize = 16;
/// How many rooms' events may be read at the same time.
const LANES: usize = 64;

/// What makes sure that work is done once. A cheap handle.
#[derive(Debug, Clone)]
pub struct Sharing {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    selections: Mutex<LruCache<Arc<str>, Arc<Selections>>>,
    lanes: Vec<AsyncMutex<()>>,
}

impl Default for Sharing {
    fn default() -> Self {
        let inner = Inner {
            selections: Mutex::new(LruCache::new(SELECTIONS)),
            lanes: (0..LANES).map(|_| AsyncMutex::new(())).collect(),
        };
        Sharing { inner: Arc::new(inner) }
    }
}

/// What was written for each selection.
type Answers = Vec<(Arc<str>, Arc<OnceCell<Bytes>>)>;

/// An event as everybody is told it who may see it.
#[derive(Debug)]
pub(super) struct Shared {
    /// The event; none when what it speaks of is gone.
    pub(super) event: Option<Arc<Event>>,
    /// The room that it is of, as it was read with it.
    pub(super) chat: Option<Arc<Chat>>,
    answers: Mutex<Answers>,
}

impl Shared {
    pub(super) fn new(event: Option<Event>, chat: Option<Arc<Chat>>) -> Self {
        Shared {
            event: event.map(Arc::new),
            chat,
            answers: Mutex::default(),
        }
    }

    /// Leaves it for the others.
    pub(super) fn leave(self, made: &Made) {
        // Beside the text, that of an answer or two.
        let message = self.event.as_deref().and_then(Event::message);
        let bytes = 1024 + message.map_or(0, |message| 3 * message.content.len());
        made.put(self, bytes);
    }

    /// The place of the answer to a selection; none when there are too many.
    fn answer(&self, selection: &Arc<str>) -> Option<Arc<OnceCell<Bytes>>> {
        let mut answers = lock(&self.answers);
        // Those who select the same mostly hold the same.
        let is_same = |known: &Arc<str>| Arc::ptr_eq(known, selection) || known == selection;
        if let Some((_, answer)) = answers.iter().find(|(known, _)| is_same(known)) {
            return Some(Arc::clone(answer));
        }
        let place = (answers.len() < ANSWERS).then(Arc::<OnceCell<Bytes>>::default)?;
        answers.push((Arc::clone(selection), Arc::clone(&place)));
        Some(place)
    }
}

impl Sharing {
    /// One selection for all clients that select the same.
    pub(super) fn selections(&self, selections: Selections) -> Arc<Selections> {
        let name: Arc<str> = format!("{selections:?}").into();
        let mut known = lock(&self.inner.selections);
        let kept = known.get_or_insert(name, || Arc::new(selections));
        Arc::clone(kept)
    }

    /// Has `read` make what was not made yet of these events of one room, or about one thing, once for all who want them at
    /// the same time.
    pub(super) async fn all(
        &self,
        subject: Uuid,
        wanted: &[(i64, &Made)],
        read: impl AsyncFnOnce(&[i64]) -> Result<HashMap<i64, Shared>>,
    ) -> Result<()> {
        if missing(wanted).is_empty() {
            return Ok(());
        }
        let lane = subject.as_u128() as usize % LANES;
        let _turn = self.inner.lanes[lane].lock().await;
        let missing = missing(wanted);
        if missing.is_empty() {
            return Ok(());
        }
        let mut read = read(&missing).await?;
        for (id, made) in wanted {
            if let Some(shared) = read.remove(id) {
                shared.leave(made);
            }
        }
        Ok(())
    }
}

fn missing(wanted: &[(i64, &Made)]) -> Vec<i64> {
    let missing = wanted.iter().filter(|(_, made)| made.get::<Shared>().is_none());
    missing.map(|(id, _)| *id).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An event on its way to one client.
#[derive(Debug, Clone)]
pub(super) struct Told {
    event: Arc<Event>,
    place: Option<Arc<OnceCell<Bytes>>>,
}

impl Told {
    /// An event that is resolved for this client alone.
    pub(super) fn alone(event: Event) -> Self {
        Told {
            event: Arc::new(event),
            place: None,
        }
    }

    /// An event that was read for others as well, and is resolved for this client alone.
    pub(super) fn read(event: Arc<Event>) -> Self {
        Told { event, place: None }
    }

    /// An event that others are told as well; none when what it speaks of is gone.
    pub(super) fn shared(shared: &Shared, selections: &Selections) -> Option<Self> {
        let event = Arc::clone(shared.event.as_ref()?);
        // What an assistant is called is not the same to its owner and to others.
        let of_assistant = event.message().is_some_and(|message| message.assistant_id.is_some());
        // Nor is what its author alone sees it say.
        let is_own = event.message().is_some_and(|message| message.own_content.is_some());
        // Of the event itself: an `Arc` of it only knows the name of the interface.
        let selection = selections.get(&Event::introspection_type_name(&event));
        let place = selection
            .filter(|_| !of_assistant && !is_own)
            .and_then(|selection| shared.answer(selection));
        Some(Told { event, place })
    }

    /// The event.
    pub(super) fn event(&self) -> &Event {
        &self.event
    }

    /// Where the answer for all who select the same is, or is to be put; none when there is none.
    pub(super) fn place(&self) -> Option<&Arc<OnceCell<Bytes>>> {
        self.place.as_ref()
    }

    /// What was written for others who select the same.
    pub(super) fn written(&self) -> Option<&Bytes> {
        self.place.as_ref()?.get()
    }
}

impl OutputType for Told {
    fn type_name() -> Cow<'static, str> {
        <Event as OutputType>::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.event.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Event as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        self.event.resolve(context, field).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::Selection;
    use chrono::Utc;

    use super::*;
    use crate::chat::api::event::{ChatRemoved, HistoryCleared};
    use crate::error::Error;
    use crate::id::ChatId;
    use crate::scalar::Long;

    fn shared(chat_id: ChatId) -> Shared {
        let event = Event::ChatRemoved(ChatRemoved {
            cursor: None,
            occurred_at: Utc::now(),
            chat_id,
        });
        Shared::new(Some(event), None)
    }

    #[test]
    fn what_is_the_same_for_all_is_written_once() {
        let document = parse_query(
            "subscription { events { cursor ... on HistoryCleared { chatId } ... on ChatUpserted { chat { version } } } }",
        );
        let document = document.expect("a document");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else {
            panic!("a field");
        };
        let selections = Selections::of(&field.node, &document.fragments);
        let event = Event::HistoryCleared(HistoryCleared {
            cursor: None,
            occurred_at: Utc::now(),
            chat_id: ChatId::new(),
            through_sequence: Long(1),
        });
        let shared = Shared::new(Some(event), None);
        let place = || Told::shared(&shared, &selections)?.place;
        let (one, other) = (place().expect("a place"), place().expect("a place"));
        assert!(Arc::ptr_eq(&one, &other));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_event_is_read_once_for_all_who_want_it() {
        let (sharing, chat_id, reads) = (Sharing::default(), ChatId::new(), Arc::new(AtomicUsize::new(0)));
        let events: Arc<[Made; 4]> = Arc::default();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (sharing, reads, events) = (sharing.clone(), Arc::clone(&reads), Arc::clone(&events));
            all.spawn(async move {
                let read = async |missing: &[i64]| {
                    reads.fetch_add(missing.len(), Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    Ok(missing.iter().map(|id| (*id, shared(chat_id))).collect())
                };
                let wanted = [(0, &events[0]), (1, &events[1]), (2, &events[2])];
                sharing.all(chat_id.0, &wanted, read).await.is_ok() && missing(&wanted).is_empty()
            });
        }
        while let Some(all_are_there) = all.join_next().await {
            assert!(all_are_there.expect("no panic"));
        }
        assert_eq!(AtomicUsize::load(&reads, Ordering::SeqCst), 3);
        let wanted = [(2, &events[2]), (3, &events[3])];
        let fails = async |_: &[i64]| Err(Error::internal("again"));
        assert!(sharing.all(chat_id.0, &wanted, fails).await.is_err());
        assert_eq!(missing(&wanted), [3], "a failure is nobody else's");
        let read = async |missing: &[i64]| Ok(missing.iter().map(|id| (*id, shared(chat_id))).collect());
        assert!(sharing.all(chat_id.0, &wanted, read).await.is_ok() && missing(&wanted).is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (sharing, chat_id) = (Sharing::default(), ChatId::new());
        for _ in 0..3_000 {
            sharing.selections(Selections::default());
        }
        assert_eq!(lock(&sharing.inner.selections).len(), 1);
        let one = shared(chat_id);
        let places = (0..100).filter_map(|number| one.answer(&number.to_string().into()));
        assert_eq!(places.count(), ANSWERS);
        assert!(one.answer(&"0".into()).is_some(), "those that have a place keep it");
    }
}
