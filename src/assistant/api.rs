//! Assistants in GraphQL.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::assistant::{self, Assistant, ReasoningEffort, Visibility};
use super::change::{self, AssistantChange};
use crate::account::api::load_user;
use crate::account::user::User;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{AssistantId, UserId};
use crate::page::{Page, PageArguments, Window};
use crate::vault::api::ProviderName;

/// A page of assistants.
pub type AssistantConnection = Page<AssistantId, Assistant>;

/// How many assistants a page has when nobody says.
const ASSISTANTS: i64 = 50;

/// A page of the assistants that `user_id` can use.
///
/// # Errors
/// Refused arguments.
pub async fn list(context: &Context<'_>, user_id: UserId, arguments: PageArguments) -> Result<AssistantConnection> {
    let window = Window::forward(arguments, ASSISTANTS)?;
    let rows = assistant::list(&mut *context.app().connection().await?, user_id, &window).await?;
    Ok(window.connection(rows, |assistant| assistant.id))
}

impl Assistant {
    /// It, if the asker can use it and so sees all of it.
    fn open(&self, context: &Context<'_>) -> Option<&Self> {
        let who = context.signed_in().ok()?;
        self.is_open_to(who.user_id).then_some(self)
    }
}

/// An AI that answers. One that was deleted, or is shared no more, keeps its name on what it wrote; of the rest others
/// see nothing then.
#[Object]
impl Assistant {
    /// Opaque and typed.
    pub async fn id(&self) -> AssistantId {
        self.id
    }

    /// The name to show.
    pub async fn display_name(&self, context: &Context<'_>) -> Result<String> {
        Ok(self.name_for(context.signed_in()?.user_id).to_owned())
    }

    /// Whether the viewer can use it wherever they like. Where a chat's assistant is not available, the next one of the
    /// chat answers, and after the last one the default one; in a group, anybody who may asks also those that are not.
    async fn available(&self, context: &Context<'_>) -> bool {
        self.open(context).is_some()
    }

    /// Whether it is the one that answers where no other was chosen.
    async fn is_default(&self) -> bool {
        self.id == Assistant::DEFAULT
    }

    /// A picture: an https address, or a path on this server.
    async fn avatar_url(&self, context: &Context<'_>) -> Option<&str> {
        self.open(context)?.avatar_url.as_deref()
    }

    /// What it is for, in a few words.
    async fn description(&self, context: &Context<'_>) -> Option<&str> {
        self.open(context)?.description.as_deref()
    }

    /// What it is told before every conversation; null when it is not available.
    async fn instructions(&self, context: &Context<'_>) -> Option<&str> {
        Some(&self.open(context)?.instructions)
    }

    /// Whose model answers; null for whichever key there is.
    async fn provider(&self, context: &Context<'_>) -> Option<ProviderName> {
        self.open(context)?.asks().map(Into::into)
    }

    /// The model that answers; null for the default.
    async fn model(&self, context: &Context<'_>) -> Option<&str> {
        self.open(context)?.model.as_deref()
    }

    /// How freely it chooses its words, from 0 to 2; null leaves it to the provider.
    async fn temperature(&self, context: &Context<'_>) -> Option<f64> {
        self.open(context)?.temperature
    }

    /// How long an answer may get, in tokens; null leaves it to the provider.
    async fn max_output_tokens(&self, context: &Context<'_>) -> Option<i32> {
        self.open(context)?.max_output_tokens
    }

    /// How much its model thinks before it answers; null leaves it to the provider.
    async fn reasoning_effort(&self, context: &Context<'_>) -> Option<ReasoningEffort> {
        self.open(context)?.reasoning_effort
    }

    /// Who made it; null for the server's own, and when it is not available.
    async fn owner(&self, context: &Context<'_>) -> Result<Option<User>> {
        match self.open(context).and_then(|open| open.owner_id) {
            Some(id) => load_user(context, id).await,
            None => Ok(None),
        }
    }

    /// Who can use it.
    async fn visibility(&self, context: &Context<'_>) -> Visibility {
        self.open(context).map_or(Visibility::Private, |open| open.visibility)
    }

    /// Grows with each change: apply an event only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }
}

/// An assistant to make.
#[derive(Debug, InputObject)]
pub struct CreateAssistantInput {
    /// The name to show, of 1 to 80 characters.
    display_name: String,
    /// What it is for, at most 500 characters.
    description: Option<String>,
    /// What it is told before every conversation, at most 8000 characters.
    #[graphql(default)]
    instructions: String,
    /// Whose model is to answer; without it, whichever key there is.
    provider: Option<ProviderName>,
    /// Which model is to answer; without it, the default.
    model: Option<String>,
    /// How freely it chooses its words, from 0 to 2; without it, as the provider likes.
    temperature: Option<f64>,
    /// How long an answer may get, in tokens; without it, as the provider likes.
    max_output_tokens: Option<i32>,
    /// How much its model thinks before it answers; without it, as the provider likes. Models that are known not to think
    /// are not asked to. The thoughts come on top of `maxOutputTokens`, and are shown as far as the provider shows them.
    reasoning_effort: Option<ReasoningEffort>,
    /// A picture: an https address, or a path on this server.
    avatar_url: Option<String>,
    /// Who can use it.
    #[graphql(default_with = "Visibility::Private")]
    visibility: Visibility,
}

/// The result of `createAssistant`.
#[derive(Debug, SimpleObject)]
pub struct CreateAssistantPayload {
    /// The assistant.
    assistant: Option<Assistant>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What to change about an assistant; what is left away stays as it is.
#[derive(Debug, InputObject)]
pub struct UpdateAssistantInput {
    /// One's own; for administrators also the default one.
    assistant_id: AssistantId,
    /// The name to show, of 1 to 80 characters.
    display_name: Option<String>,
    /// What it is for, at most 500 characters; null for nothing.
    #[graphql(default)]
    description: MaybeUndefined<String>,
    /// What it is told before every conversation, at most 8000 characters.
    instructions: Option<String>,
    /// Whose model is to answer; null for whichever key there is.
    #[graphql(default)]
    provider: MaybeUndefined<ProviderName>,
    /// Which model is to answer; null for the default.
    #[graphql(default)]
    model: MaybeUndefined<String>,
    /// How freely it chooses its words, from 0 to 2; null for as the provider likes.
    #[graphql(default)]
    temperature: MaybeUndefined<f64>,
    /// How long an answer may get, in tokens; null for as the provider likes.
    #[graphql(default)]
    max_output_tokens: MaybeUndefined<i32>,
    /// How much its model thinks before it answers; null for as the provider likes.
    #[graphql(default)]
    reasoning_effort: MaybeUndefined<ReasoningEffort>,
    /// A picture: an https address, or a path on this server; null for none.
    #[graphql(default)]
    avatar_url: MaybeUndefined<String>,
    /// Who can use it.
    visibility: Option<Visibility>,
}

/// The result of `updateAssistant`.
#[derive(Debug, SimpleObject)]
pub struct UpdateAssistantPayload {
    /// The assistant as it is now.
    assistant: Option<Assistant>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which assistant to delete.
#[derive(Debug, InputObject)]
pub struct DeleteAssistantInput {
    /// One's own.
    assistant_id: AssistantId,
}

/// The result of `deleteAssistant`.
#[derive(Debug, SimpleObject)]
pub struct DeleteAssistantPayload {
    /// The assistant that is gone.
    deleted_assistant_id: Option<AssistantId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do with assistants.
#[derive(Debug, Default)]
pub struct AssistantMutation;

#[Object]
impl AssistantMutation {
    /// Makes an assistant.
    async fn create_assistant(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The assistant to make.")] input: CreateAssistantInput,
    ) -> Result<CreateAssistantPayload> {
        let who = context.signed_in()?;
        let wanted = AssistantChange {
            display_name: Some(input.display_name),
            description: Some(input.description),
            instructions: Some(input.instructions),
            provider: Some(input.provider.map(Into::into)),
            model: Some(input.model),
            temperature: Some(input.temperature),
            max_output_tokens: Some(input.max_output_tokens),
            reasoning_effort: Some(input.reasoning_effort),
            avatar_url: Some(input.avatar_url),
            visibility: Some(input.visibility),
        };
        let (assistant, errors) = payload(change::create(context.app(), who.user_id, wanted).await)?;
        Ok(CreateAssistantPayload { assistant, errors })
    }

    /// Changes an assistant of one's own; administrators change the default one, too. What it answers from now on is
    /// answered in the new way, also in chats that it was in before.
    async fn update_assistant(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateAssistantInput,
    ) -> Result<UpdateAssistantPayload> {
        let who = context.signed_in()?;
        let provider: Option<Option<ProviderName>> = input.provider.into();
        let wanted = AssistantChange {
            display_name: input.display_name,
            description: input.description.into(),
            instructions: input.instructions,
            provider: provider.map(|provider| provider.map(Into::into)),
            model: input.model.into(),
            temperature: input.temperature.into(),
            max_output_tokens: input.max_output_tokens.into(),
            reasoning_effort: input.reasoning_effort.into(),
            avatar_url: input.avatar_url.into(),
            visibility: input.visibility,
        };
        let changed = change::update(context.app(), who, context.client(), input.assistant_id, wanted).await;
        let (assistant, errors) = payload(changed)?;
        Ok(UpdateAssistantPayload { assistant, errors })
    }

    /// Deletes an assistant of one's own. What it wrote keeps its name; in the chats it was in, the next one or the
    /// default one answers.
    async fn delete_assistant(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which assistant.")] input: DeleteAssistantInput,
    ) -> Result<DeleteAssistantPayload> {
        let who = context.signed_in()?;
        let (deleted_assistant_id, errors) = payload(change::delete(context.app(), who, input.assistant_id).await)?;
        Ok(DeleteAssistantPayload {
            deleted_assistant_id,
            errors,
        })
    }
}
