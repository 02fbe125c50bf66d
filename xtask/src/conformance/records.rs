//! The cases that ran: one line of JSON for each, in files that the test processes wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Case;
use crate::failure::{During, Failure, Outcome};

/// The codes each finished case has reached.
pub type Records = BTreeMap<Case, BTreeSet<String>>;

/// Reads every `.jsonl` file of the directory.
pub fn read(directory: &Path) -> Outcome<Records> {
    let mut records = Records::new();
    for entry in fs::read_dir(directory).during(directory.display())? {
        let path = entry.during(directory.display())?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let text = fs::read_to_string(&path).during(path.display())?;
            add(&mut records, &text).during(path.display())?;
        }
    }
    Ok(records)
}

fn add(records: &mut Records, text: &str) -> Outcome {
    for (index, line) in text.lines().enumerate() {
        let (case, codes) = parse(line).during(format_args!("line {}", index + 1))?;
        records.entry(case).or_default().extend(codes);
    }
    Ok(())
}

fn parse(line: &str) -> Outcome<(Case, Vec<String>)> {
    let record: Value = serde_json::from_str(line).during("not JSON")?;
    let text = |field: &str| {
        record[field]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(format!("`{field}` is missing or no text")))
    };
    let case = Case { operation: text("operation")?, target: text("target")?, name: text("case")? };
    let codes = record["codes"]
        .as_array()
        .and_then(|codes| codes.iter().map(|code| code.as_str().map(str::to_owned)).collect())
        .ok_or_else(|| Failure::new("`codes` is missing or no list of texts"))?;
    Ok((case, codes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"operation":"fail_execution","target":"memory","case":"a","codes":["stale_lease"]}"#;

    #[test]
    fn codes_of_repeated_runs_add_up() {
        let mut records = Records::new();
        add(&mut records, LINE).unwrap();
        add(&mut records, &LINE.replace("stale_lease", "not_found")).unwrap();
        let codes: Vec<_> = records.into_values().flatten().collect();
        assert_eq!(codes, ["not_found", "stale_lease"]);
    }

    #[test]
    fn a_line_that_lacks_a_field_is_refused() {
        assert!(parse(LINE).is_ok());
        for field in ["operation", "target", "case", "codes"] {
            assert!(parse(&LINE.replace(field, "other")).is_err(), "{field}");
        }
        assert!(parse(&LINE.replace("\"stale_lease\"", "1")).is_err());
        assert!(parse("{").is_err());
    }
}
