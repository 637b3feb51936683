//! Models in GraphQL: what is known of them for everybody, what to believe of them for administrators.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::change::{self, Override};
use super::fact::{Facts, Modality, ModelInfo, ModelMode, ModelSource};
use super::price::Prices;
use crate::account::audit::Actor;
use crate::ai::Provider;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::page::{Page, PageArguments, Window};
use crate::scalar::{Decimal, Long};
use crate::vault::api::ProviderName;

/// A model and what is known of it.
#[derive(Debug, Clone)]
pub struct Model(pub Arc<ModelInfo>);

/// A model and what is known of it.
#[Object]
impl Model {
    /// Whose it is.
    async fn provider(&self) -> ProviderName {
        self.0.provider.into()
    }

    /// The provider's name of it, to ask for it by.
    async fn name(&self) -> &str {
        &self.0.model
    }

    /// What people call it.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// The most tokens that a prompt may have; null when nobody knows.
    async fn context_window(&self) -> Option<Long> {
        self.0.context_window.map(|count| Long(count.into()))
    }

    /// The most tokens that an answer may have; null when nobody knows.
    async fn max_output_tokens(&self) -> Option<Long> {
        self.0.max_output_tokens.map(|count| Long(count.into()))
    }

    /// What it reads.
    async fn input_modalities(&self) -> &[Modality] {
        &self.0.input_modalities
    }

    /// Whether it can call tools.
    async fn tools(&self) -> bool {
        self.0.tools
    }

    /// Whether it thinks before it answers.
    async fn reasoning(&self) -> bool {
        self.0.reasoning.unwrap_or(false)
    }

    /// Which of its provider's APIs it speaks.
    async fn mode(&self) -> ModelMode {
        self.0.mode
    }

    /// What it costs; null when nobody knows.
    async fn prices(&self) -> Option<ModelPrices> {
        let tariff = self.0.tariff.as_ref()?;
        Some(ModelPrices {
            long_prompts: tariff.long.as_ref().map(|(above, prices)| LongPromptPrices {
                above_tokens: Long(*above),
                input: Decimal(prices.input),
                cached_input: prices.cached_input.map(Decimal),
                cache_write: prices.cache_write.map(Decimal),
                output: Decimal(prices.output),
            }),
            input: Decimal(tariff.usual.input),
            cached_input: tariff.usual.cached_input.map(Decimal),
            cache_write: tariff.usual.cache_write.map(Decimal),
            output: Decimal(tariff.usual.output),
            reasoning: tariff.usual.reasoning.map(Decimal),
        })
    }

    /// How these prices are named on what was charged by them; null when there are none.
    async fn price_version(&self) -> Option<&str> {
        self.0.price_version.as_deref()
    }

    /// Who had the last word about it.
    async fn source(&self) -> ModelSource {
        self.0.source
    }
}

/// What a million tokens cost, in USD.
#[derive(Debug, SimpleObject)]
pub struct ModelPrices {
    /// Of prompt.
    input: Decimal,
    /// Of prompt that the provider had cached; null when they cost as much as others.
    cached_input: Option<Decimal>,
    /// Of prompt that the provider puts into its cache; null when they cost as much as others.
    cache_write: Option<Decimal>,
    /// Of answer.
    output: Decimal,
    /// Of reasoning; null when they cost as much as others.
    reasoning: Option<Decimal>,
    /// What counts instead for long prompts; null when all prompts cost the same.
    long_prompts: Option<LongPromptPrices>,
}

/// What a million tokens of a long prompt and its answer cost, in USD.
#[derive(Debug, SimpleObject)]
pub struct LongPromptPrices {
    /// A prompt is long when it has more tokens than this.
    above_tokens: Long,
    /// Of prompt.
    input: Decimal,
    /// Of prompt that the provider had cached; null when they cost as much as others.
    cached_input: Option<Decimal>,
    /// Of prompt that the provider puts into its cache; null when they cost as much as others.
    cache_write: Option<Decimal>,
    /// Of answer.
    output: Decimal,
}

/// A page of models.
pub type ModelConnection = Page<String, Model>;

/// A page of a provider's models, in the order of their names.
///
/// # Errors
/// When the arguments make no page.
pub fn page(context: &Context<'_>, provider: Provider, arguments: PageArguments) -> Result<ModelConnection> {
    let window: Window<String> = Window::forward(arguments, 50)?;
    let shelf = context.app().models().shelf();
    let within = |info: &&Arc<ModelInfo>| {
        window.after.as_ref().is_none_or(|after| info.model > *after)
            && window.before.as_ref().is_none_or(|before| info.model < *before)
    };
    let mut found: Vec<Model> = shelf.of(provider).filter(within).cloned().map(Model).collect();
    if window.backwards {
        found.reverse();
    }
    found.truncate(usize::try_from(window.fetch()).unwrap_or(usize::MAX));
    Ok(window.connection(found, |model| model.0.model.clone()))
}

/// What a million tokens cost, in USD.
#[derive(Debug, InputObject)]
pub struct ModelPricesInput {
    /// Of prompt.
    input: Decimal,
    /// Of prompt that the provider had cached; without it, as much as others.
    cached_input: Option<Decimal>,
    /// Of prompt that the provider puts into its cache; without it, as much as others.
    cache_write: Option<Decimal>,
    /// Of answer.
    output: Decimal,
    /// Of reasoning; without it, as much as others.
    reasoning: Option<Decimal>,
}

/// What to believe of a model. What is left out stays as it is known without this.
#[derive(Debug, InputObject)]
pub struct SetModelInput {
    /// Whose model.
    provider: ProviderName,
    /// The provider's name of it.
    model: String,
    /// What people call it.
    display_name: Option<String>,
    /// The most tokens that a prompt may have.
    context_window: Option<Long>,
    /// The most tokens that an answer may have.
    max_output_tokens: Option<Long>,
    /// What it reads.
    input_modalities: Option<Vec<Modality>>,
    /// Whether it can call tools.
    tools: Option<bool>,
    /// Whether it thinks before it answers.
    reasoning: Option<bool>,
    /// Which of its provider's APIs it speaks.
    mode: Option<ModelMode>,
    /// What it costs.
    prices: Option<ModelPricesInput>,
}

/// The result of `setModel`.
#[derive(Debug, SimpleObject)]
pub struct SetModelPayload {
    /// The model as it is now.
    model: Option<Model>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A model of which administrators have said something.
#[derive(Debug, InputObject)]
pub struct ResetModelInput {
    /// Whose model.
    provider: ProviderName,
    /// The provider's name of it.
    model: String,
}

/// The result of `resetModel`.
#[derive(Debug, SimpleObject)]
pub struct ResetModelPayload {
    /// The model as it is now; null when nothing is known of it any more.
    model: Option<Model>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What administrators say of models.
#[derive(Debug, Default)]
pub struct ModelMutation;

#[Object]
impl ModelMutation {
    /// Says what to believe of a model, such as its prices, in the place of what was said before; for administrators.
    /// What was charged already stays as it was charged.
    async fn set_model(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which model, and what of it.")] input: SetModelInput,
    ) -> Result<SetModelPayload> {
        let actor = Actor::signed_in(context.viewer().admin()?, context.client());
        let app = context.app();
        let mut connection = app.connection().await?;
        let (model, errors) = payload(change::set(&mut connection, app.models(), actor, input.into()).await)?;
        Ok(SetModelPayload {
            model: model.map(Model),
            errors,
        })
    }

    /// Takes back what administrators have said of a model; for administrators.
    async fn reset_model(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which model.")] input: ResetModelInput,
    ) -> Result<ResetModelPayload> {
        let actor = Actor::signed_in(context.viewer().admin()?, context.client());
        let app = context.app();
        let mut connection = app.connection().await?;
        let provider = input.provider.into();
        let reset = change::reset(&mut connection, app.models(), actor, provider, &input.model).await;
        let (model, errors) = payload(reset)?;
        Ok(ResetModelPayload {
            model: model.flatten().map(Model),
            errors,
        })
    }
}

impl From<SetModelInput> for Override {
    fn from(input: SetModelInput) -> Self {
        let price = |price: Option<Decimal>| price.map(|Decimal(price)| price);
        Override {
            provider: input.provider.into(),
            model: input.model,
            facts: Facts {
                display_name: input.display_name,
                context_window: input.context_window.map(|Long(count)| count),
                max_output_tokens: input.max_output_tokens.map(|Long(count)| count),
                input_modalities: input.input_modalities,
                tools: input.tools,
                reasoning: input.reasoning,
                mode: input.mode,
                priced: None,
            },
            prices: input.prices.map(|prices| Prices {
                input: prices.input.0,
                cached_input: price(prices.cached_input),
                cache_write: price(prices.cache_write),
                output: prices.output.0,
                reasoning: price(prices.reasoning),
            }),
        }
    }
}
