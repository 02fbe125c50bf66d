//! `admit`: turn what an outside writer left in the inbox into an execution.
//!
//! It is `create_execution` decided later, and the entry leaves the inbox in
//! the same commit. Whatever the entry says, it leaves: one that can never
//! become an execution (bytes that do not parse, a rule that refuses it) is
//! told as an event with the code of its error, so that it neither disappears
//! without a word nor comes up again for ever.

use super::{CreateExecution, CreateOutcome, Decide};
use crate::decision::{Context, Rejection};
use crate::error::EngineError;
use crate::event::Fact;
use crate::ids::ExecutionId;
use crate::inbox;
use crate::record::RecordKey;
use crate::view::View;

/// Arguments of `admit`.
#[derive(Clone, Debug)]
pub struct Admit {
    number: i64,
    execution_id: ExecutionId,
    create: Result<CreateExecution, EngineError>,
}

/// Answer of `admit`. The entry has left the inbox either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmitOutcome {
    /// It became an execution, or its key or id stands for one already.
    Admitted(CreateOutcome),
    /// Nothing can ever come of it.
    Refused {
        /// Why.
        error: EngineError,
    },
}

impl Admit {
    /// The entry of this number, which says that `create` makes this
    /// execution.
    pub fn new(number: i64, execution_id: ExecutionId, create: &[u8]) -> Self {
        let create = inbox::decode(create).and_then(|create| {
            if create.execution_id == execution_id {
                return Ok(create);
            }
            Err(EngineError::corruption("inbox", "execution_id", &format!("it is about {}", create.execution_id)))
        });
        Self { number, execution_id, create }
    }

    /// The entry's number.
    pub const fn number(&self) -> i64 {
        self.number
    }

    /// What the entry asks for, or why it cannot be read.
    pub const fn create(&self) -> Result<&CreateExecution, &EngineError> {
        self.create.as_ref()
    }
}

impl Decide for Admit {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn further_keys(&self) -> Vec<RecordKey> {
        self.create.as_ref().map(Decide::further_keys).unwrap_or_default()
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<AdmitOutcome, Rejection> {
        let created = match &self.create {
            Ok(create) => create.decide(view, context).map_err(|rejection| rejection.error),
            Err(error) => Err(error.clone()),
        };
        let outcome = match created {
            Ok(outcome) => AdmitOutcome::Admitted(outcome),
            Err(error) => {
                view.take_back();
                let fact = Fact::CreateRefused { code: error.code().to_owned(), message: error.to_string() };
                view.tell(self.execution_id, context.now, fact);
                AdmitOutcome::Refused { error }
            }
        };
        view.leave_inbox(self.number);
        Ok(outcome)
    }
}
