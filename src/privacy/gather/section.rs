//! How a kind of thing is read for an archive: page by page, each as far as an index leads.

/// A kind of thing in an archive.
#[derive(Debug, Clone)]
pub struct Section {
    /// The folder that it is in.
    pub name: &'static str,
    /// What it is, for whoever reads the archive.
    pub about: &'static str,
    /// What pages are ordered by, and of which types that is; an index serves it together with what `from` asks for.
    pub(super) key: &'static [(&'static str, &'static str)],
    /// Where it is read from, with `$1` for the person, and of messages `$2` for the chat.
    pub(super) from: &'static str,
    /// What it is made of: names, and how they are read.
    pub(super) fields: &'static [(&'static str, &'static str)],
}

/// How many lines are in one file.
const LINES: usize = 200;

impl Section {
    /// The statement that reads a page: lines and their keys, after the key `$3`.
    pub fn statement(&self) -> String {
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|(name, read)| format!("'{name}', {}", read_id(read)))
            .collect();
        let columns: Vec<&str> = self.key.iter().map(|(column, _)| *column).collect();
        let texts: Vec<String> = columns.iter().map(|column| format!("({column})::text")).collect();
        let numbered = self.key.iter().enumerate();
        let values: Vec<String> = numbered
            .map(|(place, (_, kind))| format!("($3)[{}]::{kind}", place + 1))
            .collect();
        // The first by itself, too: where the others are another table's, only it leads into an index.
        format!(
            "SELECT ARRAY[{}] AS key, jsonb_build_object({})::text AS line FROM {} AND $2 IS NOT DISTINCT FROM $2 \
             AND ($3 IS NULL OR ({} >= {} AND ({}) > ({}))) ORDER BY {} LIMIT {LINES}",
            texts.join(", "),
            fields.join(", "),
            self.from,
            columns.first().copied().unwrap_or_default(),
            values.first().map(String::as_str).unwrap_or_default(),
            columns.join(", "),
            values.join(", "),
            columns.join(", "),
        )
    }
}

/// `msg:column` is the column's id as the API has it.
fn read_id(read: &str) -> String {
    match read.split_once(':') {
        Some((prefix, column))
            if !prefix.contains(|other: char| !other.is_ascii_lowercase()) && !column.starts_with(':') =>
        {
            format!("'{prefix}_' || replace(({column})::text, '-', '')")
        }
        _ => read.to_owned(),
    }
}
