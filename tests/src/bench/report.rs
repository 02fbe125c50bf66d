//! Metrics, as a table or as lines of JSON.

use super::options::Common;
use serde_json::{Map, Value, json};

/// What a bench has measured.
#[derive(Debug)]
pub(super) struct Report {
    bench: &'static str,
    backend: &'static str,
    json: bool,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    metric: &'static str,
    value: f64,
    unit: &'static str,
    parameters: Vec<(&'static str, Value)>,
}

impl Report {
    /// Nothing yet.
    pub(super) fn new(bench: &'static str, common: &Common) -> Self {
        Self { bench, backend: common.backend.as_str(), json: common.json, rows: Vec::new() }
    }

    /// Adds a metric with the parameters it was measured under.
    pub(super) fn add(
        &mut self,
        metric: &'static str,
        value: f64,
        unit: &'static str,
        parameters: &[(&'static str, Value)],
    ) {
        self.rows.push(Row { metric, value, unit, parameters: parameters.to_vec() });
    }

    /// Says something for people while the bench runs.
    pub(super) fn note(&self, text: &str) {
        if !self.json {
            line(text);
        }
    }

    /// Prints everything.
    pub(super) fn print(&self) {
        if self.json {
            for row in &self.rows {
                line(&self.json_line(row));
            }
            return;
        }
        line(&format!("{} on {}", self.bench, self.backend));
        for row in &self.rows {
            let parameters: Vec<_> = row.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            line(&format!("  {:<28} {:>14} {:<12} {}", row.metric, number(row.value), row.unit, parameters.join(" ")));
        }
    }

    fn json_line(&self, row: &Row) -> String {
        let mut object = Map::new();
        object.insert("bench".into(), json!(self.bench));
        object.insert("backend".into(), json!(self.backend));
        object.insert("metric".into(), json!(row.metric));
        object.insert("value".into(), json!(row.value));
        object.insert("unit".into(), json!(row.unit));
        for (name, value) in &row.parameters {
            object.insert((*name).into(), value.clone());
        }
        Value::Object(object).to_string()
    }
}

/// As many digits as a reader needs.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[expect(clippy::print_stdout, reason = "the report is what a bench is for")]
fn line(text: &str) {
    println!("{text}");
}
