//! `GET /v1/capabilities`: which engine this is and what it carries out.

use crate::api::Api;
use axum::Json;
use axum::extract::State;
use leasehold_contract::Capabilities;

pub(crate) async fn handle(State(api): State<Api>) -> Json<Capabilities> {
    Json(api.engine.capabilities())
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn it_names_the_store_and_the_operations() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, "/v1/capabilities", None).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["identity"]["family"], "memory");
        assert!(answer.body["identity"]["version"]["major"].is_number());
        assert_eq!(answer.body["supports"]["create_execution"], true);
    }
}
