//! Lays listed cases, records and expected codes side by side, and judges.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Case;
use super::codes::Codes;
use super::records::Records;
use crate::failure::{Failure, Outcome};
use crate::table;

/// What stands above the table of the page.
const PAGE_HEAD: &str = "# Operations and stores\n\n\
    Written by `cargo xtask conformance --write` from a run of the conformance cases, and checked by\n\
    `cargo xtask test`. A number says how many cases of an operation passed on a target; the last column\n\
    names the error codes they reach.\n\n";

/// One operation on one target.
#[derive(Debug, Default)]
struct Row {
    cases: usize,
    skipped: Vec<String>,
    codes: BTreeSet<String>,
    unreached: Vec<String>,
}

/// The whole account: a row per operation and target, and what does not fit into one.
#[derive(Debug)]
pub struct Report {
    rows: BTreeMap<(String, String), Row>,
    unlisted: Vec<String>,
}

impl Report {
    /// Compares what is listed, what ran and what had to be reached.
    pub fn new(listed: &BTreeSet<Case>, recorded: &Records, expected: &Codes) -> Self {
        let targets: BTreeSet<&String> = listed.iter().map(|case| &case.target).collect();
        let mut names: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for case in listed {
            names.entry(&case.operation).or_default().insert(&case.name);
        }
        for operation in expected.keys() {
            names.entry(operation).or_default();
        }
        let mut rows = BTreeMap::new();
        for (operation, names) in &names {
            for target in &targets {
                let mut row = Row::default();
                for name in names {
                    row.count(
                        recorded.get(&Case {
                            operation: (*operation).clone(),
                            target: (*target).clone(),
                            name: (*name).clone(),
                        }),
                        name,
                    );
                }
                let expected = expected.get(*operation).into_iter().flatten();
                row.unreached = expected.filter(|code| !row.codes.contains(*code)).cloned().collect();
                rows.insert(((*operation).clone(), (*target).clone()), row);
            }
        }
        let unlisted = recorded
            .keys()
            .filter(|case| !listed.contains(case))
            .map(|case| format!("{} {} {}", case.operation, case.target, case.name))
            .collect();
        Self { rows, unlisted }
    }

    /// Prints the rows: a table, or with `json` an object a line.
    pub fn print(&self, json: bool) {
        if json {
            for line in self.json_lines() {
                println!("{line}");
            }
        } else {
            println!("{}", self.table());
        }
    }

    /// Fails, with a line for each reason, on a skip, an unreached code, or a record of a case
    /// that is not listed.
    pub fn verdict(&self) -> Outcome {
        let mut reasons = Vec::new();
        for ((operation, target), row) in &self.rows {
            for case in &row.skipped {
                reasons.push(format!("{operation} on {target}: case {case} did not pass"));
            }
            for code in &row.unreached {
                reasons.push(format!("{operation} on {target}: no case reaches {code}"));
            }
        }
        for case in &self.unlisted {
            reasons.push(format!("record of a case that is not listed: {case}"));
        }
        if reasons.is_empty() {
            return Ok(());
        }
        let count = reasons.len();
        Err(Failure::new(format!("conformance, {count} findings:\n  {}", reasons.join("\n  "))))
    }

    /// The account as a page of the documentation: a line per operation, a column per target.
    pub fn page(&self) -> String {
        let targets: BTreeSet<&str> = self.rows.keys().map(|(_, target)| target.as_str()).collect();
        let mut lines: BTreeMap<&str, (Vec<String>, BTreeSet<&str>)> = BTreeMap::new();
        for ((operation, _), row) in &self.rows {
            let (cells, codes) = lines.entry(operation).or_default();
            cells.push(row.cell());
            codes.extend(row.codes.iter().map(String::as_str));
        }
        let mut page = String::from(PAGE_HEAD);
        let mut add = |cells: &[&str]| page.extend(["| ", &cells.join(" | "), " |\n"]);
        let columns = || ["operation"].into_iter().chain(targets.iter().copied()).chain(["error codes"]);
        add(&columns().collect::<Vec<_>>());
        add(&columns().map(|_| "---").collect::<Vec<_>>());
        for (operation, (cells, codes)) in &lines {
            let codes = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(" ");
            let name = format!("`{operation}`");
            let row = [name.as_str()].into_iter().chain(cells.iter().map(String::as_str)).chain([codes.as_str()]);
            add(&row.collect::<Vec<_>>());
        }
        page
    }

    fn json_lines(&self) -> Vec<String> {
        let line = |((operation, target), row): (&(String, String), &Row)| {
            json!({
                "operation": operation,
                "target": target,
                "cases": row.cases,
                "passed": row.passed(),
                "skipped": row.skipped.len(),
                "codes": row.codes,
                "skipped_cases": row.skipped,
                "unreached_codes": row.unreached,
            })
            .to_string()
        };
        self.rows.iter().map(line).collect()
    }

    fn table(&self) -> String {
        let mut total = Row::default();
        let mut rows = Vec::new();
        for ((operation, target), row) in &self.rows {
            total.cases += row.cases;
            total.skipped.extend_from_slice(&row.skipped);
            rows.push(row.cells(operation, target));
        }
        rows.push(total.cells("total", ""));
        let header = ["operation", "target", "cases", "passed", "skipped", "error codes reached"];
        table::render(&header, &rows)
    }
}

impl Row {
    fn count(&mut self, record: Option<&BTreeSet<String>>, name: &str) {
        self.cases += 1;
        match record {
            Some(codes) => self.codes.extend(codes.iter().cloned()),
            None => self.skipped.push(name.to_owned()),
        }
    }

    fn passed(&self) -> usize {
        self.cases - self.skipped.len()
    }

    fn cell(&self) -> String {
        if self.skipped.is_empty() { self.cases.to_string() } else { format!("{} of {}", self.passed(), self.cases) }
    }

    fn cells(&self, operation: &str, target: &str) -> Vec<String> {
        let codes: Vec<&str> = self.codes.iter().map(String::as_str).collect();
        vec![
            operation.to_owned(),
            target.to_owned(),
            self.cases.to_string(),
            self.passed().to_string(),
            self.skipped.len().to_string(),
            codes.join(" "),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::codes;

    fn case(target: &str, name: &str) -> Case {
        Case { operation: "renew_lease".into(), target: target.into(), name: name.into() }
    }

    fn ran(cases: &[Case], code: &str) -> Records {
        let codes = BTreeSet::from([code.to_owned()]);
        cases.iter().map(|case| (case.clone(), codes.clone())).collect()
    }

    fn verdict(listed: &[Case], recorded: &Records, expected: &str) -> Result<(), String> {
        let listed = listed.iter().cloned().collect();
        let expected = codes::parse(expected).unwrap();
        let report = Report::new(&listed, recorded, &expected);
        report.verdict().map_err(|failure| failure.to_string())
    }

    #[test]
    fn every_case_ran_and_every_code_was_reached() {
        let cases = [case("memory", "a"), case("sqlite", "a")];
        let recorded = ran(&cases, "stale_lease");
        assert_eq!(verdict(&cases, &recorded, "renew_lease stale_lease"), Ok(()));
    }

    #[test]
    fn a_listed_case_without_a_record_is_a_skip() {
        let cases = [case("memory", "a"), case("memory", "b")];
        let told = verdict(&cases, &ran(&cases[..1], "x"), "").unwrap_err();
        assert!(told.contains("case b did not pass"), "{told}");
    }

    #[test]
    fn a_case_that_only_one_target_has_is_a_skip_on_the_other() {
        let cases = [case("memory", "a"), case("sqlite", "a"), case("memory", "b")];
        let told = verdict(&cases, &ran(&cases, "x"), "").unwrap_err();
        assert!(told.contains("renew_lease on sqlite: case b did not pass"), "{told}");
    }

    #[test]
    fn a_code_counts_for_the_target_that_reached_it() {
        let cases = [case("memory", "a"), case("sqlite", "a")];
        let mut recorded = ran(&cases[..1], "stale_lease");
        recorded.extend(ran(&cases[1..], "other"));
        let told = verdict(&cases, &recorded, "renew_lease stale_lease").unwrap_err();
        assert!(told.contains("on sqlite: no case reaches stale_lease"), "{told}");
        assert!(!told.contains("on memory"), "{told}");
    }

    #[test]
    fn an_operation_without_a_case_reaches_nothing() {
        let cases = [case("memory", "a")];
        let told = verdict(&cases, &ran(&cases, "x"), "replay not_terminal").unwrap_err();
        assert!(told.contains("replay on memory: no case reaches not_terminal"), "{told}");
    }

    #[test]
    fn a_record_that_nobody_listed_is_reported() {
        let told =
            verdict(&[case("memory", "a")], &ran(&[case("memory", "a"), case("memory", "z")], "x"), "").unwrap_err();
        assert!(told.contains("not listed: renew_lease memory z"), "{told}");
    }

    #[test]
    fn the_page_has_a_line_per_operation_and_a_column_per_target() {
        let cases = [case("memory", "a"), case("sqlite", "a"), case("memory", "b"), case("sqlite", "b")];
        let report = Report::new(&cases.iter().cloned().collect(), &ran(&cases[..3], "stale_lease"), &Codes::new());
        let page = report.page();
        let lines: Vec<_> = page.lines().rev().take(3).collect();
        let expected = [
            "| `renew_lease` | 2 | 1 of 2 | `stale_lease` |",
            "| --- | --- | --- | --- |",
            "| operation | memory | sqlite | error codes |",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_json_line_holds_the_counts() {
        let listed = BTreeSet::from([case("memory", "a"), case("memory", "b")]);
        let recorded = ran(&[case("memory", "a")], "stale_lease");
        let report = Report::new(&listed, &recorded, &Codes::new());
        let line: serde_json::Value = serde_json::from_str(&report.json_lines()[0]).unwrap();
        assert_eq!(line["cases"], 2);
        assert_eq!(line["passed"], 1);
        assert_eq!(line["skipped"], 1);
        assert_eq!(line["codes"], json!(["stale_lease"]));
    }
}
