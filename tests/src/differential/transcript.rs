//! What a program came to on one store, and how two of them differ.

use super::names::Names;
use std::collections::BTreeMap;
use std::fmt;

/// How much of a line is kept word by word; the rest by its digest.
const KEPT_BYTES: usize = 6000;

/// How much of a line before the difference is shown.
const BEFORE_CHARS: usize = 400;

/// How much is shown on either side of the place where two lines part.
const AROUND_CHARS: usize = 300;

/// Lines shown before the one that differs.
const LINES_BEFORE: usize = 6;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step it belongs to; none for what is in the store at the end.
    pub step: Option<usize>,
    /// What happened.
    pub text: String,
}

/// What a program came to on one store.
#[derive(Debug, Default)]
pub struct Transcript {
    /// Everything, in order.
    pub lines: Vec<Line>,
    /// Calls by operation.
    pub calls: BTreeMap<&'static str, u64>,
    /// Answers by operation that were no refusal.
    pub granted: BTreeMap<&'static str, u64>,
    /// Errors by code.
    pub errors: BTreeMap<&'static str, u64>,
    /// Operations the engine says it offers.
    pub offered: Vec<&'static str>,
    /// Rules that the store breaks at the end, or a panic on the way.
    pub broken: Option<String>,
    names: Names,
}

impl Transcript {
    /// Adds a line.
    pub fn note(&mut self, step: Option<usize>, text: &str) {
        let mut text = self.names.rename(text);
        if text.len() > KEPT_BYTES {
            let hash = leasehold_core::partition::fnv1a64(text.as_bytes());
            let end = text.floor_char_boundary(KEPT_BYTES);
            text = format!("{}… {} bytes {hash:016x}", &text[..end], text.len());
        }
        self.lines.push(Line { step, text });
    }
}

/// The first place where two transcripts differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step; none for what is in the store at the end.
    pub step: Option<usize>,
    /// The lines before, which are the same.
    pub before: Vec<String>,
    /// What the reference says.
    pub reference: String,
    /// What the other store says.
    pub other: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => writeln!(f, "step {step}")?,
            None => writeln!(f, "in the store at the end")?,
        }
        for line in &self.before {
            writeln!(f, "    {}", line.chars().take(BEFORE_CHARS).collect::<String>())?;
        }
        let same = self.reference.chars().zip(self.other.chars()).take_while(|(one, two)| one == two).count();
        writeln!(f, "  memory: {}", around(&self.reference, same))?;
        write!(f, "  other:  {}", around(&self.other, same))
    }
}

/// The beginning of a line, and what stands around a place in it.
fn around(line: &str, place: usize) -> String {
    let from = place.saturating_sub(AROUND_CHARS);
    let shown: String = line.chars().skip(from).take(2 * AROUND_CHARS).collect();
    if from <= BEFORE_CHARS {
        let rest: String = line.chars().take(from).collect();
        return rest + &shown;
    }
    let beginning: String = line.chars().take(BEFORE_CHARS).collect();
    format!("{beginning} … {shown}")
}

/// Compares what a store did with the reference.
pub fn compare(reference: &Transcript, other: &Transcript) -> Option<Difference> {
    let ended = || Line { step: None, text: "(nothing more)".to_owned() };
    let length = reference.lines.len().max(other.lines.len());
    for at in 0..length {
        let (one, two) = (reference.lines.get(at), other.lines.get(at));
        if one != two {
            let from = at.saturating_sub(LINES_BEFORE);
            let before = reference.lines[from.min(reference.lines.len())..at.min(reference.lines.len())].iter();
            let step = one.or(two).and_then(|line| line.step);
            return Some(Difference {
                step,
                before: before.map(|line| line.text.clone()).collect(),
                reference: one.cloned().unwrap_or_else(ended).text,
                other: two.cloned().unwrap_or_else(ended).text,
            });
        }
    }
    let say = |broken: &Option<String>| broken.clone().unwrap_or_else(|| "sound".to_owned());
    (reference.broken.is_some() || other.broken.is_some()).then(|| Difference {
        step: None,
        before: Vec::new(),
        reference: say(&reference.broken),
        other: say(&other.broken),
    })
}
