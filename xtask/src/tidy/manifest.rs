//! The rule for `Cargo.toml`: a package takes the workspace's lints.

use super::Finding;

/// Checks one manifest; a workspace without a package of its own has nothing to take.
pub fn check(text: &str) -> Option<Finding> {
    let mut section = "";
    let mut package = false;
    let mut lints = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            package |= section == "[package]";
            continue;
        }
        let key: String = line.split_whitespace().collect();
        lints |= section == "[lints]" && key == "workspace=true";
        lints |= section.is_empty() && key == "lints.workspace=true";
    }
    (package && !lints).then(|| Finding::file("lacks `[lints] workspace = true`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_takes_the_lints() {
        assert!(check("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n").is_none());
        assert!(check("lints.workspace = true\n[package]\nname = \"a\"\n").is_none());
        assert!(check("[package]\nname = \"a\"\nworkspace = true\n").is_some());
        assert!(check("[workspace]\nmembers = []\n").is_none());
    }
}
