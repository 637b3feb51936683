//! How far apart two words are: typing errors, counted.

/// How many letters have to be put in, left out, changed or swapped with their neighbour to make one word of the other.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut this = vec![row + 1];
        for (column, against) in other.iter().enumerate() {
            let changed = last[column] + usize::from(letter != against);
            let mut best = changed.min(last[column + 1] + 1).min(this[column] + 1);
            let swapped = row > 0 && column > 0 && *letter == other[column - 1] && one[row - 1] == *against;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            this.push(best);
        }
        before = std::mem::replace(&mut last, this);
    }
    last.last().copied().unwrap_or_default()
}

/// Whether one word may be a misspelling of the other: short ones forgive less.
pub(super) fn is_near(word: &str, known: &str) -> bool {
    let most = match word.chars().count() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    };
    distance(word, known) <= most
}

#[cfg(test)]
mod tests {
    use super::{distance, is_near};

    #[test]
    fn errors_are_counted() {
        for (one, other, expected) in [
            ("umbrella", "umbrella", 0),
            ("umbrela", "umbrella", 1),
            ("recieve", "receive", 1),
            ("jonh", "john", 1),
            ("hause", "mouse", 2),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
        assert!(is_near("jonh", "john") && !is_near("car", "cat") && !is_near("house", "mousy"));
    }
}
