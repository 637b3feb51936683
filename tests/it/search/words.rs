//! Words: their forms, languages, beginnings, phrases, misspellings, and where they are shown.

use serde_json::json;

use super::{contents, found, searched, speaker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_found_in_their_forms_in_many_languages() {
    let texts = [
        "The gardens were running over with tomatoes",
        "Die Häuser sind alt, und wir bezahlten die Rechnungen",
        "Les généraux ont mangé dans la cuisine",
        "Las canciones que oímos en el río",
        "Это не домашняя работа, но мы читали книги",
        "東京の天気は晴れです",
        "Nothing else of note",
    ];
    let (_app, ada, _) = speaker(&texts).await;
    for (query, at) in [
        ("tomato ", 0),
        ("RUN ", 0),
        ("garden tomatoes ", 0),
        ("Haus ", 1),
        ("hauser ", 1),
        ("rechnung bezahlen ", 1),
        ("generaux ", 2),
        ("manger ", 2),
        ("canción ", 3),
        ("rio ", 3),
        ("книга ", 4),
        ("ДОМАШНИЕ ", 4),
        ("天気", 5),
        ("東京", 5),
    ] {
        assert_eq!(found(&ada, query).await, [texts[at]], "{query}");
    }
    for nothing in ["京東 ", "gardens Häuser ", "🎉", "bicycle "] {
        assert!(found(&ada, nothing).await.is_empty(), "{nothing}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beginnings_phrases_and_what_must_not_be_there() {
    let texts = [
        "The umbrella stands in the hall",
        "My uncle stands by the umbrella stand",
        "See src/main.rs and <b>Vec<String></b>, or write to kim@example.com",
        "One \\ 'quoted' & (odd) | text:*",
    ];
    let (_app, ada, _) = speaker(&texts).await;
    for (query, expected) in [
        ("umb", vec![texts[0], texts[1]]),
        ("umb* hall ", vec![texts[0]]),
        ("mb ", vec![]),
        ("umb ", vec![]),
        ("\"umbrella stands\"", vec![texts[0]]),
        ("\"stands umbrella\"", vec![]),
        ("\"by the umbrella\" \"umbrella stand\" uncle ", vec![texts[1]]),
        ("\"umbrella umbrella\"", vec![]),
        ("umbrella -uncle", vec![texts[0]]),
        ("umbrella -\"umbrella stands\"", vec![texts[1]]),
        ("main.rs", vec![texts[2]]),
        ("string ", vec![texts[2]]),
        ("kim@example.com", vec![texts[2]]),
        ("example.c", vec![texts[2]]),
        ("'quoted' \\ (odd", vec![texts[3]]),
        ("text:* & | ! <-> ", vec![texts[3]]),
    ] {
        let mut hits = found(&ada, query).await;
        hits.sort();
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        expected.sort();
        assert_eq!(hits, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_mistyped_is_found_and_said() {
    let texts = ["The umbrella is at Kim's", "We received the parcel"];
    let (app, ada, _) = speaker(&texts).await;
    let bob = app.user("bob").await;
    let chat = bob.chat(super::ECHO).await;
    super::said(&bob, &chat, "My umbrellas and unbrella").await;
    for (query, at, word, meant) in [
        ("umbrela", 0, "umbrela", "umbrella"),
        ("unbrella kim", 0, "unbrella", "umbrella"),
        ("recieved ", 1, "recieved", "received"),
    ] {
        let answer = searched(&ada, json!({ "query": query, "filter": { "roles": ["USER"] } })).await;
        assert_eq!(contents(&answer), [texts[at]], "{query}");
        let corrections = answer["corrections"].as_array().expect("a list");
        assert_eq!(corrections.len(), 1, "{answer}");
        assert_eq!(
            (&corrections[0]["word"], &corrections[0]["meant"][0]),
            (&json!(word), &json!(meant))
        );
        assert!(
            !answer.to_string().contains("umbrellas"),
            "nobody learns another's words: {answer}"
        );
        let marked = &answer["nodes"][0]["fragments"][0]["matches"];
        assert!(!marked.as_array().expect("a list").is_empty(), "{answer}");
    }
    let exact = searched(&ada, json!({ "query": "umbrella" })).await;
    assert_eq!(exact["corrections"], json!([]), "what is found was not mistyped");
    assert!(found(&ada, "xylophone").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hits_show_where_the_words_are() {
    let (_app, ada, _) = speaker(&["🎉 The Gardens of Kim: one garden, two regards <b>in</b> “Zürich”"]).await;
    let answer = searched(
        &ada,
        json!({ "query": "gard* \"kim one\" zurich", "filter": { "roles": ["USER"] } }),
    )
    .await;
    let fragments = answer["nodes"][0]["fragments"].as_array().expect("fragments");
    let text: Vec<u16> = fragments[0]["text"].as_str().expect("a text").encode_utf16().collect();
    let number = |value: &serde_json::Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    let marked = fragments[0]["matches"]
        .as_array()
        .expect("matches")
        .iter()
        .map(|found| {
            let start = number(&found["start"]);
            String::from_utf16(&text[start..start + number(&found["length"])]).expect("UTF-16")
        });
    assert_eq!(
        marked.collect::<Vec<_>>(),
        ["Gardens", "Kim", "one", "garden", "Zürich"]
    );
    assert_eq!((fragments.len(), &fragments[0]["start"]), (1, &json!(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_best_comes_first() {
    let texts = [
        "We spoke of tea and of many other things on that long afternoon, of which I remember little",
        "Green tea, black tea, white tea",
        "teapots",
    ];
    let (_app, ada, _) = speaker(&texts).await;
    assert_eq!(found(&ada, "tea").await, [texts[1], texts[0], texts[2]]);
    let answer = searched(&ada, json!({ "query": "tea" })).await;
    let ranks: Vec<f64> = answer["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|hit| hit["rank"].as_f64())
        .collect();
    assert!(
        ranks.is_sorted_by(|one, next| one >= next) && ranks.iter().all(|rank| *rank > 0.0),
        "{ranks:?}"
    );
    assert_eq!(answer["complete"], true);
}
