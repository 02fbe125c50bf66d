//! The two outputs: data, and everything else.
//!
//! An output that has been closed, as `| head` does, is no error: whoever
//! closed it wants no more.

use crate::inspect::plain;
use crate::table::Table;
use serde_json::Value;
use std::io::Write;

/// Writes a line of data to the standard output.
pub fn data(line: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Writes a value as one line of JSON to the standard output.
pub fn json(value: &Value) {
    data(&value.to_string());
}

/// Shows fields of what a command was answered with, side by side.
pub(crate) fn outcome(answer: &Value, fields: &[&str], as_json: bool) {
    if as_json {
        return json(answer);
    }
    let texts: Vec<String> = fields.iter().map(|field| plain(&answer[field])).collect();
    data(&printable(&texts.join("  ")));
}

/// Shows an answer that is one word.
pub(crate) fn word(answer: &Value, as_json: bool) {
    if as_json { json(answer) } else { data(&printable(&plain(answer))) }
}

/// Shows whatever a step was answered with: its outcome, then what belongs to
/// it, name by name.
pub(crate) fn step(answer: &Value, as_json: bool) {
    if as_json {
        return json(answer);
    }
    let tagged = answer.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next());
    let (outcome, fields) = match tagged {
        Some((outcome, fields)) if fields.is_object() => (outcome.as_str(), fields),
        _ => ("", answer),
    };
    let Some(fields) = fields.as_object() else { return word(answer, false) };
    let mut table = Table::of_pairs();
    if !outcome.is_empty() {
        table.row(["outcome", outcome]);
    }
    for (name, value) in fields {
        table.row([name.as_str(), &plain(value)]);
    }
    data(&table.to_string());
}

/// Shows what became of a signal.
pub(crate) fn delivered(answer: &Value, as_json: bool) {
    match answer.get("Duplicate") {
        Some(duplicate) if !as_json => {
            data(&printable(&format!("duplicate  {}", plain(&duplicate["existing_signal_id"]))))
        }
        _ if as_json => json(answer),
        _ => outcome(&answer["Accepted"], &["signal_id", "effect"], false),
    }
}

/// Writes a line that is no data to the standard error output.
pub fn note(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// A text from outside with nothing in it that a terminal would obey.
pub fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_told_anything() {
        assert_eq!(printable("päyload\u{1b}[2J\n"), "päyload\\u{1b}[2J\\n");
    }
}
