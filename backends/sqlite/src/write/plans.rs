//! Every statement of a batch finds its rows by their keys.

use super::{blobs, events, executions, head, inbox, kept, others};
use crate::plan::{plan, scans_a_table};
use crate::texts::Texts;

#[tokio::test]
async fn no_statement_of_a_batch_visits_rows_it_is_not_about() {
    for shape in [
        &executions::INSERT,
        &executions::UPDATE,
        &executions::DELETE,
        &blobs::PUT,
        &blobs::DELETE,
        &events::APPEND,
        &others::PUT_ATTEMPTS,
        &others::DELETE_ATTEMPTS,
        &others::PUT_IDEMPOTENCY,
        &others::DELETE_IDEMPOTENCY,
        &others::PUT_LANES,
        &others::DELETE_LANES,
        &kept::PUT,
        &kept::DELETE,
        &inbox::LEAVE,
        &head::COMPARE,
    ] {
        for rows in [1, 2, 128] {
            let plan = plan(&Texts::default().get(shape, rows, "")).await;
            assert!(!scans_a_table(&plan), "{}\n{plan:#?}", shape.name);
            if shape.name == "update executions" {
                let by_key = plan.iter().any(|line| line.contains("partition=? AND id=?"));
                assert!(by_key, "{plan:#?}");
            }
        }
    }
}
