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
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerError, ServerResult, Value};
use bytes::Bytes;
use lru::LruCache;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

use super::event::Event;
use super::selection::Selections;
use crate::chat::chat::Chat;
use crate::error::Result;
use crate::id::ChatId;

/// How many events are kept for those who are a little behind.
const EVENTS: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
/// How many selections are kept, so that ten thousand sockets of one app hold one.
const SELECTIONS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");
/// How many selections of one event are answered once for all; those beyond are answered for each.
const ANSWERS: usize = 16;
/// How many rooms' events may be read at the same time.
const LANES: usize = 64;

/// What an event of the log, or a signal, is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Logged(i64),
    Signal(u64),
}

/// The events that were told lately. A cheap handle.
#[derive(Debug, Clone)]
pub struct Sharing {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    events: Mutex<LruCache<Source, Arc<Shared>>>,
    selections: Mutex<LruCache<Arc<str>, Arc<Selections>>>,
    lanes: Vec<AsyncMutex<()>>,
}

impl Default for Sharing {
    fn default() -> Self {
        let inner = Inner {
            events: Mutex::new(LruCache::new(EVENTS)),
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

    /// The place of the answer to a selection; none when there are too many.
    fn answer(&self, selection: &Arc<str>) -> Option<Arc<OnceCell<Bytes>>> {
        let mut answers = lock(&self.answers);
        if let Some((_, answer)) = answers.iter().find(|(known, _)| known == selection) {
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

    pub(super) fn get(&self, source: Source) -> Option<Arc<Shared>> {
        lock(&self.inner.events).get(&source).cloned()
    }

    pub(super) fn get_or_make(&self, source: Source, make: impl FnOnce() -> Result<Shared>) -> Result<Arc<Shared>> {
        if let Some(shared) = self.get(source) {
            return Ok(shared);
        }
        let shared = Arc::new(make()?);
        let mut events = lock(&self.inner.events);
        Ok(Arc::clone(events.get_or_insert(source, || shared)))
    }

    /// The events of one room from what is kept, and the others by `read`, once for all who want them at the same time.
    pub(super) async fn all(
        &self,
        chat_id: ChatId,
        wanted: &[i64],
        read: impl AsyncFnOnce(&[i64]) -> Result<HashMap<i64, Shared>>,
    ) -> Result<HashMap<i64, Arc<Shared>>> {
        let mut found = HashMap::with_capacity(wanted.len());
        let mut missing = self.known(wanted, &mut found);
        if missing.is_empty() {
            return Ok(found);
        }
        let lane = chat_id.0.as_u128() as usize % LANES;
        let _turn = self.inner.lanes[lane].lock().await;
        missing = self.known(&missing, &mut found);
        if missing.is_empty() {
            return Ok(found);
        }
        let read = read(&missing).await?;
        let mut events = lock(&self.inner.events);
        for (id, shared) in read {
            let shared = Arc::new(shared);
            events.put(Source::Logged(id), Arc::clone(&shared));
            found.insert(id, shared);
        }
        Ok(found)
    }

    fn known(&self, wanted: &[i64], found: &mut HashMap<i64, Arc<Shared>>) -> Vec<i64> {
        let mut events = lock(&self.inner.events);
        let mut missing = Vec::new();
        for id in wanted {
            match events.get(&Source::Logged(*id)) {
                Some(shared) => drop(found.insert(*id, Arc::clone(shared))),
                None => missing.push(*id),
            }
        }
        missing
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An event on its way to one client.
#[derive(Debug)]
pub(super) struct Told {
    event: Arc<Event>,
    /// Where the answer is that others get as well, and what of it is selected.
    shared: Option<(Arc<Shared>, Arc<str>)>,
}

impl Told {
    /// An event that is resolved for this client alone.
    pub(super) fn alone(event: Event) -> Self {
        Told {
            event: Arc::new(event),
            shared: None,
        }
    }

    /// An event that others are told as well; none when what it speaks of is gone.
    pub(super) fn shared(shared: Arc<Shared>, selections: &Selections) -> Option<Self> {
        let event = Arc::clone(shared.event.as_ref()?);
        // What an assistant is called is not the same to its owner and to others.
        let of_assistant = event.message().is_some_and(|message| message.assistant_id.is_some());
        // Nor is what its author alone sees it say.
        let is_own = event.message().is_some_and(|message| message.own_content.is_some());
        // Of the event itself: an `Arc` of it only knows the name of the interface.
        let selection = selections.get(&Event::introspection_type_name(&event)).cloned();
        let shared = selection
            .filter(|_| !of_assistant && !is_own)
            .map(|selection| (shared, selection));
        Some(Told { event, shared })
    }

    /// The event.
    pub(super) fn event(&self) -> &Event {
        &self.event
    }
}

/// Why an answer is nobody else's.
enum Alone {
    Failed(ServerError),
    /// Some of its fields failed, which is told beside it.
    Broken(Value),
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

    /// The value, or in its place the bytes of its JSON, which the doors write as they are.
    async fn resolve(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let place = self
            .shared
            .as_ref()
            .and_then(|(shared, selection)| shared.answer(selection));
        let Some(place) = place else {
            return self.event.resolve(context, field).await;
        };
        let written = place.get_or_try_init(async || {
            let value = Box::pin(self.event.resolve(context, field))
                .await
                .map_err(Alone::Failed)?;
            if !lock(&context.query_env.errors).is_empty() {
                return Err(Alone::Broken(value));
            }
            match serde_json::to_vec(&value) {
                Ok(bytes) => Ok(Bytes::from(bytes)),
                Err(_) => Err(Alone::Broken(value)),
            }
        });
        match written.await {
            Ok(bytes) => Ok(Value::Binary(bytes.clone())),
            Err(Alone::Broken(value)) => Ok(value),
            Err(Alone::Failed(error)) => Err(error),
        }
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
        let shared = Arc::new(Shared::new(Some(event), None));
        let place = || {
            let (shared, selection) = Told::shared(Arc::clone(&shared), &selections)?.shared?;
            shared.answer(&selection)
        };
        let (one, other) = (place().expect("a place"), place().expect("a place"));
        assert!(Arc::ptr_eq(&one, &other));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_event_is_read_once_for_all_who_want_it() {
        let (sharing, chat_id, reads) = (Sharing::default(), ChatId::new(), Arc::new(AtomicUsize::new(0)));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (sharing, reads) = (sharing.clone(), Arc::clone(&reads));
            all.spawn(async move {
                let read = async |missing: &[i64]| {
                    reads.fetch_add(missing.len(), Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    Ok(missing.iter().map(|id| (*id, shared(chat_id))).collect())
                };
                sharing.all(chat_id, &[1, 2, 3], read).await.map(|found| found.len())
            });
        }
        while let Some(found) = all.join_next().await {
            assert_eq!(found.expect("no panic").expect("no failure"), 3);
        }
        assert_eq!(AtomicUsize::load(&reads, Ordering::SeqCst), 3);
        let (again, known) = (
            async |_: &[i64]| Err(Error::internal("again")),
            sharing.known(&[2], &mut HashMap::new()),
        );
        assert!(
            known.is_empty() && sharing.all(chat_id, &[4], again).await.is_err(),
            "a failure is nobody else's"
        );
        let read = async |missing: &[i64]| Ok(missing.iter().map(|id| (*id, shared(chat_id))).collect());
        assert_eq!(
            sharing.all(chat_id, &[4], read).await.map(|found| found.len()).ok(),
            Some(1)
        );
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (sharing, chat_id) = (Sharing::default(), ChatId::new());
        for number in 0..3_000 {
            let made = sharing.get_or_make(Source::Signal(number), || Ok(shared(chat_id)));
            assert!(made.is_ok());
            sharing.selections(Selections::default());
        }
        assert_eq!(lock(&sharing.inner.events).len(), EVENTS.get());
        assert_eq!(lock(&sharing.inner.selections).len(), 1);
        let one = shared(chat_id);
        let places = (0..100).filter_map(|number| one.answer(&number.to_string().into()));
        assert_eq!(places.count(), ANSWERS);
        assert!(one.answer(&"0".into()).is_some(), "those that have a place keep it");
    }
}
