//! Splits a command line into words, with single and double quotes as a shell has them, and
//! nothing else a shell has.

use crate::failure::{Failure, Outcome};

/// The words of the line; an open quote is refused.
pub fn split(line: &str) -> Outcome<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            None if character == '\'' || character == '"' => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(Failure::new(format!("a quote is not closed in `{line}`")));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_spaces_and_each_other() {
        let words = split("run -E 'test(a) & test(\"b c\")'  --x=\"d e\" ''").unwrap();
        assert_eq!(words, ["run", "-E", "test(a) & test(\"b c\")", "--x=d e", ""]);
    }

    #[test]
    fn an_open_quote_is_refused() {
        assert!(split("run 'a").is_err());
    }
}
