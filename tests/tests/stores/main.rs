//! Nodes on servers of their own: servers that run out of memory, end and come
//! back, and that several nodes share. Nothing here can run on a server that
//! other tests use.

mod node;
mod owners;
mod restart;
mod room;
mod watch;
