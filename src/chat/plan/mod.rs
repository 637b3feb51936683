//! What will be sent to a model, found out before it is sent: by `sendMessage` to send it, by `generationPlan` to show
//! it.
//!
//! [`Material`] is read once for a question. [`Material::plan`] then makes a [`Plan`] of it for each model that is
//! asked, by arithmetic alone: what was shown is what is done.

pub mod fit;
pub mod history;
pub mod persona;

use std::sync::Arc;

use self::history::{History, Line};
use self::persona::{Persona, summary_words};
use super::ask::Ask;
use super::chat::Chat;
use super::lane::Lane;
use super::message::MessageRole;
use super::recall::{Covering, recall};
use crate::ai::{Effort, Request, Tool, Turn, tokens};
use crate::app::App;
use crate::db::Connection;
use crate::error::Result;
use crate::error::{ErrorCode, UserError};
use crate::id::{ChatId, MessageId};
use crate::memory::Preferences;
use crate::model::fact::ModelInfo;
use crate::model::price::Tokens;
use crate::tool::offer::Offer;

/// What goes with a question, whichever model is asked.
#[derive(Debug)]
pub struct Material {
    history: History,
    summary: Option<Covering>,
    question: Option<String>,
    persona: Persona,
    chat_id: ChatId,
    at_least: usize,
    last_sequence: i64,
    /// The tools that the answer may use.
    pub offer: Offer,
    /// Whether an earlier answer may be given again.
    pub from_cache: bool,
    /// Whether it is for one person, who alone reads the answer.
    private: bool,
}

/// What is sent to one model.
#[derive(Debug)]
pub struct Plan {
    /// Whom to ask, with whose key, in which manner.
    pub lane: Lane,
    /// What to ask.
    pub request: Request,
    /// The tools that it may use; `request` names them too.
    pub offer: Offer,
    /// Whether an earlier answer to the same may be given again.
    pub from_cache: bool,
    /// Whether this one may be given again later: what is said in a group stays there.
    pub cacheable: bool,
    /// The messages that the model is shown besides the question, oldest first.
    pub messages: Vec<MessageId>,
    /// The tokens of the question's text, by our own count; none where the question is a message already.
    pub question_tokens: Option<u32>,
    /// Whether older ones are left out.
    pub cut: bool,
    /// The summary that it is shown in the place of what came before them.
    pub summary: Option<Covering>,
    /// How many memories it is told.
    pub memories: usize,
    /// The tokens of everything, as the provider will probably count them.
    pub input_tokens: u32,
    /// The number of the chat's newest message when this was made: with another one it has to be made again.
    pub last_sequence: i64,
    /// What is known of the model.
    pub info: Option<Arc<ModelInfo>>,
    /// The newest message that a summary should cover by now: the window is filling.
    pub summarise_through: Option<MessageId>,
}

impl Material {
    /// Reads what goes with a question.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn read(connection: &Connection, app: &App, ask: &Ask<'_>) -> Result<Self> {
        let room = app.config().settings.context_tokens;
        let history = history::read(connection, ask.chat_id, ask.tip, 0, room);
        let known = |before| recall(connection, ask.chat_id, ask.user_id, before);
        let (mut history, known) = match ask.at_least.checked_sub(1) {
            // On their way together: who waits for the first word waits for one statement less.
            None => {
                let (history, known) = tokio::join!(history, known(i64::MAX));
                (history?, known?)
            }
            // A summary stands for nothing that is to be shown in any case.
            Some(oldest) => {
                let history = history.await?;
                let oldest = history.lines.get(oldest).map(|line| line.sequence);
                (history, known(oldest.unwrap_or(i64::MAX)).await?)
            }
        };
        if let (Some(octets), Some(tip)) = (ask.tip_octets, history.lines.first_mut()) {
            tip.cut(octets);
        }
        let summary = known.summary.filter(|summary| history.begin_behind(summary, ask.tip));
        let Preferences {
            about_me,
            response_style,
            language,
            ..
        } = known.preferences;
        Ok(Material {
            history,
            summary,
            question: ask.question.map(str::to_owned),
            persona: Persona {
                instructions: None,
                about: about_me,
                style: response_style,
                language,
                memories: known.memories,
            },
            chat_id: ask.chat_id,
            at_least: ask.at_least,
            offer: Offer::default(),
            from_cache: false,
            private: true,
            last_sequence: ask.last_sequence,
        })
    }

    /// What goes with a question of a group: what was said there, and nothing else. Without `question` it is the newest
    /// message of the history.
    pub fn of_room(chat: &Chat, history: History, question: Option<String>) -> Self {
        Material {
            history,
            summary: None,
            at_least: usize::from(question.is_none()),
            question,
            persona: Persona::default(),
            chat_id: chat.id,
            last_sequence: chat.last_sequence,
            offer: Offer::default(),
            from_cache: false,
            private: false,
        }
    }

    /// What is sent to the model of `lane`.
    pub fn plan(&self, app: &App, lane: Lane) -> Plan {
        let Lane { payer, manner, .. } = &lane;
        let provider = payer.endpoint.provider;
        let info = app.models().find(provider, &payer.model);
        let window = info.as_ref().and_then(|info| info.context_window);
        let longest = info.as_ref().and_then(|info| info.max_output_tokens);
        // Others than those that are known not to think may be asked to, as somebody wants it.
        let knows_no_thinking = info.as_ref().is_some_and(|info| info.reasoning == Some(false));
        let effort = manner.effort.filter(|_| !knows_no_thinking);
        let thinking = effort.map_or(0, Effort::tokens);
        let wanted = manner.max_output_tokens.map(|most| most.saturating_add(thinking));
        let max_output_tokens = match (wanted, longest) {
            (Some(wanted), Some(longest)) => Some(wanted.min(longest)),
            (wanted, _) => wanted,
        };
        let for_results = window.filter(|_| !self.offer.is_empty()).map(fit::without_results);
        let room = fit::room(
            provider,
            for_results.or(window),
            max_output_tokens,
            app.config().settings.context_tokens,
        );
        let persona = Persona {
            instructions: Some(manner.instructions.clone()).filter(|text| !text.trim().is_empty()),
            ..self.persona.clone()
        };
        // What is told first changes least, so that providers find it in their caches.
        let summarised = self.summary.as_ref().map(|summary| summary_words(&summary.content));
        let told: Vec<String> = persona.words().into_iter().chain(summarised).collect();
        let told = (!told.is_empty()).then(|| told.join("\n\n"));
        let mut turns: Vec<Turn> = told.map(Turn::System).into_iter().collect();
        let question = self.question.clone().map(Turn::User);
        let tools = self.offer.tools();
        let words: u32 = turns.iter().chain(&question).map(cost).sum();
        let fixed = words + tools.iter().map(tool_cost).sum::<u32>();
        let room = room.saturating_sub(fixed);
        let costs: Vec<u32> = self.history.lines.iter().map(Line::tokens).collect();
        let fitting = fit::newest_that_fit(costs.iter().copied(), room);
        let fitting = fitting.max(self.at_least).min(costs.len());
        // A conversation begins with a person; an answer without its question confuses models, and some refuse it.
        let mut shown = &self.history.lines[..fitting];
        while let [
            rest @ ..,
            Line {
                role: MessageRole::Assistant,
                ..
            },
        ] = shown
            && rest.len() >= self.at_least
        {
            shown = rest;
        }
        let used: u32 = costs[..shown.len()].iter().sum();
        let lines = shown.iter().rev().filter(|line| !line.content.is_empty());
        turns.extend(lines.clone().map(turn));
        // The question changes; what came before it comes again in the next request.
        let cache_through = turns.len().checked_sub(if question.is_some() { 1 } else { 2 });
        turns.extend(question.clone());
        let summarise = fit::keep_when_summarising(&costs, room);
        Plan {
            messages: lines.map(|line| line.id).collect(),
            question_tokens: question.as_ref().map(|question| cost(question) - fit::TOKENS_PER_TURN),
            cut: !self.history.complete || shown.len() < costs.len(),
            summary: self.summary.clone(),
            memories: persona.memories.len(),
            input_tokens: fit::stretched(provider, fixed + used),
            info,
            offer: self.offer.clone(),
            from_cache: self.from_cache,
            cacheable: self.private,
            last_sequence: self.last_sequence,
            summarise_through: summarise
                .filter(|_| self.private)
                .and_then(|kept| self.history.lines.get(kept))
                .map(|line| line.id),
            request: Request {
                model: payer.model.clone(),
                turns,
                temperature: manner.temperature,
                max_output_tokens,
                effort,
                context_window: window,
                tools,
                cache_key: Some(self.chat_id.to_string()),
                cache_through,
            },
            lane,
        }
    }
}

fn turn(line: &Line) -> Turn {
    let text = line.content.clone();
    match line.role {
        MessageRole::User => Turn::User(text),
        MessageRole::Assistant => Turn::assistant(text),
        MessageRole::System | MessageRole::Tool => Turn::System(text),
    }
}

/// What a tool costs: each is described with every question.
fn tool_cost(tool: &Tool) -> u32 {
    tokens::count(&tool.description) + tokens::count(&tool.parameters.to_string()) + fit::TOKENS_PER_TURN
}

fn cost(turn: &Turn) -> u32 {
    tokens::count(turn.text()) + fit::TOKENS_PER_TURN
}

impl Plan {
    /// The least and the most that this can cost, in micro-USD; none when nobody knows the price. The least is for a
    /// prompt that the provider has in its cache and a word, the most for the longest answer.
    pub fn cost(&self) -> Option<(i64, i64)> {
        let info = self.info.as_ref()?;
        let tariff = info.tariff?;
        let input = i64::from(self.input_tokens);
        let least = Tokens {
            input,
            cached_input: input,
            output: 1,
            ..Tokens::default()
        };
        let longest = self.request.max_output_tokens.or(info.max_output_tokens);
        let output = longest.map_or(i64::from(fit::ANSWER_TOKENS), i64::from);
        Some((tariff.cost(&least), tariff.most(input, output)))
    }

    /// Why the model could not take this, before it is asked: what has to be sent is more than it takes.
    pub fn refusal(&self) -> Option<UserError> {
        let window = self.info.as_ref()?.context_window?;
        (self.input_tokens > window).then(|| {
            let message = format!(
                "This is about {} tokens and the model takes {window}. Write less, or choose a model with a larger context.",
                self.input_tokens
            );
            UserError::new(ErrorCode::ContextTooLong, &["content"], message)
        })
    }
}
