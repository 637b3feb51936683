//! What a call of a tool came to, in the words that the model gets.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

use super::RESULT_BYTES;

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the model is told.
    pub text: String,
    /// Whether it failed; the text says how.
    pub failed: bool,
}

impl Outcome {
    /// What a tool answered.
    pub fn done(text: &str) -> Self {
        Outcome {
            text: shortened(text),
            failed: false,
        }
    }

    /// Why there is no answer.
    pub fn failed(text: &str) -> Self {
        Outcome {
            text: shortened(text),
            failed: true,
        }
    }

    /// The answer of a server.
    pub(super) fn of(result: CallToolResult) -> Self {
        let mut parts: Vec<String> = result.content.into_iter().map(part).collect();
        let said = parts.iter().any(|part| !part.trim().is_empty());
        if let Some(structured) = result.structured_content.filter(|_| !said) {
            parts.push(structured.to_string());
        }
        let text = parts.join("\n");
        match result.is_error {
            Some(true) if text.trim().is_empty() => Outcome::failed("The tool failed without saying why."),
            Some(true) => Outcome::failed(&text),
            _ if text.trim().is_empty() => Outcome::done("The tool is done and says nothing."),
            _ => Outcome::done(&text),
        }
    }
}

/// A piece of a result as text. What a text cannot show is named.
fn part(content: ContentBlock) -> String {
    match content {
        ContentBlock::Text(text) => text.text,
        ContentBlock::Image(image) => left_out("an image", &image.mime_type, image.data.len()),
        ContentBlock::Audio(audio) => left_out("a sound", &audio.mime_type, audio.data.len()),
        ContentBlock::Resource(embedded) => match embedded.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => format!("{uri}\n{text}"),
            ResourceContents::BlobResourceContents {
                uri, mime_type, blob, ..
            } => {
                let kind = mime_type.unwrap_or_else(|| "unknown type".to_owned());
                format!("{uri}\n{}", left_out("a file", &kind, blob.len()))
            }
            _ => "[a resource of an unknown kind was left out here]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => format!("{}: {}", link.name, link.uri),
        _ => "[something of an unknown kind was left out here]".to_owned(),
    }
}

fn left_out(what: &str, kind: &str, base64: usize) -> String {
    format!("[{what} was left out here: {kind}, {} bytes]", base64 / 4 * 3)
}

/// Cut to what a model is shown, with a word about it, and without the NUL that Postgres does not take.
fn shortened(text: &str) -> String {
    if text.len() <= RESULT_BYTES {
        return text.replace('\0', "\u{FFFD}");
    }
    let end = text.floor_char_boundary(RESULT_BYTES);
    let kept = text[..end].replace('\0', "\u{FFFD}");
    format!(
        "{kept}\n[cut here: the result has {} bytes, and these are the first {end}]",
        text.len()
    )
}
