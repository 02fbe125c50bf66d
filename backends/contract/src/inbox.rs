//! The inbox: where outside writers leave creates inside transactions of
//! their own.
//!
//! An outside writer only inserts. Its row is there exactly if its
//! transaction commits; nothing in it refers to the engine's tables, so that
//! neither side waits for the other's rows. The owner of the partition turns
//! the row into an execution and deletes it in one commit
//! ([`ChangeSet::inbox`](leasehold_core::decision::ChangeSet::inbox)).

use leasehold_core::ids::ExecutionId;
use tokio::sync::watch;

/// The most bytes a page of the inbox carries, unless its first entry alone
/// has more.
pub const INBOX_PAGE_BYTES: usize = 4 << 20;

/// What an outside writer left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its number.
    pub number: i64,
    /// The execution it is to become.
    pub execution: ExecutionId,
    /// How, as [`leasehold_core::inbox`] writes it.
    pub create: Vec<u8>,
}

/// Whoever knows that something new may be in the inbox.
#[derive(Debug)]
pub struct Hinter(watch::Sender<()>);

impl Default for Hinter {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Hinter {
    /// Tells everybody who listens. Several hints may arrive as one.
    pub fn hint(&self) {
        self.0.send_replace(());
    }

    /// Listens from now on.
    pub fn hints(&self) -> Hints {
        Hints(Some(self.0.subscribe()))
    }
}

/// Word that something new may be in the inbox. Any of it may be lost.
#[derive(Debug)]
pub struct Hints(Option<watch::Receiver<()>>);

impl Hints {
    /// Of a store that cannot tell.
    pub const fn never() -> Self {
        Self(None)
    }

    /// Ends with the next hint. Once nobody is left to give one, it never
    /// does.
    pub async fn next(&mut self) {
        if let Some(receiver) = &mut self.0
            && receiver.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn is_ready(hints: &mut Hints) -> bool {
        let next = pin!(hints.next());
        matches!(next.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()))
    }

    #[test]
    fn a_hint_reaches_everybody_once_also_when_it_was_given_before_the_wait() {
        let hinter = Hinter::default();
        let (mut one, mut other) = (hinter.hints(), hinter.hints());
        assert!(!is_ready(&mut one));
        hinter.hint();
        hinter.hint();
        assert!(is_ready(&mut one) && is_ready(&mut other));
        assert!(!is_ready(&mut one) && !is_ready(&mut other));
        assert!(!is_ready(&mut hinter.hints()), "what was told before the listening is not told again");
    }

    #[test]
    fn without_anybody_who_knows_there_is_never_a_hint() {
        let mut hints = Hinter::default().hints();
        assert!(!is_ready(&mut hints) && !is_ready(&mut Hints::never()));
    }
}
