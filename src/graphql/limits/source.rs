//! The text of a document, before it is parsed: its length, its tokens and how deep its brackets go.
//!
//! The parser recurses into brackets and panics on `\u` escapes of surrogates, so both end here.

use async_graphql::{Pos, ServerError, ServerResult};

use super::{BRACKETS, SOURCE_BYTES, TOKENS, exceeded, refused};

pub(super) fn check(source: &str) -> ServerResult<()> {
    if source.len() > SOURCE_BYTES {
        return Err(exceeded(
            "QUERY_TOO_LARGE",
            "bytes of query text",
            source.len(),
            SOURCE_BYTES,
            None,
        ));
    }
    let mut scan = Scan {
        bytes: source.as_bytes(),
        at: 0,
        tokens: 0,
    };
    let mut brackets = 0_usize;
    while let Some(byte) = scan.next() {
        match byte {
            b'{' | b'[' | b'(' => brackets += 1,
            b'}' | b']' | b')' => brackets = brackets.saturating_sub(1),
            b'"' => scan.string(source)?,
            _ => {}
        }
        if brackets > BRACKETS {
            return Err(exceeded(
                "QUERY_TOO_DEEP",
                "brackets inside brackets",
                brackets,
                BRACKETS,
                None,
            ));
        }
    }
    if scan.tokens > TOKENS {
        return Err(exceeded("QUERY_TOO_LARGE", "tokens", scan.tokens, TOKENS, None));
    }
    Ok(())
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    tokens: usize,
}

impl Scan<'_> {
    /// The first byte of the next token; the rest of names and numbers is skipped.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => {}
                b'#' => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
                _ => {
                    self.tokens += 1;
                    if is_word(byte) {
                        self.skip_while(is_word);
                    }
                    return Some(byte);
                }
            }
        }
    }

    fn skip_while(&mut self, matches: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|byte| matches(*byte)) {
            self.at += 1;
        }
    }

    /// Skips the rest of a string whose first quote was read.
    fn string(&mut self, source: &str) -> ServerResult<()> {
        if self.bytes[self.at..].starts_with(b"\"\"") {
            self.at += 2;
            self.block_string();
            return Ok(());
        }
        loop {
            match self.bytes.get(self.at) {
                Some(b'\\') => {
                    if is_surrogate(&self.bytes[self.at + 1..]) {
                        return Err(surrogate(source, self.at));
                    }
                    self.at += 2;
                }
                // A string without an end is the parser's to explain.
                None | Some(b'"' | b'\n' | b'\r') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn block_string(&mut self) {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                return;
            } else if rest.starts_with(br#"\""""#) {
                self.at += 4;
            } else if rest.starts_with(br#"""""#) {
                self.at += 3;
                return;
            } else {
                self.at += 1;
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || byte == b'.' || byte >= 0x80
}

/// Whether an escape, without its backslash, is `uD800` to `uDFFF`.
fn is_surrogate(escape: &[u8]) -> bool {
    matches!(escape, [b'u', b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..])
}

fn surrogate(source: &str, at: usize) -> ServerError {
    let before = source.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = "Surrogate escapes such as \\uD83D are not supported in query text. Write the character itself or send the text in variables.";
    refused("GRAPHQL_PARSE_FAILED", message, Some(Pos { line, column }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> Option<String> {
        let error = check(source).err()?;
        Some(error.extensions?.get("code")?.to_string())
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "{".repeat(BRACKETS + 1);
        assert_eq!(code(&format!("{{ a(b: \"{many}\") }}")), None);
        assert_eq!(code(&format!("{{ a(b: \"\"\"{many} \\\"\"\" {many}\"\"\") }}")), None);
        assert_eq!(code(&format!("# {many}\n{{ a }}")), None);
        assert_eq!(code(&many).as_deref(), Some("\"QUERY_TOO_DEEP\""));
    }

    #[test]
    fn length_tokens_and_surrogates_are_refused() {
        assert_eq!(
            code(&" ".repeat(SOURCE_BYTES + 1)).as_deref(),
            Some("\"QUERY_TOO_LARGE\"")
        );
        assert_eq!(code(&"a ".repeat(TOKENS + 1)).as_deref(), Some("\"QUERY_TOO_LARGE\""));
        assert_eq!(
            code(r#"{ a(b: "\ud800") }"#).as_deref(),
            Some("\"GRAPHQL_PARSE_FAILED\"")
        );
        assert_eq!(code(r#"{ a(b: "\\ud800 \u00e9") }"#), None);
    }

    #[test]
    fn text_that_ends_early_is_left_to_the_parser() {
        for source in ["\"", "\"\\", "\"\"\"", "\"\"\"\\", "#", "\"\\u", "\"\\ud"] {
            assert_eq!(code(source), None, "{source}");
        }
    }
}
