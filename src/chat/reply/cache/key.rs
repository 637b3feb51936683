//! What tells one question from another: a hash of everything that could change the answer.

use aws_lc_rs::digest::{Context, SHA256};

use crate::ai::{Endpoint, Replay, Request, Tool, ToolCall, Turn};

/// Names the form of what is hashed. Another form needs another name, or old answers are given to new questions.
const FORM: &str = "parlor answer 1";

/// The hash of a question and of where it is asked. The same question of somebody else has the same one: it is looked for
/// among one person's answers only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// The key of this question, asked there.
    ///
    /// Whose key pays is no part of it: the same model at the same address says the same for any of them, and an answer that
    /// is given again is paid by none.
    pub fn new(endpoint: &Endpoint, request: &Request) -> Self {
        let mut form = Form(Context::new(&SHA256));
        form.text(FORM);
        form.endpoint(endpoint);
        form.request(request);
        Key(form.0.finish().as_ref().to_vec())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Writes each thing so that no two have the same bytes: texts behind their lengths, choices behind their numbers.
struct Form(Context);

impl Form {
    fn endpoint(&mut self, endpoint: &Endpoint) {
        let Endpoint {
            provider,
            format: _,
            base_url,
            secret: _,
            reach: _,
        } = endpoint;
        self.text(provider.name());
        self.maybe(endpoint.format(), |form, format| form.text(format.name()));
        let address = base_url.as_ref().map(url::Url::as_str).or(provider.home());
        self.maybe(address, Self::text);
    }

    fn request(&mut self, request: &Request) {
        let Request {
            model,
            turns,
            tools,
            temperature,
            max_output_tokens,
            effort,
            context_window,
            // Hints for the provider's own cache. They change what it costs and not what it says, and the first names the
            // chat, so that nothing would ever be found in another one.
            cache_key: _,
            cache_through: _,
        } = request;
        self.text(model);
        self.each(turns, Self::turn);
        self.each(tools, Self::tool);
        self.maybe(*temperature, |form, value| form.number(value.to_bits().into()));
        self.maybe(*max_output_tokens, |form, most| form.number(most.into()));
        self.maybe(*effort, |form, effort| form.text(effort.name()));
        self.maybe(*context_window, |form, tokens| form.number(tokens.into()));
    }

    fn turn(&mut self, turn: &Turn) {
        match turn {
            Turn::System(text) => {
                self.number(0);
                self.text(text);
            }
            Turn::User(text) => {
                self.number(1);
                self.text(text);
            }
            Turn::Assistant {
                text,
                tool_calls,
                replay,
            } => {
                self.number(2);
                self.text(text);
                self.each(tool_calls, Self::call);
                self.maybe(replay.as_ref(), Self::replay);
            }
            Turn::ToolResult {
                call_id,
                name,
                text,
                failed,
            } => {
                self.number(3);
                self.text(call_id);
                self.text(name);
                self.text(text);
                self.number((*failed).into());
            }
        }
    }

    fn call(&mut self, call: &ToolCall) {
        let ToolCall { id, name, arguments } = call;
        self.text(id);
        self.text(name);
        self.text(arguments);
    }

    fn replay(&mut self, replay: &Replay) {
        let Replay { format, model, content } = replay;
        self.text(format.name());
        self.text(model);
        self.text(content);
    }

    fn tool(&mut self, tool: &Tool) {
        let Tool {
            name,
            description,
            parameters,
        } = tool;
        self.text(name);
        self.text(description);
        self.text(&parameters.to_string());
    }

    fn each<T>(&mut self, all: &[T], write: impl Fn(&mut Self, &T)) {
        self.length(all.len());
        all.iter().for_each(|one| write(self, one));
    }

    fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.number(value.is_some().into());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    fn length(&mut self, length: usize) {
        self.number(u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;
    use crate::ai::{Effort, Format, Provider, Reach};

    fn endpoint() -> Endpoint {
        Endpoint {
            provider: Provider::OpenAi,
            ..Endpoint::scripted()
        }
    }

    fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
        ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
        }
    }

    fn result(call_id: &str, name: &str, text: &str, failed: bool) -> Turn {
        Turn::ToolResult {
            call_id: call_id.into(),
            name: name.into(),
            text: text.into(),
            failed,
        }
    }

    fn said(tool_calls: Vec<ToolCall>, replay: Option<(Format, &str, &str)>) -> Turn {
        Turn::Assistant {
            text: "It is".into(),
            tool_calls,
            replay: replay.map(|(format, model, content)| Replay {
                format,
                model: model.into(),
                content: content.into(),
            }),
        }
    }

    fn tool(name: &str, description: &str, kind: &str) -> Tool {
        Tool {
            name: name.into(),
            description: description.into(),
            parameters: json!({ "type": kind }),
        }
    }

    fn asking(turns: Vec<Turn>) -> Request {
        Request {
            model: "m".into(),
            turns,
            ..Request::default()
        }
    }

    #[test]
    fn whatever_could_change_the_answer_changes_the_key() {
        let plain = || asking(vec![Turn::user("ab"), Turn::user("c")]);
        let elsewhere = |url: &str| Endpoint {
            base_url: Some(url.parse().expect("a URL")),
            ..endpoint()
        };
        let replay = |format, model, content| asking(vec![said(Vec::new(), Some((format, model, content)))]);
        let calls = |calls| asking(vec![said(calls, None)]);
        let tools = |tools| Request { tools, ..plain() };
        let warm = |temperature| Request {
            temperature: Some(temperature),
            ..plain()
        };
        let effort = |effort| Request {
            effort: Some(effort),
            ..plain()
        };
        let window = |tokens| Request {
            context_window: Some(tokens),
            ..plain()
        };
        let most = |most| Request {
            max_output_tokens: Some(most),
            ..plain()
        };
        let format = Endpoint {
            format: Some(Format::Responses),
            ..endpoint()
        };
        let groq = Endpoint {
            provider: Provider::Groq,
            base_url: endpoint().provider.home().map(|home| home.parse().expect("a URL")),
            ..endpoint()
        };
        let other_model = Request {
            model: "n".into(),
            ..plain()
        };
        let all = [
            Key::new(&format, &plain()),
            Key::new(&groq, &plain()),
            Key::new(&elsewhere("https://llm.example.com/v1"), &plain()),
            Key::new(&elsewhere("https://llm.example.com/v2"), &plain()),
        ];
        let requests = [
            plain(),
            other_model,
            asking(vec![Turn::user("a"), Turn::user("bc")]),
            asking(vec![Turn::user("abc")]),
            asking(vec![Turn::user("c"), Turn::user("ab")]),
            asking(vec![Turn::system("ab"), Turn::user("c")]),
            asking(vec![Turn::assistant("ab"), Turn::user("c")]),
            asking(vec![said(Vec::new(), None)]),
            replay(Format::Responses, "m", "[1]"),
            replay(Format::Responses, "m", "[2]"),
            replay(Format::Responses, "n", "[1]"),
            replay(Format::AnthropicMessages, "m", "[1]"),
            calls(vec![call("1", "f", "{}")]),
            calls(vec![call("2", "f", "{}")]),
            calls(vec![call("1", "g", "{}")]),
            calls(vec![call("1", "f", "{ }")]),
            calls(vec![call("1", "f", "{}"), call("1", "f", "{}")]),
            asking(vec![result("1", "f", "x", false)]),
            asking(vec![result("1", "f", "x", true)]),
            asking(vec![result("2", "f", "x", false)]),
            asking(vec![result("1", "g", "x", false)]),
            asking(vec![result("1", "f", "y", false)]),
            tools(vec![tool("f", "does", "object")]),
            tools(vec![tool("g", "does", "object")]),
            tools(vec![tool("f", "undoes", "object")]),
            tools(vec![tool("f", "does", "string")]),
            tools(vec![tool("f", "does", "object"), tool("g", "does", "object")]),
            warm(0.0),
            warm(0.5),
            most(0),
            most(10),
            effort(Effort::Low),
            effort(Effort::High),
            window(8_192),
        ];
        let count = all.len() + requests.len();
        let keys = requests.iter().map(|request| Key::new(&endpoint(), request)).chain(all);
        let different: HashSet<Vec<u8>> = keys.map(|key| key.bytes().to_vec()).collect();
        assert_eq!(different.len(), count);
    }

    #[test]
    fn what_changes_no_answer_changes_no_key() {
        let request = asking(vec![Turn::user("Hello?")]);
        let hinted = Request {
            cache_key: Some("chat_1".into()),
            cache_through: Some(0),
            ..request.clone()
        };
        let spelled_out = Endpoint {
            format: Some(Format::ChatCompletions),
            base_url: endpoint().provider.home().map(|home| home.parse().expect("a URL")),
            secret: Some("sk-another".to_owned().into()),
            reach: Reach::User(std::sync::Arc::default()),
            ..endpoint()
        };
        let key = Key::new(&endpoint(), &request);
        assert_eq!(key, Key::new(&spelled_out, &hinted));
        // What is kept is found by the next version too; a change here needs another FORM.
        let shown: String = key.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(shown, @"30e5b2574639f8d5bf59b99422c197624f1143bc155148956ee0dfe991784d88");
    }
}
