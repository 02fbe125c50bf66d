//! The cases there are: nextest's list of the conformance tests.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Case;
use crate::failure::{During, Failure, Outcome};

const SUITE: &str = "leasehold-tests::conformance";

/// Reads the cases out of `cargo nextest list --message-format json`.
///
/// An ignored test is listed like any other; as it leaves no record it counts as skipped.
pub fn parse(json: &str) -> Outcome<BTreeSet<Case>> {
    let list: Value = serde_json::from_str(json).during("reading nextest's list")?;
    let tests = list["rust-suites"][SUITE]["testcases"]
        .as_object()
        .ok_or_else(|| Failure::new(format!("nextest lists no tests of {SUITE}")))?;
    if tests.is_empty() {
        return Err(Failure::new(format!("{SUITE} has no cases")));
    }
    let mut cases = BTreeSet::new();
    for test in tests.keys() {
        if !cases.insert(case(test)?) {
            return Err(Failure::new(format!(
                "conformance test `{test}` has target, operation and case of another test"
            )));
        }
    }
    Ok(cases)
}

fn case(test: &str) -> Outcome<Case> {
    let parts: Vec<&str> = test.splitn(4, "::").collect();
    match parts[..] {
        [target, _concern, operation, name] => {
            Ok(Case { operation: operation.to_owned(), target: target.to_owned(), name: name.to_owned() })
        }
        _ => Err(Failure::new(format!("conformance test `{test}` is not <target>::<concern>::<operation>::<case>"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_from_its_name() {
        let json = r#"{"rust-suites": {"leasehold-tests::conformance": {"testcases": {
            "sqlite::leases::complete_execution::stale_fence_is_refused":
                {"ignored": false, "filter-match": {"status": "matches"}}}}}}"#;
        let expected = Case {
            operation: "complete_execution".into(),
            target: "sqlite".into(),
            name: "stale_fence_is_refused".into(),
        };
        assert_eq!(parse(json), Ok(BTreeSet::from([expected])));
    }

    #[test]
    fn two_tests_that_are_one_case_are_refused() {
        let json = r#"{"rust-suites": {"leasehold-tests::conformance": {"testcases": {
            "sqlite::leases::renew_lease::a": {}, "sqlite::reads::renew_lease::a": {}}}}}"#;
        assert!(parse(json).is_err());
    }

    #[test]
    fn other_names_and_an_empty_list_are_refused() {
        assert!(case("sqlite::leases::complete_execution").is_err());
        assert!(parse(r#"{"rust-suites": {}}"#).is_err());
        assert!(parse(r#"{"rust-suites": {"leasehold-tests::conformance": {"testcases": {}}}}"#).is_err());
    }
}
