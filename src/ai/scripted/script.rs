//! The script: read from a model's name.

use std::{str::FromStr, time::Duration};

use crate::ai::{FailureKind, FinishReason, ToolCall};

/// The most words, retries and milliseconds a script may ask for.
const MOST: u64 = 1_000_000;

/// What a scripted model will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub(super) says: Says,
    pub(super) first: Duration,
    pub(super) delay: Duration,
    pub(super) reasoning: usize,
    pub(super) seed: u64,
    pub(super) ending: Ending,
    pub(super) at: usize,
    pub(super) retries: u32,
    pub(super) usage: bool,
    pub(super) tools: Vec<ToolCall>,
}

/// Where the words come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Introduction,
    Words(usize),
    Echo,
    Context,
    Title,
    Summary,
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Finish(FinishReason),
    Fail(FailureKind, Option<Duration>),
    Cut,
    Stall,
}

/// Why a name is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The name is of another model.
    #[error("a scripted model is called `scripted` or `scripted:option=value,…`")]
    NotScripted,
    /// There is no such option.
    #[error("unknown option `{0}` of a scripted model")]
    UnknownOption(String),
    /// The option has no such value.
    #[error("option `{option}` of a scripted model takes {expected}")]
    BadValue {
        /// The option.
        option: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// Two options that exclude each other.
    #[error("options `{0}` and `{1}` of a scripted model exclude each other")]
    Conflict(&'static str, &'static str),
    /// An option that means nothing alone.
    #[error("option `{0}` of a scripted model needs {1}")]
    Needs(&'static str, &'static str),
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(model: &str) -> Result<Self, Self::Err> {
        let options = match model.strip_prefix("scripted") {
            Some("") => "",
            Some(rest) => rest.strip_prefix(':').ok_or(ScriptError::NotScripted)?,
            None => return Err(ScriptError::NotScripted),
        };
        let mut read = Read::default();
        for option in split(options).map(str::trim).filter(|o| !o.is_empty()) {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (option, None),
            };
            read.option(name, value)?;
        }
        read.finish()
    }
}

/// The options as written.
#[derive(Default)]
struct Read {
    words: Option<usize>,
    says: Option<(&'static str, Says)>,
    first: Option<u64>,
    delay: Option<u64>,
    seed: Option<u64>,
    reasoning: usize,
    ending: Option<(&'static str, Ending)>,
    retry_after: Option<u64>,
    at: Option<usize>,
    retries: u32,
    silent_about_usage: bool,
    tools: Vec<ToolCall>,
}

impl Read {
    fn option(&mut self, name: &str, value: Option<&str>) -> Result<(), ScriptError> {
        match name {
            "words" => self.words = Some(count("words", value)?),
            "first" => self.first = Some(number("first", value)?),
            "delay" => self.delay = Some(number("delay", value)?),
            "seed" => self.seed = Some(number("seed", value)?),
            "reasoning" => self.reasoning = count("reasoning", value)?,
            "echo" => self.says("echo", Says::Echo, value)?,
            "context" => self.says("context", Says::Context, value)?,
            "title" => self.says("title", Says::Title, value)?,
            "summary" => self.says("summary", Says::Summary, value)?,
            "fail" => {
                let kind = value.and_then(|value| value.parse().ok());
                let kind = kind.ok_or(ScriptError::BadValue {
                    option: "fail",
                    expected: "a kind of failure such as rate_limited or key_invalid",
                })?;
                self.ending("fail", Ending::Fail(kind, None))?;
            }
            "retry_after" => self.retry_after = Some(number("retry_after", value)?),
            "cut" => self.bare_ending("cut", Ending::Cut, value)?,
            "stall" => self.bare_ending("stall", Ending::Stall, value)?,
            "finish" => {
                let reason = match value {
                    Some("stop") => FinishReason::Stop,
                    Some("length") => FinishReason::Length,
                    Some("content_filter") => FinishReason::ContentFilter,
                    _ => {
                        return Err(ScriptError::BadValue {
                            option: "finish",
                            expected: "stop, length or content_filter",
                        });
                    }
                };
                self.ending("finish", Ending::Finish(reason))?;
            }
            "at" => self.at = Some(count("at", value)?),
            "retries" => self.retries = u32::try_from(number("retries", value)?).unwrap_or(0),
            "tool" => {
                let call = value.and_then(|value| call(value, self.tools.len()));
                self.tools.push(call.ok_or(ScriptError::BadValue {
                    option: "tool",
                    expected: "a call such as find({\"name\":\"Ada\"})",
                })?);
            }
            "usage" => {
                self.silent_about_usage = match value {
                    Some("on") => false,
                    Some("off") => true,
                    _ => {
                        return Err(ScriptError::BadValue {
                            option: "usage",
                            expected: "on or off",
                        });
                    }
                };
            }
            unknown => {
                return Err(ScriptError::UnknownOption(unknown.chars().take(40).collect()));
            }
        }
        Ok(())
    }

    fn says(&mut self, name: &'static str, says: Says, value: Option<&str>) -> Result<(), ScriptError> {
        bare(name, value)?;
        match self.says.replace((name, says)) {
            Some((before, _)) if before != name => Err(ScriptError::Conflict(before, name)),
            _ => Ok(()),
        }
    }

    fn bare_ending(&mut self, name: &'static str, ending: Ending, value: Option<&str>) -> Result<(), ScriptError> {
        // `cut=5` is `cut,at=5`: it is what one writes without looking it up.
        if value.is_some() {
            self.at = Some(count(name, value)?);
        }
        self.ending(name, ending)
    }

    fn ending(&mut self, name: &'static str, ending: Ending) -> Result<(), ScriptError> {
        match self.ending.replace((name, ending)) {
            Some((before, _)) if before != name => Err(ScriptError::Conflict(before, name)),
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Script, ScriptError> {
        let says = match (self.says, self.words) {
            (Some((name, _)), Some(_)) => return Err(ScriptError::Conflict("words", name)),
            (Some((_, says)), None) => says,
            (None, Some(words)) => Says::Words(words),
            (None, None) if self.seed.is_some() => Says::Words(60),
            (None, None) => Says::Introduction,
        };
        let ending = match (self.ending, self.retry_after) {
            (Some((_, Ending::Fail(kind, _))), after) => Ending::Fail(kind, after.map(Duration::from_secs)),
            (_, Some(_)) => return Err(ScriptError::Needs("retry_after", "`fail`")),
            (Some((_, ending)), None) => ending,
            (None, None) => Ending::Finish(FinishReason::Stop),
        };
        if self.at.is_some() && matches!(ending, Ending::Finish(_)) {
            return Err(ScriptError::Needs("at", "`fail`, `cut` or `stall`"));
        }
        Ok(Script {
            says,
            first: Duration::from_millis(self.first.unwrap_or(150)),
            delay: Duration::from_millis(self.delay.unwrap_or(25)),
            reasoning: self.reasoning,
            seed: self.seed.unwrap_or(0),
            ending,
            at: self.at.unwrap_or(0),
            retries: self.retries,
            usage: !self.silent_about_usage,
            tools: self.tools,
        })
    }
}

/// The options: what stands between commas, but for those in the arguments of a tool.
fn split(options: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    options.split(move |letter: char| {
        let was_escaped = escaped;
        escaped = quoted && letter == '\\' && !was_escaped;
        match letter {
            '"' if depth > 0 && !was_escaped => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
}

/// `name({…})`, the `number`th call of its turn.
fn call(value: &str, number: usize) -> Option<ToolCall> {
    let (name, arguments) = value.strip_suffix(')')?.split_once('(')?;
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let arguments = match arguments.trim() {
        "" => "{}",
        arguments => arguments,
    };
    let is_an_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(arguments).is_ok();
    let is_a_call = !name.is_empty() && name.chars().all(plain) && is_an_object;
    is_a_call.then(|| ToolCall {
        id: format!("call_{number}"),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    })
}

fn bare(option: &'static str, value: Option<&str>) -> Result<(), ScriptError> {
    match value {
        None => Ok(()),
        Some(_) => Err(ScriptError::BadValue {
            option,
            expected: "no value",
        }),
    }
}

fn number(option: &'static str, value: Option<&str>) -> Result<u64, ScriptError> {
    value
        .and_then(|value| value.parse().ok())
        .filter(|number| *number <= MOST)
        .ok_or(ScriptError::BadValue {
            option,
            expected: "a whole number up to 1000000",
        })
}

fn count(option: &'static str, value: Option<&str>) -> Result<usize, ScriptError> {
    number(option, value).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}
