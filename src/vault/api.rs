//! Provider keys in GraphQL. Keys go in and do not come out, but for `revealApiKey`.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use super::key::{self, StoredKey};
use super::offer::KeyModels;
use super::set::{self, NewKey};
use crate::ai;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::ApiKeyId;
use crate::scalar::Long;

/// Whose models, spoken to in which wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ai::Provider", name = "Provider")]
pub enum ProviderName {
    /// OpenAI.
    #[graphql(name = "OPENAI")]
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// Groq.
    Groq,
    /// OpenRouter.
    #[graphql(name = "OPENROUTER")]
    OpenRouter,
    /// An Ollama server, wherever it runs.
    Ollama,
    /// Any server that speaks a known format: llama.cpp, vLLM, HuggingFace, a gateway, …
    #[graphql(name = "OPENAI_COMPATIBLE")]
    OpenAiCompatible,
    /// Parlor's own provider that needs no key: it plays scripts, in development only.
    Scripted,
}

/// How questions and answers are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ai::Format", name = "ProviderFormat")]
pub enum FormatName {
    /// OpenAI's Chat Completions, and of everyone who imitates it.
    ChatCompletions,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    AnthropicMessages,
    /// Gemini's streamGenerateContent.
    GeminiGenerate,
    /// Ollama's own chat.
    OllamaChat,
}

/// Somebody's key for a provider, without the key itself.
#[derive(Debug, Clone)]
pub struct ApiKey(pub StoredKey);

/// How a key fares.
#[derive(Debug, SimpleObject)]
pub struct KeyHealth {
    /// Whether the provider accepted it last; null when it was never asked.
    accepted: Option<bool>,
    /// When the provider last accepted it.
    last_verified_at: Option<DateTime<Utc>>,
    /// Why the provider refused it last, as a `GenerationErrorCode`; null since it was last accepted.
    last_error_code: Option<String>,
    /// When that was.
    last_error_at: Option<DateTime<Utc>>,
    /// Until when the provider asked to wait; in the past once that is over, null when it did not ask.
    throttled_until: Option<DateTime<Utc>>,
    /// What was left of the key's limits when the provider last said so; null when it never did.
    headroom: Option<KeyHeadroom>,
}

/// What was left of a key's limits.
#[derive(Debug, SimpleObject)]
pub struct KeyHeadroom {
    /// How many requests the provider takes in its window.
    requests_limit: Option<Long>,
    /// How many of them were left.
    requests_remaining: Option<Long>,
    /// How many tokens the provider takes in its window.
    tokens_limit: Option<Long>,
    /// How many of them were left.
    tokens_remaining: Option<Long>,
    /// When there is more of what was scarcest.
    resets_at: Option<DateTime<Utc>>,
    /// When the provider said so.
    observed_at: DateTime<Utc>,
}

/// Somebody's key for a provider, without the key itself.
#[Object]
impl ApiKey {
    /// Opaque and typed.
    pub async fn id(&self) -> ApiKeyId {
        self.0.id
    }

    /// Whose key it is.
    async fn provider(&self) -> ProviderName {
        self.0.provider().into()
    }

    /// What its owner calls it.
    async fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// The ends of the key, to recognise it by; empty where no key is needed.
    async fn hint(&self) -> &str {
        &self.0.hint
    }

    /// Tells two keys apart and gives neither away.
    async fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// Where it is used; null for the provider's own address.
    async fn base_url(&self) -> Option<&str> {
        self.0.base_url.as_deref()
    }

    /// In which format the provider is asked; null for its usual one.
    async fn format(&self) -> Option<FormatName> {
        self.0.format().map(Into::into)
    }

    /// When it was first set.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last set.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// When an answer was last made with it.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_used_at
    }

    /// How it fares.
    async fn health(&self) -> KeyHealth {
        let StoredKey {
            last_verified_at,
            last_error_code,
            last_error_at,
            throttled_until,
            ..
        } = self.0.clone();
        let accepted = if last_error_code.is_some() {
            Some(false)
        } else {
            last_verified_at.map(|_| true)
        };
        KeyHealth {
            accepted,
            last_verified_at,
            last_error_code,
            last_error_at,
            throttled_until,
            headroom: self.headroom(),
        }
    }

    /// The models that it may use. Asks the provider, at most every few minutes.
    async fn models(&self) -> KeyModels {
        KeyModels::of(self.0.clone())
    }
}

impl ApiKey {
    fn headroom(&self) -> Option<KeyHeadroom> {
        Some(KeyHeadroom {
            requests_limit: self.0.requests_limit.map(Long),
            requests_remaining: self.0.requests_remaining.map(Long),
            tokens_limit: self.0.tokens_limit.map(Long),
            tokens_remaining: self.0.tokens_remaining.map(Long),
            resets_at: self.0.headroom_resets_at,
            observed_at: self.0.headroom_at?,
        })
    }
}

/// A provider key to keep.
#[derive(InputObject)]
pub struct SetApiKeyInput {
    /// Whose key it is. There is one per provider; a new one replaces it.
    provider: ProviderName,
    /// The key; left away for a local server that needs none.
    #[graphql(default)]
    secret: String,
    /// What to call it.
    label: Option<String>,
    /// Where to use it, if not at the provider's own address.
    base_url: Option<String>,
    /// In which format to ask the provider, if not in its usual one: OpenAI can be asked by `RESPONSES`, for instance.
    format: Option<FormatName>,
    /// Whether to ask the provider first if it accepts the key.
    #[graphql(default = true)]
    verify: bool,
}

/// The result of `setApiKey`.
#[derive(Debug, SimpleObject)]
pub struct SetApiKeyPayload {
    /// The key as it is kept.
    api_key: Option<ApiKey>,
    /// What was refused; nothing is stored then.
    errors: Vec<UserError>,
}

/// Which key to delete.
#[derive(Debug, InputObject)]
pub struct DeleteApiKeyInput {
    /// One of `viewer.apiKeys`.
    api_key_id: ApiKeyId,
}

/// The result of `deleteApiKey`.
#[derive(Debug, SimpleObject)]
pub struct DeleteApiKeyPayload {
    /// The key that is gone.
    deleted_api_key_id: Option<ApiKeyId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which key to verify.
#[derive(Debug, InputObject)]
pub struct VerifyApiKeyInput {
    /// One of `viewer.apiKeys`.
    api_key_id: ApiKeyId,
}

/// The result of `verifyApiKey`.
#[derive(Debug, SimpleObject)]
pub struct VerifyApiKeyPayload {
    /// The key, if the provider accepts it.
    api_key: Option<ApiKey>,
    /// Why the provider refuses it.
    errors: Vec<UserError>,
}

/// Which key to show.
#[derive(InputObject)]
pub struct RevealApiKeyInput {
    /// One of `viewer.apiKeys`.
    api_key_id: ApiKeyId,
    /// The account's password, again.
    password: String,
}

/// The result of `revealApiKey`.
#[derive(SimpleObject)]
pub struct RevealApiKeyPayload {
    /// The key itself.
    secret: Option<String>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Keeping provider keys.
#[derive(Debug, Default)]
pub struct VaultMutation;

#[Object]
impl VaultMutation {
    /// Keeps a provider key, encrypted, once the provider has accepted it.
    async fn set_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The key.")] input: SetApiKeyInput,
    ) -> Result<SetApiKeyPayload> {
        let who = context.signed_in()?;
        let SetApiKeyInput {
            provider,
            secret,
            label,
            base_url,
            format,
            verify,
        } = input;
        let new = NewKey {
            provider: provider.into(),
            secret: secret.into(),
            label,
            base_url,
            format: format.map(Into::into),
            verify,
        };
        let (stored, errors) = payload(set::set(context.app(), who, context.client(), new).await)?;
        Ok(SetApiKeyPayload {
            api_key: stored.map(ApiKey),
            errors,
        })
    }

    /// Deletes a provider key for good.
    async fn delete_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which key.")] input: DeleteApiKeyInput,
    ) -> Result<DeleteApiKeyPayload> {
        let who = context.signed_in()?;
        let (deleted_api_key_id, errors) =
            payload(key::delete(context.app(), who, context.client(), input.api_key_id).await)?;
        Ok(DeleteApiKeyPayload {
            deleted_api_key_id,
            errors,
        })
    }

    /// Asks the provider whether it still accepts a key.
    async fn verify_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which key.")] input: VerifyApiKeyInput,
    ) -> Result<VerifyApiKeyPayload> {
        let who = context.signed_in()?;
        let (stored, errors) = payload(set::verify(context.app(), who, input.api_key_id).await)?;
        Ok(VerifyApiKeyPayload {
            api_key: stored.map(ApiKey),
            errors,
        })
    }

    /// Shows a key to its owner, who gives the password again. This is written to the audit log.
    async fn reveal_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which key, and the password.")] input: RevealApiKeyInput,
    ) -> Result<RevealApiKeyPayload> {
        let who = context.signed_in()?;
        let (secret, errors) = payload(
            key::reveal(
                context.app(),
                who,
                context.client(),
                input.api_key_id,
                input.password.into(),
            )
            .await,
        )?;
        Ok(RevealApiKeyPayload {
            secret: secret.map(|secret| secret.expose_secret().to_owned()),
            errors,
        })
    }
}
