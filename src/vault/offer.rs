//! What a key may be used for: its models, as the provider lists them.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::{Context, Object, SimpleObject};
use lru::LruCache;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use super::key::StoredKey;
use super::set::refusal;
use crate::ai::{Failure, FailureKind, Offered};
use crate::app::App;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::ApiKeyId;
use crate::page::{Page, PageArguments, Window};
use crate::scalar::Long;

/// How long a list is good, and how long a failure.
const FRESH: Duration = Duration::from_secs(300);
const FAILED: Duration = Duration::from_secs(15);
/// How long somebody waits for a list.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many lists are kept; the one that was not asked for the longest goes first.
const KEPT: NonZeroUsize = NonZeroUsize::new(256).expect("more than none");

type Listed = Result<Arc<Vec<Offered>>, Failure>;

/// The lists that were asked for lately.
#[derive(Debug)]
pub(super) struct Lists(Mutex<LruCache<ApiKeyId, Kept>>);

#[derive(Debug)]
struct Kept {
    /// A replaced key has another list.
    fingerprint: String,
    updated_at: chrono::DateTime<chrono::Utc>,
    at: Instant,
    listed: Listed,
}

impl Default for Lists {
    fn default() -> Self {
        Lists(Mutex::new(LruCache::new(KEPT)))
    }
}

impl Lists {
    fn find(&self, key: &StoredKey) -> Option<Listed> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = lists.get(&key.id)?;
        let good = if kept.listed.is_ok() { FRESH } else { FAILED };
        let is_its_own = kept.fingerprint == key.fingerprint && kept.updated_at == key.updated_at;
        (is_its_own && kept.at.elapsed() < good).then(|| kept.listed.clone())
    }

    fn keep(&self, key: &StoredKey, listed: Listed) {
        let kept = Kept {
            fingerprint: key.fingerprint.clone(),
            updated_at: key.updated_at,
            at: Instant::now(),
            listed,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key.id, kept);
    }
}

/// The models that a key may use, in the order of their names.
///
/// # Errors
/// Why the provider does not tell, in the words of `setApiKey`.
pub async fn models(app: &App, key: &StoredKey) -> Result<Arc<Vec<Offered>>> {
    let lists = app.vault().lists();
    let listed = match lists.find(key) {
        Some(listed) => listed,
        None => {
            let endpoint = app.vault().endpoint(key)?;
            let asked = timeout(PATIENCE, app.ai().models(&endpoint)).await;
            let too_slow = |_| Err(Failure::new(FailureKind::Timeout, "no list of models in time"));
            let listed = asked.unwrap_or_else(too_slow).map(Arc::new);
            lists.keep(key, listed.clone());
            listed
        }
    };
    listed.map_err(|failure| refusal(key.provider(), &failure))
}

/// A model that a provider offers to a key.
#[derive(Debug, Clone, SimpleObject)]
pub struct OfferedModel {
    /// The provider's name of it, to ask for it by.
    name: String,
    /// What people call it, when the provider says so.
    display_name: Option<String>,
    /// Tokens of question and answer together, when the provider says so.
    context_window: Option<Long>,
    /// The most tokens of an answer, when the provider says so.
    max_output_tokens: Option<Long>,
}

impl From<&Offered> for OfferedModel {
    fn from(offered: &Offered) -> Self {
        let count = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok()).map(Long);
        OfferedModel {
            name: offered.id.clone(),
            display_name: offered.title.clone(),
            context_window: count(offered.context_window),
            max_output_tokens: count(offered.max_output_tokens),
        }
    }
}

/// A page of models that a key may use.
pub type OfferedModelConnection = Page<String, OfferedModel>;

type Asked = (Option<Arc<Vec<Offered>>>, Vec<UserError>);

/// The models that a key may use, or why the provider does not tell.
#[derive(Debug)]
pub struct KeyModels {
    key: StoredKey,
    asked: OnceCell<Asked>,
}

impl KeyModels {
    /// Those of this key; the provider is asked when a field is.
    pub(super) fn of(key: StoredKey) -> Self {
        let asked = OnceCell::new();
        KeyModels { key, asked }
    }

    async fn asked(&self, context: &Context<'_>) -> Result<&Asked> {
        let ask = async || payload(models(context.app(), &self.key).await);
        self.asked.get_or_try_init(ask).await
    }
}

/// The models that a key may use, or why the provider does not tell.
#[Object]
impl KeyModels {
    /// The models, in the order of their names; null when the provider does not tell.
    async fn page(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only models after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only models before this cursor.")] before: Option<String>,
    ) -> Result<Option<OfferedModelConnection>> {
        let arguments = PageArguments {
            first,
            after,
            last,
            before,
        };
        let window: Window<String> = Window::forward(arguments, 50)?;
        let (Some(models), _) = self.asked(context).await? else {
            return Ok(None);
        };
        let within = |offered: &&Offered| {
            window.after.as_ref().is_none_or(|after| offered.id > *after)
                && window.before.as_ref().is_none_or(|before| offered.id < *before)
        };
        let mut found: Vec<OfferedModel> = models.iter().filter(within).map(Into::into).collect();
        if window.backwards {
            found.reverse();
        }
        found.truncate(usize::try_from(window.fetch()).unwrap_or(usize::MAX));
        Ok(Some(window.connection(found, |model| model.name.clone())))
    }

    /// Why the provider does not tell; nothing when it does.
    async fn errors(&self, context: &Context<'_>) -> Result<&[UserError]> {
        Ok(&self.asked(context).await?.1)
    }
}
