//! Usage and budgets in GraphQL.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::budget::{self, BudgetPeriod, NewBudget};
use super::report::{self, Report, Sums, UsageGrouping, Wanted};
use super::terms::BudgetScope;
use crate::account::api::load_user;
use crate::account::audit::Actor;
use crate::account::user::User;
use crate::ai::Provider;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{ChatId, UserId};
use crate::scalar::{Decimal, Long};
use crate::vault::api::ProviderName;

/// What was used in a time, added up.
#[derive(Debug)]
pub struct UsageReport {
    wanted: Wanted,
    report: Report,
}

impl UsageReport {
    /// The report for these arguments.
    ///
    /// # Errors
    /// Bad arguments, or when Postgres fails.
    pub async fn read(context: &Context<'_>, wanted: Wanted) -> Result<Self> {
        let mut connection = context.app().connection().await?;
        let report = report::read(&mut connection, wanted).await?;
        Ok(UsageReport { wanted, report })
    }
}

/// What was used in a time, added up. Attempts count in it once they have ended, at the time when they began.
#[Object]
impl UsageReport {
    /// The beginning of the time.
    async fn from(&self) -> DateTime<Utc> {
        self.wanted.from
    }

    /// The end of the time, which is not part of it.
    async fn to(&self) -> DateTime<Utc> {
        self.wanted.to
    }

    /// What the groups are.
    async fn group_by(&self) -> UsageGrouping {
        self.wanted.grouping
    }

    /// Everything together, also of groups that are left out.
    async fn total(&self) -> UsageSums {
        UsageSums(self.report.total.clone())
    }

    /// Days and months in their order, other groups the dearest first; at most a thousand.
    async fn groups(&self) -> Vec<UsageGroup> {
        self.report.groups.iter().cloned().map(UsageGroup).collect()
    }

    /// Whether there are more groups than a thousand. A shorter time has fewer.
    async fn truncated(&self) -> bool {
        self.report.cut
    }
}

/// A group of attempts and its sums.
#[derive(Debug)]
pub struct UsageGroup(Sums);

/// A group of attempts and its sums. What it is a group of is in the field of that name; the others are null.
#[Object]
impl UsageGroup {
    /// The beginning of the day or month.
    async fn since(&self) -> Option<DateTime<Utc>> {
        self.0.since
    }

    /// The provider that was asked.
    async fn provider(&self) -> Option<ProviderName> {
        let name = self.0.provider.as_deref()?;
        name.parse::<Provider>().ok().map(Into::into)
    }

    /// The model that was asked.
    async fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The chat that it was about. It may have been deleted since.
    async fn chat_id(&self) -> Option<ChatId> {
        self.0.chat_id
    }

    /// The person who asked.
    async fn user_id(&self) -> Option<UserId> {
        self.0.user_id
    }

    /// The person who asked; null when the account is gone.
    async fn user(&self, context: &Context<'_>) -> Result<Option<User>> {
        match self.0.user_id {
            Some(id) => load_user(context, id).await,
            None => Ok(None),
        }
    }

    /// Its sums.
    async fn sums(&self) -> UsageSums {
        UsageSums(self.0.clone())
    }
}

/// Sums over attempts at providers.
#[derive(Debug)]
pub struct UsageSums(Sums);

/// Sums over attempts at providers.
#[Object]
impl UsageSums {
    /// How many attempts: answers, their repetitions, and what was asked in the background.
    async fn attempts(&self) -> Long {
        Long(self.0.attempts)
    }

    /// How many of them cost something that nobody knows. They are not in `costUsd`.
    async fn unpriced_attempts(&self) -> Long {
        Long(self.0.unpriced)
    }

    /// How many of them the provider told nothing about, so that they were counted here.
    async fn estimated_attempts(&self) -> Long {
        Long(self.0.estimated)
    }

    /// How many answers came from the cache. Nobody was asked for them and they cost nothing, so they are no attempts.
    async fn cached_answers(&self) -> Long {
        Long(self.0.cached)
    }

    /// What they cost, in USD; null when the cost of none is known.
    async fn cost_usd(&self) -> Option<Decimal> {
        (self.0.attempts == 0 || self.0.unpriced < self.0.attempts).then_some(Decimal(self.0.cost))
    }

    /// Tokens of the prompts, cached ones included.
    async fn input_tokens(&self) -> Long {
        Long(self.0.tokens().input)
    }

    /// Tokens of the prompts that the providers had cached.
    async fn cached_input_tokens(&self) -> Long {
        Long(self.0.tokens().cached_input)
    }

    /// Tokens of the prompts that the providers put into their caches.
    async fn cache_write_tokens(&self) -> Long {
        Long(self.0.tokens().cache_write)
    }

    /// Tokens of what was written, reasoning included.
    async fn output_tokens(&self) -> Long {
        Long(self.0.tokens().output)
    }

    /// Tokens of the reasoning.
    async fn reasoning_tokens(&self) -> Long {
        Long(self.0.tokens().reasoning)
    }

    /// Prompts and answers together.
    async fn total_tokens(&self) -> Long {
        let tokens = self.0.tokens();
        Long(tokens.input.saturating_add(tokens.output))
    }
}

/// What somebody may spend in a period. Running answers hold a part of it, so that no two together spend more than there
/// is.
#[derive(Debug, Clone)]
pub struct Budget(pub budget::Budget);

/// What somebody may spend in a period. Running answers hold a part of it, so that no two together spend more than there
/// is.
#[Object]
impl Budget {
    /// What it covers.
    async fn scope(&self) -> BudgetScope {
        self.0.scope
    }

    /// The most of a period, in USD.
    async fn limit_usd(&self) -> Decimal {
        Decimal(self.0.limit_micro_usd)
    }

    /// How long a period lasts.
    async fn period(&self) -> BudgetPeriod {
        self.0.period
    }

    /// When this period began.
    async fn period_started_at(&self) -> DateTime<Utc> {
        self.0.period_started_at
    }

    /// When it ends and the next one begins with nothing spent; null for one that lasts for good.
    async fn period_ends_at(&self) -> Option<DateTime<Utc>> {
        self.0.period_ends_at
    }

    /// What is spent, in USD.
    async fn spent_usd(&self) -> Decimal {
        Decimal(self.0.spent_micro_usd)
    }

    /// What running answers hold, in USD.
    async fn reserved_usd(&self) -> Decimal {
        Decimal(self.0.reserved_micro_usd)
    }

    /// What is left for others, in USD.
    async fn left_usd(&self) -> Decimal {
        Decimal(self.0.left())
    }
}

/// A person's budgets, as they are now.
///
/// # Errors
/// When Postgres fails.
pub async fn budgets_of(context: &Context<'_>, user_id: UserId) -> Result<Vec<Budget>> {
    let found = budget::of(&mut *context.app().connection().await?, user_id).await?;
    Ok(found.into_iter().map(Budget).collect())
}

/// What the server's keys may spend for a person.
#[derive(Debug, InputObject)]
pub struct SetUserBudgetInput {
    /// For whom.
    user_id: UserId,
    /// The most of a period, in USD; without it there is no limit.
    limit_usd: Option<Decimal>,
    /// How long a period lasts.
    #[graphql(default_with = "BudgetPeriod::Month")]
    period: BudgetPeriod,
}

/// The result of `setUserBudget`.
#[derive(Debug, SimpleObject)]
pub struct SetUserBudgetPayload {
    /// The budget as it is now; null when there is no limit.
    budget: Option<Budget>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What one's own keys may spend.
#[derive(Debug, InputObject)]
pub struct SetBudgetInput {
    /// The most of a period, in USD; without it there is no limit.
    limit_usd: Option<Decimal>,
    /// How long a period lasts.
    #[graphql(default_with = "BudgetPeriod::Month")]
    period: BudgetPeriod,
}

/// The result of `setBudget`.
#[derive(Debug, SimpleObject)]
pub struct SetBudgetPayload {
    /// The budget as it is now; null when there is no limit.
    budget: Option<Budget>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Setting budgets.
#[derive(Debug, Default)]
pub struct UsageMutation;

#[Object]
impl UsageMutation {
    /// Limits what the server's keys may spend for a person; for administrators. What was spent in the period before
    /// counts, but for TOTAL, which counts from now on.
    async fn set_user_budget(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who, and how much.")] input: SetUserBudgetInput,
    ) -> Result<SetUserBudgetPayload> {
        let actor = Actor::signed_in(context.viewer().admin()?, context.client());
        let new = NewBudget {
            user_id: input.user_id,
            scope: BudgetScope::ServerKey,
            limit_micro_usd: input.limit_usd.map(|Decimal(limit)| limit),
            period: input.period,
        };
        let (budget, errors) = set(context, actor, new).await?;
        Ok(SetUserBudgetPayload { budget, errors })
    }

    /// Limits what one's own keys may spend. What was spent in the period before counts, but for TOTAL, which counts from
    /// now on. Answers whose cost nobody knows are not limited.
    async fn set_budget(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How much.")] input: SetBudgetInput,
    ) -> Result<SetBudgetPayload> {
        let who = context.signed_in()?;
        let new = NewBudget {
            user_id: who.user_id,
            scope: BudgetScope::OwnKeys,
            limit_micro_usd: input.limit_usd.map(|Decimal(limit)| limit),
            period: input.period,
        };
        let (budget, errors) = set(context, Actor::signed_in(who, context.client()), new).await?;
        Ok(SetBudgetPayload { budget, errors })
    }
}

async fn set(context: &Context<'_>, actor: Actor, new: NewBudget) -> Result<(Option<Budget>, Vec<UserError>)> {
    let mut connection = context.app().connection().await?;
    let (set, errors) = payload(budget::set(&mut connection, actor, new).await)?;
    Ok((set.flatten().map(Budget), errors))
}
