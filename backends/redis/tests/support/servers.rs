//! Each test on each server.

/// Makes each function a test per server.
macro_rules! on_every_server {
    ($($name:ident),* $(,)?) => {
        mod redis7 {
            $(#[tokio::test] async fn $name() { super::$name($crate::support::Server::Redis).await })*
        }
        mod valkey {
            $(#[tokio::test] async fn $name() { super::$name($crate::support::Server::Valkey).await })*
        }
        mod valkey_cluster {
            $(#[tokio::test] async fn $name() { super::$name($crate::support::Server::ValkeyCluster).await })*
        }
    };
}
pub(crate) use on_every_server;
