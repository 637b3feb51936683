//! Who answers in a chat, and in which manner: an assistant, with what the chat and the message say instead.

use super::chat::Chat;
use super::reply::payer::Wish;
use crate::ai::Effort;
use crate::assistant::Assistant;
use crate::id::AssistantId;

/// How an answer is to be written, besides by whose model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manner {
    /// What the model is told before the conversation; empty for nothing.
    pub instructions: String,
    /// How freely it chooses its words.
    pub temperature: Option<f32>,
    /// How long the answer may get.
    pub max_output_tokens: Option<u32>,
    /// How much it thinks first.
    pub effort: Option<Effort>,
}

impl Manner {
    /// How an assistant answers.
    pub fn of(assistant: &Assistant) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a number from 0 to 2")]
        let temperature = assistant.temperature.map(|value| value as f32);
        Manner {
            instructions: assistant.instructions.clone(),
            temperature,
            max_output_tokens: assistant.max_output_tokens.and_then(|most| most.try_into().ok()),
            effort: assistant.reasoning_effort.map(Into::into),
        }
    }
}

/// Who answers, by whose model, and how.
#[derive(Debug)]
pub struct Answering {
    /// The assistant.
    pub assistant_id: AssistantId,
    /// Whose model, and which.
    pub wish: Wish,
    /// In which manner.
    pub manner: Manner,
}

impl Answering {
    /// The assistant's answer in this chat. The chat's own provider and model, together, take the place of the
    /// assistant's, and what `reply` names takes the place of both. A model goes with its provider: who names only another
    /// provider does not mean the former one's model.
    pub fn new(assistant: &Assistant, chat: &Chat, reply: Wish) -> Self {
        let chosen = if chat.provider.is_some() || chat.model.is_some() {
            Wish {
                provider: chat.provider.as_deref().and_then(|name| name.parse().ok()),
                model: chat.model.clone(),
            }
        } else {
            Wish {
                provider: assistant.asks(),
                model: assistant.model.clone(),
            }
        };
        let model = match (reply.model, reply.provider) {
            (Some(model), _) => Some(model),
            (None, Some(other)) if chosen.provider != Some(other) => None,
            (None, _) => chosen.model,
        };
        let wish = Wish {
            provider: reply.provider.or(chosen.provider),
            model,
        };
        Answering {
            assistant_id: assistant.id,
            wish,
            manner: Manner::of(assistant),
        }
    }
}
