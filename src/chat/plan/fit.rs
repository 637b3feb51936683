//! How much of a conversation fits: arithmetic, and nothing else.

use crate::ai::Provider;

/// Tokens that a message costs besides its text: its role and its borders.
pub const TOKENS_PER_TURN: u32 = 4;

/// The part of a window that is kept free for an answer whose length nobody limits.
const ANSWER_SHARE: u32 = 4;
/// What is kept free for it at most.
pub const ANSWER_TOKENS: u32 = 8_192;
/// The share of the room for the conversation that may be used before the oldest part of it should be summarised.
const SUMMARISE_PERCENT: u64 = 70;
/// The share of that room that stays word for word when it is.
const KEEP_PERCENT: u64 = 30;

/// By how much a count of `o200k_base` tokens has to be stretched for a provider's own tokenizer, in percent. Anthropic
/// says that its tokenizers make up to a third more of the same text; those of others are near, and the open models' as
/// far off as Llama's. Too much only leaves room free; too little is refused by the provider.
fn stretch_percent(provider: Provider) -> u64 {
    match provider {
        Provider::OpenAi | Provider::Scripted => 100,
        Provider::Anthropic => 135,
        Provider::Gemini => 115,
        Provider::Groq | Provider::OpenRouter | Provider::Ollama | Provider::OpenAiCompatible => 120,
    }
}

/// The tokens that a provider will probably count where we count `tokens`.
pub fn stretched(provider: Provider, tokens: u32) -> u32 {
    let stretched = (u64::from(tokens) * stretch_percent(provider)).div_ceil(100);
    u32::try_from(stretched).unwrap_or(u32::MAX)
}

/// The tokens that everything that is sent may have, by our count.
pub fn room(provider: Provider, window: Option<u32>, max_output: Option<u32>, most: u32) -> u32 {
    let Some(window) = window else { return most };
    let theirs = u64::from(left(window, max_output));
    let ours = u32::try_from(theirs * 100 / stretch_percent(provider)).unwrap_or(u32::MAX);
    ours.min(most)
}

/// What a window leaves for what is sent when an answer is kept free.
pub fn left(window: u32, max_output: Option<u32>) -> u32 {
    let answer = max_output.unwrap_or_else(|| ANSWER_TOKENS.min(window / ANSWER_SHARE));
    window - answer.min(window / 2)
}

/// What is left of a window when a part is kept free for what tools will say.
pub fn without_results(window: u32) -> u32 {
    window - ANSWER_TOKENS.min(window / ANSWER_SHARE)
}

/// How many of `tokens`, the newest first, fit into `room` one after the other.
pub fn newest_that_fit(tokens: impl IntoIterator<Item = u32>, room: u32) -> usize {
    let mut left = room;
    tokens
        .into_iter()
        .take_while(|tokens| match left.checked_sub(*tokens) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        })
        .count()
}

/// How many of `tokens`, the newest first, stay word for word when the older ones should be summarised now; none while
/// there is room.
pub fn keep_when_summarising(tokens: &[u32], room: u32) -> Option<usize> {
    let used: u64 = tokens.iter().copied().map(u64::from).sum();
    if used * 100 <= u64::from(room) * SUMMARISE_PERCENT {
        return None;
    }
    let keep = u32::try_from(u64::from(room) * KEEP_PERCENT / 100).unwrap_or(u32::MAX);
    let kept = newest_that_fit(tokens.iter().copied(), keep);
    (kept < tokens.len()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_leaves_space_for_the_answer_and_for_other_tokenizers() {
        assert_eq!(room(Provider::OpenAi, None, None, 16_000), 16_000);
        assert_eq!(room(Provider::OpenAi, Some(4_096), None, 16_000), 3_072);
        assert_eq!(room(Provider::OpenAi, Some(200_000), None, 1_000_000), 191_808);
        assert_eq!(room(Provider::OpenAi, Some(4_096), Some(1_000), 16_000), 3_096);
        assert_eq!(room(Provider::OpenAi, Some(4_096), Some(100_000), 16_000), 2_048);
        assert_eq!(
            room(Provider::Anthropic, Some(200_000), Some(65_000), 1_000_000),
            100_000
        );
        assert_eq!(room(Provider::Anthropic, Some(200_000), None, 16_000), 16_000);
        assert_eq!(room(Provider::Gemini, Some(0), None, 16_000), 0);
    }

    #[test]
    fn the_newest_fit_without_a_gap() {
        assert_eq!(newest_that_fit([], 10), 0);
        assert_eq!(newest_that_fit([4, 6, 1], 10), 2);
        assert_eq!(
            newest_that_fit([4, 7, 1], 10),
            1,
            "an older one that would fit is not taken alone"
        );
        assert_eq!(newest_that_fit([11], 10), 0);
    }

    #[test]
    fn a_full_window_is_summarised_before_it_overflows() {
        assert_eq!(keep_when_summarising(&[10; 7], 100), None);
        assert_eq!(keep_when_summarising(&[10; 8], 100), Some(3));
        assert_eq!(keep_when_summarising(&[80], 100), Some(0));
    }
}
