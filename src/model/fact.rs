//! What there is to know of a model.

use super::price::Tariff;
use crate::ai::{Format, Provider};
use crate::db::text_enum;

text_enum! {
    /// Where the facts about a model come from.
    ModelSource {
        /// They came with this version of Parlor.
        Seed = "SEED",
        /// Whoever runs the server imported them.
        Import = "IMPORT",
        /// An administrator has set some or all of them.
        Admin = "ADMIN",
    }
}

text_enum! {
    /// Something that a model reads.
    Modality {
        /// Text.
        Text = "TEXT",
        /// Pictures.
        Image = "IMAGE",
        /// Sound.
        Audio = "AUDIO",
        /// Moving pictures.
        Video = "VIDEO",
        /// PDF documents as they are.
        Pdf = "PDF",
    }
}

text_enum! {
    /// Which of its provider's APIs a model speaks.
    ModelMode {
        /// The usual one.
        Chat = "CHAT",
        /// OpenAI's Responses alone.
        Responses = "RESPONSES",
    }
}

/// Facts about a model from one place; what is none is not known there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What people call it.
    pub display_name: Option<String>,
    /// The most tokens that a prompt may have.
    pub context_window: Option<i64>,
    /// The most tokens that an answer may have.
    pub max_output_tokens: Option<i64>,
    /// What it reads.
    pub input_modalities: Option<Vec<Modality>>,
    /// Whether it can call tools.
    pub tools: Option<bool>,
    /// Whether it thinks before it answers.
    pub reasoning: Option<bool>,
    /// Which API it speaks.
    pub mode: Option<ModelMode>,
    /// What it costs and how the prices are named, both or neither.
    pub priced: Option<(Tariff, String)>,
}

impl Facts {
    /// These facts, and below them those of `other` where there are none.
    pub fn or(self, other: Facts) -> Facts {
        Facts {
            display_name: self.display_name.or(other.display_name),
            context_window: self.context_window.or(other.context_window),
            max_output_tokens: self.max_output_tokens.or(other.max_output_tokens),
            input_modalities: self.input_modalities.or(other.input_modalities),
            tools: self.tools.or(other.tools),
            reasoning: self.reasoning.or(other.reasoning),
            mode: self.mode.or(other.mode),
            priced: self.priced.or(other.priced),
        }
    }
}

/// A model as it is in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// Whose it is.
    pub provider: Provider,
    /// The provider's name of it.
    pub model: String,
    /// What people call it; its name where nobody has said.
    pub display_name: String,
    /// The most tokens that a prompt may have.
    pub context_window: Option<u32>,
    /// The most tokens that an answer may have.
    pub max_output_tokens: Option<u32>,
    /// What it reads; text at least.
    pub input_modalities: Vec<Modality>,
    /// Whether it can call tools.
    pub tools: bool,
    /// Whether it thinks before it answers; none when nobody knows.
    pub reasoning: Option<bool>,
    /// Which API it speaks.
    pub mode: ModelMode,
    /// What it costs; none when nobody knows, which is not the same as nothing.
    pub tariff: Option<Tariff>,
    /// How its prices are named on what was charged by them.
    pub price_version: Option<String>,
    /// The last place that had a word in it.
    pub source: ModelSource,
}

impl ModelInfo {
    /// Puts the facts about a model together.
    pub fn new(provider: Provider, model: String, facts: Facts, source: ModelSource) -> Self {
        let (tariff, price_version) = facts.priced.unzip();
        let count = |tokens: i64| u32::try_from(tokens).ok();
        ModelInfo {
            provider,
            display_name: facts.display_name.unwrap_or_else(|| model.clone()),
            model,
            context_window: facts.context_window.and_then(count),
            max_output_tokens: facts.max_output_tokens.and_then(count),
            input_modalities: facts.input_modalities.unwrap_or_else(|| vec![Modality::Text]),
            tools: facts.tools.unwrap_or(false),
            reasoning: facts.reasoning,
            mode: facts.mode.unwrap_or(ModelMode::Chat),
            tariff,
            price_version,
            source,
        }
    }

    /// The format that it has to be asked in where nobody says otherwise; none for its provider's usual one.
    pub fn format(&self) -> Option<Format> {
        (self.provider == Provider::OpenAi && self.mode == ModelMode::Responses).then_some(Format::Responses)
    }

    /// Whether it reads pictures.
    pub fn sees(&self) -> bool {
        self.input_modalities.contains(&Modality::Image)
    }
}
