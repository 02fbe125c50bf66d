//! The configuration's file, variables and refusals.

use super::*;

const FILE: &str = include_str!("../../../../cluster.toml");

fn from_file(text: &str) -> Result<Config, ConfigError> {
    Config::parse("cluster.toml", text, [])
}

fn from_variables(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse("cluster.toml", "", variables)
}

#[test]
fn the_file_of_the_repository_has_every_key_with_its_default() {
    let file: Table = toml::from_str(FILE).unwrap();
    assert_eq!(file, Table::try_from(Config::default()).unwrap());
    assert_eq!(from_file(FILE).unwrap(), Config::default());
}

#[test]
fn every_key_of_the_file_follows_a_comment() {
    let mut commented = false;
    for line in FILE.lines() {
        match line.trim() {
            line if line.starts_with('#') => commented = true,
            line if line.contains('=') => assert!(std::mem::take(&mut commented), "{line}"),
            _ => commented = false,
        }
    }
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(from_file("").unwrap(), Config::default());
}

#[test]
fn an_unknown_key_names_itself_and_its_line() {
    for (text, line, key) in [
        ("[http]\n\n# here\nlissten = \"127.0.0.1:1\"\n", 4, "lissten"),
        ("stores = 1\n", 1, "stores"),
        ("[store]\nkind = \"memory\"\n[storage]\npath = \"x\"\n", 3, "storage"),
        ("[http.limits]\nother_bytes = 1\ncreate = 5\n", 3, "create"),
    ] {
        let error = from_file(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cluster.toml:{line}: ")), "{error}");
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
}

#[test]
fn a_value_that_cannot_be_used_names_its_line() {
    for (text, line) in [
        ("[store]\nkind = \"oracle\"\n", 2),
        ("[store]\n\nreaders = 0\n", 3),
        ("[partitions]\nflow = 65536\n", 2),
        ("[http]\nlisten = \"localhost\"\n", 2),
        ("[http]\ntoken = 5\n", 2),
        ("[node]\nlease_ms = -1\n", 2),
        ("[log]\nfilter = info\n", 2),
    ] {
        let error = from_file(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cluster.toml:{line}: ")), "{text}: {error}");
    }
}

#[test]
fn variables_go_before_the_file() {
    let variables = [("LEASEHOLD_HTTP__LISTEN", "0.0.0.0:1"), ("LEASEHOLD_NODE__CACHE_MIB", "7")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::parse("x", "[http]\nlisten = \"127.0.0.1:2\"\n[node]\nlease_ms = 20000\n", variables).unwrap();
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:1");
    assert_eq!((config.node.cache_mib.get(), config.node.lease_ms.get()), (7, 20_000));
}

#[test]
fn a_variable_is_read_as_its_key_is() {
    let config = from_variables(&[
        // Digits alone are a token too.
        ("LEASEHOLD_HTTP__TOKEN", "12345"),
        ("LEASEHOLD_HTTP__ALLOW_INSECURE", "true"),
        ("LEASEHOLD_HTTP__CORS_ORIGINS", "http://a, http://b,"),
        ("LEASEHOLD_HTTP__LIMITS__OTHER_BYTES", "100"),
        ("LEASEHOLD_STORE__KIND", "memory"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.http.token.0, "12345");
    assert!(config.http.allow_insecure);
    assert_eq!(config.http.cors_origins, ["http://a", "http://b"]);
    assert_eq!(config.http.limits.other_bytes.get(), 100);
    assert_eq!(config.store.kind, StoreKind::Memory);
}

#[test]
fn a_variable_that_cannot_be_used_is_named() {
    for (variable, value, reason) in [
        ("LEASEHOLD_HTTP__LISSTEN", "x", "unknown key"),
        ("LEASEHOLD_HTPP__LISTEN", "x", "unknown key"),
        ("LEASEHOLD_HTTP__LISTEN__PORT", "x", "unknown key"),
        ("LEASEHOLD_HTTP__LIMITS", "x", "unknown key"),
        ("LEASEHOLD_STORE__READERS", "many", "not a whole number"),
        ("LEASEHOLD_STORE__READERS", "0", "nonzero"),
        ("LEASEHOLD_HTTP__ALLOW_INSECURE", "yes", "neither true nor false"),
        ("LEASEHOLD_STORE__KIND", "oracle", "oracle"),
    ] {
        let error = from_variables(&[(variable, value)]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{variable}: ")) && error.contains(reason), "{error}");
    }
}

#[test]
fn variables_without_a_section_are_not_meant() {
    let variables = [("LEASEHOLD_URL", "x"), ("LEASEHOLD_PORT", "tcp://1.2.3.4:5"), ("HOME", "/")];
    assert_eq!(from_variables(&variables).unwrap(), Config::default());
}

#[test]
fn a_heartbeat_that_comes_too_late_is_refused() {
    let error = from_file("[node]\nheartbeat_ms = 9000\n").unwrap_err().to_string();
    assert!(error.starts_with("node.heartbeat_ms: 9000"), "{error}");
}

#[test]
fn a_waitpoint_key_that_cannot_be_installed_is_refused_and_never_shown() {
    let good = "5a".repeat(32);
    let config = from_file(&format!("[waitpoints]\nkid = \"k2\"\nsecret_hex = \"{good}\"")).unwrap();
    assert_eq!((config.waitpoints.kid.as_str(), config.waitpoints.secret_hex.0.as_str()), ("k2", good.as_str()));
    assert!(!format!("{config:?}").contains(&good));
    for (kid, secret) in [("k2", "5a5a"), ("k2", "zz"), ("", good.as_str()), ("a:b", good.as_str())] {
        let error = from_file(&format!("[waitpoints]\nkid = \"{kid}\"\nsecret_hex = \"{secret}\"")).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("waitpoints") && !told.contains(&good), "{told}");
    }
}

#[test]
fn a_named_file_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.toml");
    let error = Config::load(Some(&missing), []).unwrap_err();
    assert!(matches!(error, ConfigError::File { .. }), "{error}");
}

#[test]
fn the_token_is_never_shown() {
    let config = from_variables(&[("LEASEHOLD_HTTP__TOKEN", "hunter2")]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!toml::to_string(&config).unwrap().contains("hunter2"));
    let refused = from_file("[http]\ntoken = [\"hunter2\"]\n").unwrap_err();
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
}
