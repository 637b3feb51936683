//! What an answer would take, before it is asked for.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::reply::ReplyOptions;
use crate::account::api::load_user;
use crate::account::user::User;
use crate::chat::lane::Reply;
use crate::chat::preview::{self, Foretold, Preview, Wanted};
use crate::chat::reply::generation::KeySource;
use crate::chat::summary::{self, Summary};
use crate::context::RequestContext;
use crate::error::{Error, Result, UserError};
use crate::id::{ApiKeyId, AssistantId, ChatId, MessageId};
use crate::scalar::{Decimal, Long};
use crate::usage::api::Budget;
use crate::vault::api::ProviderName;

/// What to plan: a question that would be sent, or an answer that would be made anew.
#[derive(Debug, InputObject)]
pub struct GenerationPlanInput {
    /// Where the question would be sent.
    chat_id: Option<ChatId>,
    /// The question as `sendMessage` would get it; leave it away for `regenerate`.
    content: Option<String>,
    /// Whom the question would mention, as `sendMessage` would get it.
    #[graphql(default)]
    mention_ids: Vec<ID>,
    /// The message that the question would reply to.
    reply_to_id: Option<MessageId>,
    /// The answer that `regenerateMessage` would get.
    regenerate: Option<MessageId>,
    /// How it would be answered, as the mutation would get it.
    reply: Option<ReplyOptions>,
}

/// What an answer would take. It is made by the planner that the mutations use, so that what it says is what they would
/// do at this moment. Nothing is stored, and no provider is asked.
#[derive(Debug, SimpleObject)]
pub struct GenerationPlan {
    /// What would be sent, once for each model that would be asked; empty when it would be refused.
    lanes: Vec<LanePlan>,
    /// What the mutation would refuse.
    refusals: Vec<UserError>,
}

/// What would be sent to one model.
#[derive(Debug)]
pub struct LanePlan(Foretold);

/// What would be left of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct BudgetAfter {
    /// When it costs the most that it can.
    least_left_usd: Decimal,
    /// When it costs the least that it can.
    most_left_usd: Decimal,
}

/// An amount that is not known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct PriceRange {
    /// With the whole prompt in the provider's cache and an answer of a word.
    least_usd: Decimal,
    /// With nothing in the cache and the longest answer that would be allowed. Each use of a tool makes a further turn,
    /// which comes on top.
    most_usd: Decimal,
}

impl LanePlan {
    /// The least and the most that it can cost.
    fn cost_range(&self) -> Option<(i64, i64)> {
        if self.0.cached {
            Some((0, 0))
        } else {
            self.0.plan.cost()
        }
    }
}

/// What would be sent to one model, and who would pay what for it.
#[Object]
impl LanePlan {
    /// Whose model would answer.
    async fn provider(&self) -> ProviderName {
        self.0.plan.lane.payer.endpoint.provider.into()
    }

    /// Which model would answer.
    async fn model(&self) -> &str {
        &self.0.plan.lane.payer.model
    }

    /// The assistant that would answer.
    async fn assistant_id(&self) -> Option<AssistantId> {
        self.0.plan.lane.assistant_id
    }

    /// Whose key would pay.
    async fn key_source(&self) -> KeySource {
        self.0.plan.lane.payer.source
    }

    /// Which of the viewer's keys would pay; null when it is the server's or another's, or none is needed.
    async fn api_key_id(&self, context: &Context<'_>) -> Result<Option<ApiKeyId>> {
        let (who, payer) = (context.signed_in()?, &self.0.plan.lane.payer);
        Ok(payer
            .key
            .as_ref()
            .filter(|_| payer.user_id == who.user_id)
            .map(|key| key.id))
    }

    /// Who would pay, with a key of their own or from their budget for the server's: in a group it may be its owner.
    async fn payer(&self, context: &Context<'_>) -> Result<Option<User>> {
        load_user(context, self.0.plan.lane.payer.user_id).await
    }

    /// The messages that the model would be shown besides the question, oldest first.
    async fn message_ids(&self) -> &[MessageId] {
        &self.0.plan.messages
    }

    /// Whether older messages would be left out, because no more fit.
    async fn older_left_out(&self) -> bool {
        self.0.plan.cut
    }

    /// The summary that the model would be shown in the place of what came before those messages.
    async fn summary(&self, context: &Context<'_>) -> Result<Option<Summary>> {
        let Some(covering) = &self.0.plan.summary else {
            return Ok(None);
        };
        let (app, who) = (context.app(), context.signed_in()?);
        let mut connection = app.connection().await?;
        let mut found = summary::find_many_visible(&mut connection, who.user_id, &[covering.id]).await?;
        Ok(found.remove(&covering.id))
    }

    /// How many memories the model would be told.
    async fn memory_count(&self) -> i32 {
        i32::try_from(self.0.plan.memories).unwrap_or(i32::MAX)
    }

    /// The tokens of everything that would be sent, as this provider will probably count them.
    async fn input_tokens(&self) -> Long {
        Long(self.0.plan.input_tokens.into())
    }

    /// The longest answer that would be asked for, in tokens, thoughts included; null where the provider decides.
    async fn max_output_tokens(&self) -> Option<Long> {
        self.0.plan.request.max_output_tokens.map(|most| Long(most.into()))
    }

    /// The tokens that the model takes; null when nobody knows.
    async fn context_window(&self) -> Option<Long> {
        let window = self.0.plan.info.as_ref()?.context_window?;
        Some(Long(window.into()))
    }

    /// The part of the context window that would be used, from 0 to 1; null when nobody knows.
    async fn window_use(&self) -> Option<f64> {
        let window = self.0.plan.info.as_ref()?.context_window?;
        Some(f64::from(self.0.plan.input_tokens) / f64::from(window.max(1)))
    }

    /// Whether an earlier answer to the same would be given again, so that nothing would be sent and nothing paid. Its time
    /// may be over a moment later.
    async fn cached(&self) -> bool {
        self.0.cached
    }

    /// What it would cost; null when nobody knows the model's price, which is not the same as nothing.
    async fn cost(&self) -> Option<PriceRange> {
        let (least, most) = self.cost_range()?;
        Some(PriceRange {
            least_usd: Decimal(least),
            most_usd: Decimal(most),
        })
    }

    /// The viewer's budget that would pay, as it is now; null when there is none, and when another pays.
    async fn budget(&self) -> Option<Budget> {
        self.0.budget.clone().map(Budget)
    }

    /// What would be left of the budget; null when there is none, or nobody knows the model's price.
    async fn budget_after(&self) -> Option<BudgetAfter> {
        let left = self.0.budget.as_ref()?.left();
        let (least, most) = self.cost_range()?;
        Some(BudgetAfter {
            least_left_usd: Decimal((left - most).max(0)),
            most_left_usd: Decimal((left - least).max(0)),
        })
    }
}

/// Questions about answers that are not asked for yet.
#[derive(Debug, Default)]
pub struct PlanQuery;

#[Object]
impl PlanQuery {
    /// What an answer would take: which messages the model would be shown, how many tokens that is, what it would cost
    /// and who would pay, and what would be refused.
    async fn generation_plan(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to plan.")] input: GenerationPlanInput,
    ) -> Result<GenerationPlan> {
        let who = context.signed_in()?;
        let GenerationPlanInput {
            chat_id,
            content,
            mention_ids,
            reply_to_id,
            regenerate,
            reply,
        } = input;
        let wanted = match (chat_id, content, regenerate) {
            (Some(chat_id), Some(content), None) => Wanted::Send {
                chat_id,
                content,
                mentions: mention_ids.iter().map(|id| id.as_str().into()).collect(),
                reply_to: reply_to_id,
            },
            (_, None, Some(message_id)) => Wanted::Regenerate { message_id },
            _ => {
                let message = "Give `chatId` and `content` for a question, or `regenerate` for another answer.";
                return Err(Error::BadInput(message.into()));
            }
        };
        let reply = reply.map(Reply::from).unwrap_or_default();
        let Preview { plans, refusals } = preview::preview(context.app(), who.user_id, wanted, reply).await?;
        Ok(GenerationPlan {
            lanes: plans.into_iter().map(LanePlan).collect(),
            refusals,
        })
    }
}
