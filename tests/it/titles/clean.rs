//! What is left of a model's words.

use parlor::chat::title::clean;

#[test]
fn a_title_is_found_in_what_models_say() {
    for (said, title) in [
        ("Boiling eggs", Some("Boiling eggs")),
        ("\"Boiling eggs\"", Some("Boiling eggs")),
        ("  **Boiling   eggs.**\n\nI hope this helps!", Some("Boiling eggs")),
        ("Title: Boiling eggs", Some("Boiling eggs")),
        ("**Title:** “Boiling eggs”", Some("Boiling eggs")),
        ("# Boiling eggs", Some("Boiling eggs")),
        ("- Boiling eggs;", Some("Boiling eggs")),
        ("„Eier kochen“", Some("Eier kochen")),
        ("「ゆで卵の作り方」。", Some("ゆで卵の作り方")),
        (
            "<think>\nThe user wants a title.\n</think>\n\nBoiling eggs",
            Some("Boiling eggs"),
        ),
        ("What is a café?", Some("What is a café?")),
        ("C# and F#", Some("C# and F")),
        ("Boiling\u{202E}\u{200B} eggs\u{7}", Some("Boiling eggs")),
        ("\n\n...\n", None),
        ("", None),
        ("👩‍🚀", None),
    ] {
        assert_eq!(clean(said).as_deref(), title, "{said:?}");
    }
    let long = clean(&"a long walk along the river ".repeat(9)).expect("a title");
    assert!(long.ends_with('…') && long.chars().count() <= 50, "{long}");
    let word = clean(&"x".repeat(500)).expect("a title");
    assert_eq!(word.chars().count(), 50);
}
