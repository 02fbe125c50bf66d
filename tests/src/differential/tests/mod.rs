//! The comparison finds what it should find, and nothing else.

mod deviant;
mod secrets;

use super::play;
use super::program::Program;
use super::transcript::{Difference, Transcript, compare};
use crate::harness::{Options, Target};
use deviant::{Deviant, Deviation};
use leasehold_backend::Backend;
use std::sync::Arc;

/// So many programs meet every deviation.
const PROGRAMS: u64 = 12;

async fn on_memory(seed: u64) -> Transcript {
    play(&Program::new(seed), Target::Memory, |_| {}).await
}

/// The first difference that a deviation makes, over some programs.
async fn difference(wrap: fn(Arc<dyn Backend>) -> Arc<dyn Backend>) -> Option<Difference> {
    for seed in 0..PROGRAMS {
        let change = |options: &mut Options| options.wrap = Some(wrap);
        let deviant = play(&Program::new(seed), Target::Memory, change).await;
        let difference = compare(&on_memory(seed).await, &deviant);
        if difference.is_some() {
            return difference;
        }
    }
    None
}

#[tokio::test]
async fn the_same_seed_gives_the_same_program_and_transcript() {
    for seed in 0..PROGRAMS {
        assert_eq!(Program::new(seed), Program::new(seed));
        assert_ne!(Program::new(seed).steps, Program::new(seed + 1).steps);
        let (one, two) = (on_memory(seed).await, on_memory(seed).await);
        assert_eq!(compare(&one, &two), None);
        assert!(one.lines.len() > Program::new(seed).steps.len());
    }
}

#[tokio::test]
async fn sqlite_and_the_memory_model_agree() {
    for seed in 0..PROGRAMS {
        let sqlite = play(&Program::new(seed), Target::Sqlite, |_| {}).await;
        assert_eq!(compare(&on_memory(seed).await, &sqlite), None, "program {seed}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_deviate_is_not_reported() {
    assert_eq!(difference(|store| Deviant::wrap(store, Deviation::Nothing)).await, None);
}

#[tokio::test]
async fn another_order_of_equal_ranks_is_found() {
    let found = difference(|store| Deviant::wrap(store, Deviation::OrderOfEquals)).await;
    assert!(found.is_some());
}

#[tokio::test]
async fn a_lost_event_is_found() {
    let found = difference(|store| Deviant::wrap(store, Deviation::LostEvent)).await.expect("it shows");
    assert!(found.reference.contains("event"), "{found}");
}

#[tokio::test]
async fn an_index_entry_that_is_kept_too_long_is_found() {
    let found = difference(|store| Deviant::wrap(store, Deviation::StaleEntry)).await;
    assert!(found.is_some());
}
