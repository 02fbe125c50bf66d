//! Who may send signals, and what everybody else is told.

use super::fixture::K2;
use crate::fixture::{World, detail, operator, refused};
use leasehold_core::command::{CancelExecution, FenceTriple};
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;

/// What is asked of the same waitpoint with every kind of wrong token.
#[test]
fn no_wrong_token_is_taken() {
    let (mut w, id, to) = World::suspended();
    let other = w.create();
    w.claim(other);
    let others = w.suspend(other, |_| {}).primary;
    let right = to.waitpoint_token.reveal().to_owned();
    let (kid, digest) = right.split_once(':').unwrap();
    for (token, expected) in [
        (String::new(), "missing_token"),
        (right[..right.len() - 1].to_owned(), "invalid_token"),
        (right.to_uppercase(), "invalid_token"),
        (format!("{kid}:{}", digest.to_uppercase()), "invalid_token"),
        (format!("k9:{digest}"), "invalid_token"),
        (digest.to_owned(), "invalid_token"),
        (others.waitpoint_token.reveal().to_owned(), "invalid_token"),
    ] {
        let args = w.signal_args(id, to.waitpoint_id, &WaitpointToken::new(token.as_str()));
        let error = refused(w.run(args.clone()), expected);
        assert!(token.is_empty() || !format!("{error} {error:?}").contains(&token));
        assert_eq!(detail(&error), "");
    }
    let args = w.signal_args(other, to.waitpoint_id, &to.waitpoint_token);
    refused(w.run(args.clone()), "invalid_token");
    assert_eq!(w.vector(id).1, "suspended");
}

#[test]
fn a_key_that_was_replaced_verifies_through_its_grace() {
    let (mut w, id, to) = World::suspended();
    let ring = w.keyring().rotate("k2", K2, 10, w.now).unwrap().0.unwrap();
    w.install(ring);
    w.pass(11);
    let args = w.signal_args(id, to.waitpoint_id, &to.waitpoint_token);
    refused(w.run(args.clone()), "token_expired");
    w.now = TimestampMs(w.now.0 - 1);
    w.run(args.clone()).unwrap();
}

/// Nothing but the token decides what an unauthenticated sender is told.
#[test]
fn no_answer_before_authentication_tells_anything() {
    let (mut w, id, to) = World::suspended();
    let mut closed = w.clone();
    closed.deliver(id, to.waitpoint_id, |args| args.idempotency_key = Some("k".into()));
    let mut ended = closed.clone();
    let cancel =
        CancelExecution { execution_id: id, reason: String::new(), source: operator(), fence: FenceTriple::NONE };
    ended.run(cancel).unwrap();
    let nowhere = WaitpointId::from_uuid(w.mint());
    let digest = "ce2e8e46cb7acfb96903833f6422022db133519d";
    for token in [String::new(), "k1".into(), "x:y".into(), format!("k9:{digest}"), format!("k1:{digest}")] {
        let token = WaitpointToken::new(token);
        let mut answers = Vec::new();
        for mut world in [w.clone(), closed.clone(), ended.clone()] {
            for target in [to.waitpoint_id, nowhere] {
                let mut args = world.signal_args(id, target, &token);
                args.idempotency_key = Some("k".into());
                answers.push(world.run(args.clone()).unwrap_err());
            }
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
}

#[test]
fn a_refused_token_is_noted_now_and_then() {
    let (mut w, id, to) = World::suspended();
    let wrong = WaitpointToken::new("x");
    let mut noted = 0;
    for _ in 0..30 {
        let args = w.signal_args(id, to.waitpoint_id, &wrong);
        refused(w.run(args.clone()), "invalid_token");
        noted += usize::from(!w.last.is_empty());
        w.pass(100);
    }
    assert_eq!(noted, 3, "a flood of refusals is no flood of commits");
    let fresh = w.create();
    let args = w.signal_args(fresh, to.waitpoint_id, &wrong);
    refused(w.run(args.clone()), "invalid_token");
    assert_eq!(w.find_waits(fresh).unwrap().token_refused_at, Some(w.now));
    let missing = ExecutionId::from_parts(7, w.mint());
    let args = w.signal_args(missing, to.waitpoint_id, &wrong);
    refused(w.run(args.clone()), "execution_not_found");
}
