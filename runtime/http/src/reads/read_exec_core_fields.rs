//! `GET /v1/executions/{execution_id}/fields?names=a,b&partition`: fields by
//! name, as text; null where unset or unknown.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_core::partition::Partition;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    names: String,
    /// The execution's own, if it is given.
    #[serde(default)]
    partition: Option<u16>,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Target(execution_id): Target,
    Query(request): Query<Request>,
) -> Result<Json<BTreeMap<String, Option<String>>>, Refusal> {
    let names: Vec<String> = request.names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let partition = request.partition.map_or(execution_id.home(), Partition::flow);
    Ok(Json(api.engine.read_exec_core_fields(partition, execution_id, &names).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn known_fields_have_values_and_others_are_null() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let fields = api.fields(&id, "lane_id,public_state,started_at,no_such_field").await;
        assert_eq!(
            fields,
            json!({"lane_id": "mail", "public_state": "waiting", "started_at": null, "no_such_field": null})
        );
        assert_eq!(api.fields(&id, "").await, json!({}));
        assert_eq!(api.fields(Harness::UNKNOWN, "lane_id").await, json!({"lane_id": null}));
    }

    #[tokio::test]
    async fn too_many_names_and_another_partition_are_invalid_input() {
        let api = Harness::new().await;
        let id = api.create_with("mail", json!({"partition_id": 1})).await;
        let names = vec!["x"; 65].join(",");
        for query in [format!("names={names}"), "names=lane_id&partition=2".to_owned(), String::new()] {
            let answer = api.send(Method::GET, &format!("/v1/executions/{id}/fields?{query}"), None).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
            assert!(answer.error().starts_with("invalid_input: "), "{}", answer.body);
        }
    }
}
