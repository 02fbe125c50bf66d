//! One case: a harness, and the error codes it has reached.
//!
//! A case that ends writes a line of JSON into the directory that
//! `LEASEHOLD_CONFORMANCE_DIR` names, from which `cargo xtask conformance`
//! learns what was proved; without the variable nothing is written.

use leasehold_contract::EngineResult;
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;
use leasehold_tests::harness::{self, Harness, Options, Target};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where records of finished cases go.
const DIRECTORY_VARIABLE: &str = "LEASEHOLD_CONFORMANCE_DIR";

/// A case that has not ended by then waits for something that never comes.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The names a case runs under.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    pub operation: &'static str,
    pub case: &'static str,
}

/// What a case is given.
pub struct Case {
    harness: Harness,
    codes: Mutex<BTreeSet<&'static str>>,
}

impl Deref for Case {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.harness
    }
}

impl DerefMut for Case {
    fn deref_mut(&mut self) -> &mut Harness {
        &mut self.harness
    }
}

impl Case {
    /// Expects a refusal and notes that the operation reaches its code.
    #[track_caller]
    pub fn code<T: Debug>(&self, result: EngineResult<T>, code: &str) -> EngineError {
        let error = meets(result, code);
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).insert(error.code());
        error
    }

    /// Expects a refusal that writes nothing: neither the execution nor its
    /// place in a queue changes, and nothing is told.
    pub async fn refused<T: Debug>(
        &self,
        id: ExecutionId,
        call: impl Future<Output = EngineResult<T>>,
        code: &str,
    ) -> EngineError {
        self.code(self.unheard(id, call).await, code)
    }

    /// As [`Case::refused`], for a call to another operation than the one the
    /// case is about: its code is not noted.
    pub async fn other_refused<T: Debug>(
        &self,
        id: ExecutionId,
        call: impl Future<Output = EngineResult<T>>,
        code: &str,
    ) -> EngineError {
        meets(self.unheard(id, call).await, code)
    }

    /// Carries out a call that is to change nothing.
    async fn unheard<T: Debug>(&self, id: ExecutionId, call: impl Future<Output = EngineResult<T>>) -> EngineResult<T> {
        let before = self.imprint(id).await;
        let answer = call.await;
        assert_eq!(self.imprint(id).await, before, "{answer:?} changed something");
        answer
    }

    /// Expects a call that is answered and changes nothing.
    pub async fn changes_nothing<T: Debug>(&self, id: ExecutionId, call: impl Future<Output = EngineResult<T>>) -> T {
        self.unheard(id, call).await.expect("it is answered")
    }

    /// Everything an operation could change about an execution.
    async fn imprint(&self, id: ExecutionId) -> String {
        if id.partition() >= self.partitions() {
            return String::new();
        }
        let record = self.find_record(id).await;
        let listed = self.backend.stored_index(id).await.expect("the store can be read");
        let waits = self.find_waits(id).await;
        let waitpoints = self.open_waitpoints(id).await;
        format!("{record:?} {listed:?} {waits:?} {waitpoints:?} {:?}", self.log(id.partition()).await)
    }
}

/// Expects a refusal.
#[track_caller]
pub fn meets<T: Debug>(result: EngineResult<T>, code: &str) -> EngineError {
    match result {
        Err(error) => {
            assert_eq!(error.code(), code, "{error}");
            error
        }
        Ok(answer) => panic!("expected {code}, was answered {answer:?}"),
    }
}

/// A case's body.
pub type Body = for<'a> fn(&'a mut Case) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs a case on a target, checks what it has left in the store, and leaves
/// its record.
pub fn run(target: Target, options: &Options, name: Name, body: Body) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let codes = runtime.block_on(async {
        let limited = tokio::time::timeout(TIME_LIMIT, async {
            let harness = harness::start(target, options.clone()).await;
            let mut case = Case { harness, codes: Mutex::default() };
            body(&mut case).await;
            let Case { harness, codes } = case;
            harness.finish().await;
            codes.into_inner().unwrap_or_else(PoisonError::into_inner)
        });
        limited.await.expect("the case ends in time")
    });
    if let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) {
        leave_record(Path::new(&directory), target, name, &codes);
    }
}

fn leave_record(directory: &Path, target: Target, name: Name, codes: &BTreeSet<&'static str>) {
    let record = serde_json::json!({
        "operation": name.operation,
        "target": target.as_str(),
        "case": name.case,
        "codes": codes,
    });
    let file = format!("{}.{}.{}.jsonl", target.as_str(), name.operation, name.case);
    std::fs::write(directory.join(file), format!("{record}\n")).expect("the record of the case is written");
}
