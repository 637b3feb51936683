//! How something is to be answered, and what was started by asking.

use async_graphql::InputObject;

use super::generation::Answer;
use super::tool_call::ReplyTools;
use crate::chat::claim::Sent;
use crate::chat::lane::{LaneWish, Mode, Reply};
use crate::chat::message::Message;
use crate::chat::reply::payer::Wish;
use crate::id::AssistantId;
use crate::vault::api::ProviderName;

/// One of several who are to answer.
#[derive(Debug, InputObject)]
pub struct LaneInput {
    /// Whose model; without it, as the chat and the assistant say.
    provider: Option<ProviderName>,
    /// Which model; without it, as the chat and the assistant say.
    model: Option<String>,
    /// In whose name; without it, the chat's first assistant.
    assistant_id: Option<AssistantId>,
}

/// How a message is to be answered, this once.
#[derive(Debug, InputObject)]
pub struct ReplyOptions {
    /// Whose model.
    provider: Option<ProviderName>,
    /// Which model.
    model: Option<String>,
    /// Several who are to answer, at most 4, instead of `provider` and `model`. All of them have to be possible: a lane
    /// without a key refuses the whole.
    lanes: Option<Vec<LaneInput>>,
    /// What becomes of the lanes' answers.
    #[graphql(default)]
    mode: Mode,
    /// Which tools the answer may use. Answers that race use none; of those that are compared, each uses them by itself.
    #[graphql(default_with = "ReplyTools::Auto")]
    tools: ReplyTools,
    /// Whether an answer that the same model gave to the same before may be given again, where the operator allows it: at
    /// once, at no cost, and saying so in `Generation.cached`. Say false to have the model asked. Has no effect on
    /// `regenerateMessage`, which always asks it.
    #[graphql(default = true)]
    cache: bool,
}

impl From<ReplyOptions> for Reply {
    fn from(options: ReplyOptions) -> Self {
        let wish = |provider: Option<ProviderName>, model| Wish {
            provider: provider.map(Into::into),
            model,
        };
        let lane = |lane: LaneInput| LaneWish {
            wish: wish(lane.provider, lane.model),
            assistant_id: lane.assistant_id,
        };
        Reply {
            wish: wish(options.provider, options.model),
            lanes: options.lanes.map(|lanes| lanes.into_iter().map(lane).collect()),
            mode: options.mode,
            without_tools: options.tools == ReplyTools::None,
            without_cache: !options.cache,
        }
    }
}

/// The message and the answers of what was sent; nothing where it was refused.
pub(super) fn started(sent: Option<Sent>) -> (Option<Message>, Vec<Answer>) {
    let Some(sent) = sent else { return (None, Vec::new()) };
    let answers = sent.generations.into_iter().map(Answer::from);
    (Some(sent.message), answers.collect())
}
