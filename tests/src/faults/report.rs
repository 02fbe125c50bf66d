//! The table at the end, for people and for programs.

use super::account::Account;
use serde::Serialize;
use std::time::Duration;

/// What all rounds of a fault on a target came to.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The fault.
    pub fault: &'static str,
    /// What it befell.
    pub target: &'static str,
    /// What is promised of acknowledged writes.
    pub promise: &'static str,
    /// Rounds that were played.
    pub rounds: u64,
    /// Why it was not played, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// What they came to.
    #[serde(flatten)]
    pub account: Account,
}

impl Row {
    fn cells(&self) -> [String; 10] {
        let result = match (&self.left_out, self.account.problems.len()) {
            (Some(why), _) => format!("left out: {why}"),
            (None, 0) => "ok".to_owned(),
            (None, count) => format!("{count} VIOLATIONS"),
        };
        let slowest = match self.account.slowest {
            Duration::ZERO => "-".to_owned(),
            slowest => format!("{:.1} s", slowest.as_secs_f64()),
        };
        let numbers = [
            self.account.acknowledged,
            self.account.in_doubt,
            self.account.retried,
            self.account.refused,
            self.account.lost,
        ];
        let [acknowledged, in_doubt, retried, refused, lost] = numbers.map(|number| number.to_string());
        let rounds = self.rounds.to_string();
        let (fault, target) = (self.fault.to_owned(), self.target.to_owned());
        [fault, target, rounds, acknowledged, in_doubt, retried, refused, lost, slowest, result]
    }
}

const HEADINGS: [&str; 10] =
    ["fault", "target", "rounds", "acknowledged", "in doubt", "retried", "refused", "lost", "back after", "result"];

/// Prints the table, and below it what is particular to each row.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
pub fn print(rows: &[Row], json: bool) -> serde_json::Result<()> {
    if json {
        println!("{}", serde_json::to_string(rows)?);
        return Ok(());
    }
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows.iter().map(Row::cells));
    for line in table(&lines) {
        println!("{line}");
    }
    println!();
    for row in rows {
        let notes: Vec<String> = row.account.notes.iter().map(|(what, times)| format!("{times} {what}")).collect();
        println!("{} on {}: {}", row.fault, row.target, row.promise);
        if !notes.is_empty() {
            println!("  {}", notes.join(", "));
        }
        for problem in &row.account.problems {
            println!("  VIOLATION {problem}");
        }
    }
    Ok(())
}

/// Lines with columns below each other; the first two are words, the others
/// numbers, and the last is as long as it is.
fn table(lines: &[[String; 10]]) -> Vec<String> {
    let widths: Vec<usize> =
        (0..10).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
    let cell = |column: usize, text: &String| match column {
        0 | 1 => format!("{text:<0$}", widths[column]),
        9 => text.clone(),
        _ => format!("{text:>0$}", widths[column]),
    };
    lines
        .iter()
        .map(|line| line.iter().enumerate().map(|(at, text)| cell(at, text)).collect::<Vec<_>>().join("  "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(problems: Vec<String>) -> Row {
        let account = Account { acknowledged: 12, problems, ..Account::default() };
        Row { fault: "cut", target: "postgres", promise: "all of it", rounds: 3, left_out: None, account }
    }

    #[test]
    fn a_violation_shows_in_the_last_column() {
        assert_eq!(row(Vec::new()).cells()[9], "ok");
        assert_eq!(row(vec!["lost".to_owned()]).cells()[9], "1 VIOLATIONS");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let lines = table(&[HEADINGS.map(str::to_owned), row(Vec::new()).cells()]);
        assert_eq!(lines[0].find("rounds").map(|at| at + "rounds".len()), lines[1].find('3').map(|at| at + 1));
        assert!(lines[1].starts_with("cut    postgres"));
    }
}
