//! What a model is told before the conversation: who it is, whom it talks to, what it knows of them.

/// What is known before the conversation begins. Nothing in it is ever sent to anybody but the model that answers the
/// person it is about.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Persona {
    /// The assistant's instructions.
    pub instructions: Option<String>,
    /// What the person says about themselves.
    pub about: Option<String>,
    /// How the person wants to be answered.
    pub style: Option<String>,
    /// The language that the person wants to be answered in.
    pub language: Option<String>,
    /// What is remembered across chats, oldest first.
    pub memories: Vec<String>,
}

impl Persona {
    /// The words for it; none when there is nothing to say. What stays the same in every request comes first, so that
    /// providers find it in their caches.
    pub fn words(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.instructions.clone());
        let mut tell = |heading: &str, text: Option<&String>| {
            parts.extend(text.map(|text| format!("{heading}\n{text}")));
        };
        tell(
            "About the person you are talking to, in their own words:",
            self.about.as_ref(),
        );
        tell("How they want you to answer:", self.style.as_ref());
        tell(
            "Answer in this language unless asked otherwise:",
            self.language.as_ref(),
        );
        if !self.memories.is_empty() {
            let list: Vec<String> = self.memories.iter().map(|memory| format!("- {memory}")).collect();
            parts.push(format!(
                "What you remember from earlier chats with them:\n{}",
                list.join("\n")
            ));
        }
        (!parts.is_empty()).then(|| parts.join("\n\n"))
    }
}

/// The words for a summary of what came before.
pub fn summary_words(summary: &str) -> String {
    format!("The conversation so far, summarised; what follows is word for word:\n{summary}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_said() {
        assert_eq!(Persona::default().words(), None);
        let persona = Persona {
            instructions: Some("Be brief.".into()),
            language: Some("German".into()),
            memories: vec!["Has a dog.".into(), "Likes tea.".into()],
            ..Persona::default()
        };
        insta::assert_snapshot!(persona.words().expect("words"), @r"
        Be brief.

        Answer in this language unless asked otherwise:
        German

        What you remember from earlier chats with them:
        - Has a dog.
        - Likes tea.
        ");
    }
}
