//! The terms of an attempt: whom is asked, with whose key, at which prices.

use crate::ai::Provider;
use crate::db::text_enum;
use crate::id::{ApiKeyId, ChatId, GenerationId, UserId};
use crate::model::catalogue::Catalogue;
use crate::model::price::Tariff;

text_enum! {
    /// Whose key pays for an answer.
    KeySource {
        /// A key of the person who pays: of whoever asks, and in a group that its owner pays for, of the owner.
        User = "USER",
        /// The server's, from the budget of the person who pays.
        Server = "SERVER",
        /// Nobody's: the scripted provider is free.
        None = "NONE",
    }
}

text_enum! {
    /// What a model is asked for.
    Purpose {
        /// An answer in a chat.
        Answer = "ANSWER",
        /// A chat's title.
        Title = "TITLE",
        /// A summary of a conversation.
        Summary = "SUMMARY",
    }
}

text_enum! {
    /// How an attempt at a provider ended.
    AttemptOutcome {
        /// The model said that it was done.
        Completed = "COMPLETED",
        /// The provider refused or failed.
        Failed = "FAILED",
        /// Somebody stopped it.
        Stopped = "STOPPED",
        /// It broke off.
        Interrupted = "INTERRUPTED",
        /// An earlier answer was given again: nobody was asked.
        Cached = "CACHED",
    }
}

text_enum! {
    /// How sure the figures of usage and cost are.
    CostState {
        /// Counted here from what was sent and what came, because the provider did not tell.
        Estimated = "ESTIMATED",
        /// Told by the provider; also where nobody was asked and there is nothing to tell.
        Reported = "REPORTED",
        /// Told by the provider afterwards, as it has charged them: the answer's end was not heard.
        Reconciled = "RECONCILED",
    }
}

text_enum! {
    /// What a budget covers.
    BudgetScope {
        /// What the server's keys may spend for a person. Administrators set it.
        ServerKey = "SERVER_KEY",
        /// What a person's own keys may spend. The person sets it.
        OwnKeys = "OWN_KEYS",
    }
}

impl KeySource {
    /// Which budget pays; none for what is free.
    pub fn scope(self) -> Option<BudgetScope> {
        match self {
            KeySource::User => Some(BudgetScope::OwnKeys),
            KeySource::Server => Some(BudgetScope::ServerKey),
            KeySource::None => None,
        }
    }
}

/// The terms of an attempt.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Who is asked.
    pub provider: Provider,
    /// Which model.
    pub model: String,
    /// Whose key.
    pub source: KeySource,
    /// Which key, when it is the person's.
    pub api_key_id: Option<ApiKeyId>,
    /// What it costs, and how these prices are named; none when nobody knows.
    pub priced: Option<(Tariff, String)>,
    /// The most tokens that the model writes; none when nobody knows.
    pub most_output: Option<u32>,
}

impl Terms {
    /// The terms as the catalogue has them now.
    pub fn new(
        models: &Catalogue,
        provider: Provider,
        model: &str,
        source: KeySource,
        api_key_id: Option<ApiKeyId>,
    ) -> Self {
        let known = models.find(provider, model);
        let priced = known
            .as_ref()
            .and_then(|info| info.tariff.zip(info.price_version.clone()));
        Terms {
            provider,
            model: model.to_owned(),
            source,
            api_key_id,
            priced,
            most_output: known.and_then(|info| info.max_output_tokens),
        }
    }

    /// The prices.
    pub fn tariff(&self) -> Option<&Tariff> {
        self.priced.as_ref().map(|(tariff, _)| tariff)
    }
}

/// Who asks, where and what for.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    /// The person.
    pub user_id: UserId,
    /// Whose key or budget pays.
    pub payer_id: UserId,
    /// The chat, if it is about one.
    pub chat_id: Option<ChatId>,
    /// The answer, if it is for one.
    pub generation_id: Option<GenerationId>,
    /// What for.
    pub purpose: Purpose,
}
