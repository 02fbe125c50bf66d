//! A mutant's file: a patch with a header that says what it breaks and who must notice.

use std::fs;
use std::path::{Path, PathBuf};

use super::trial::Trial;
use crate::failure::{During, Failure, Outcome};

const DEFAULT_LIMIT_S: u64 = 900;

/// One mutant.
#[derive(Debug)]
pub struct Mutant {
    /// Where the patch is.
    pub path: PathBuf,
    /// Its file name without the extension.
    pub file: String,
    /// What it breaks.
    pub name: String,
    /// The commands that must fail.
    pub trials: Vec<Trial>,
}

impl Mutant {
    /// Reads the patch and its header.
    pub fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path).during(path.display())?;
        let header = Header::parse(&text).during(path.display())?;
        let file = path.file_stem().unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            file: file.to_string_lossy().into_owned(),
            name: header.name,
            trials: header.trials,
        })
    }
}

#[derive(Debug)]
struct Header {
    name: String,
    trials: Vec<Trial>,
}

impl Header {
    fn parse(text: &str) -> Outcome<Self> {
        let mut name = None;
        let mut expect = None;
        let mut runs = Vec::new();
        let mut limit_s = DEFAULT_LIMIT_S;
        for line in text.lines().map_while(|line| line.strip_prefix('#')) {
            let Some((key, value)) = line.trim().split_once(':') else {
                continue;
            };
            let value = value.trim();
            match key {
                "name" => name = Some(value.to_owned()),
                "expect" => expect = Some(value),
                "run" => runs.push(value),
                "limit_s" => limit_s = value.parse().during("`# limit_s:`")?,
                other => return Err(Failure::new(format!("unknown header `# {other}:`"))),
            }
        }
        let missing = |what: &str| Failure::new(format!("a `# {what}:` line is missing"));
        expect.ok_or_else(|| missing("expect"))?;
        if runs.is_empty() {
            return Err(missing("run"));
        }
        let trials = runs.into_iter().map(|run| Trial::parse(run, limit_s));
        Ok(Self { name: name.ok_or_else(|| missing("name"))?, trials: trials.collect::<Outcome<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "\
# name: fence without attempt id
# expect: a stale fence is let through
# run: nextest run -p leasehold-core -E 'test(fence)'
# limit_s: 60
--- a/x.rs
+++ b/x.rs
# run: test
";

    #[test]
    fn the_header_ends_where_the_patch_begins() {
        let header = Header::parse(PATCH).unwrap();
        assert_eq!(header.name, "fence without attempt id");
        let shown: Vec<String> = header.trials.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["nextest run -p leasehold-core -E test(fence)"]);
    }

    #[test]
    fn an_incomplete_or_unknown_header_is_refused() {
        for key in ["name", "expect", "run", "limit_s"] {
            let without = PATCH.replacen(&format!("# {key}:"), "# other:", 1);
            assert!(Header::parse(&without).is_err(), "{key}");
        }
        for key in ["name", "expect", "run"] {
            let lines = PATCH.lines().filter(|line| !line.starts_with(&format!("# {key}:")));
            assert!(Header::parse(&lines.collect::<Vec<_>>().join("\n")).is_err(), "{key}");
        }
        assert!(Header::parse(&PATCH.replace("60", "soon")).is_err());
    }
}
