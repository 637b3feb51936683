//! The event reader, by itself.

use parlor::ai::sse::{Event, Malformed, Reader};
use proptest::prelude::*;

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut reader = Reader::new(1000);
    let mut events = Vec::new();
    for piece in pieces {
        reader.read(piece, &mut events).expect("well formed");
    }
    events.extend(reader.finish().expect("well formed"));
    events
}

fn event(name: Option<&str>, data: &str) -> Event {
    Event {
        name: name.map(str::to_owned),
        data: data.to_owned(),
    }
}

#[test]
fn the_format_to_the_letter() {
    let cases: [(&str, Vec<Event>); 14] = [
        ("data: a\n\n", vec![event(None, "a")]),
        ("data:a\n\n", vec![event(None, "a")]),
        ("data:  a\n\n", vec![event(None, " a")]),
        ("data: a\ndata: b\n\n", vec![event(None, "a\nb")]),
        ("data\ndata\n\n", vec![event(None, "\n")]),
        (
            "data: a\r\n\r\ndata: b\r\rdata: c\n\n",
            vec![event(None, "a"), event(None, "b"), event(None, "c")],
        ),
        (
            ": a comment\n\n:\n\ndata: a\n: within\ndata: b\n\n",
            vec![event(None, "a\nb")],
        ),
        (
            "event: e\ndata: a\n\ndata: b\n\n",
            vec![event(Some("e"), "a"), event(None, "b")],
        ),
        ("event: lost\n\ndata: a\n\n", vec![event(None, "a")]),
        ("id: 1\nretry: 9\nnew: x\nodd\ndata: a\n\n", vec![event(None, "a")]),
        ("\u{feff}data: a\n\n\u{feff}data: b\n\n", vec![event(None, "a")]),
        ("data: a: b\n\n", vec![event(None, "a: b")]),
        ("data: unclosed", vec![event(None, "unclosed")]),
        ("", vec![]),
    ];
    for (text, events) in cases {
        assert_eq!(read([text.as_bytes()]), events, "{text:?}");
    }
}

#[test]
fn memory_is_bounded() {
    let mut reader = Reader::new(100);
    let mut events = Vec::new();
    let endless_line = (0..20).try_for_each(|_| reader.read(b"data: aaaa", &mut events));
    assert_eq!(endless_line, Err(Malformed::TooLong(100)));
    let mut reader = Reader::new(100);
    let endless_event = (0..40).try_for_each(|_| reader.read(b"data: aaaa\n", &mut events));
    assert_eq!(endless_event, Err(Malformed::TooLong(100)));
    assert_eq!(
        Reader::new(9).read(b"data: \xff\n\n", &mut events),
        Err(Malformed::NotUtf8)
    );
    assert_eq!(events, []);
}

/// Streams made of what matters to the format, in any order.
fn streams() -> impl Strategy<Value = String> {
    let tokens = prop_oneof![
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("data:"),
        Just("data: "),
        Just("event: e"),
        Just(": c"),
        Just("\u{feff}"),
        Just("é"),
        Just("👩‍🚀"),
        Just(" "),
        Just("x"),
    ];
    prop::collection::vec(tokens, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_events(text in streams(), sizes in prop::collection::vec(0..9_usize, 1..9)) {
        let mut pieces = Vec::new();
        let mut rest = text.as_bytes();
        for size in sizes.iter().cycle() {
            if rest.is_empty() || pieces.len() > 500 {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(read(pieces), read([text.as_bytes()]));
    }

    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = Reader::new(64);
        let mut events = Vec::new();
        if reader.read(&bytes, &mut events).is_ok() {
            reader.finish().ok();
        }
    }
}
