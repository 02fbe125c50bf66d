//! What stands in the path.

use crate::error::Refusal;
use crate::ids;
use axum::extract::{FromRequestParts, Path, RawPathParams};
use axum::http::request::Parts;
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId};
use serde::de::DeserializeOwned;

/// The execution a route is about: its segment `{execution_id}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target(pub ExecutionId);

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        ids::parse("execution_id", &segment(parts, state, "execution_id").await?).map(Self)
    }
}

impl Target {
    /// The execution, if the body does not name another.
    pub fn agreeing(self, in_body: Option<&str>) -> Result<ExecutionId, Refusal> {
        let Some(text) = in_body else { return Ok(self.0) };
        let named: ExecutionId = ids::parse("execution_id", text)?;
        if named == self.0 {
            return Ok(self.0);
        }
        Err(Refusal::invalid_input(format!("execution_id: the body names {named}, the path {}", self.0)))
    }
}

/// The flow a route is about: its segment `{flow_id}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowTarget(pub FlowId);

impl<S: Send + Sync> FromRequestParts<S> for FlowTarget {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        ids::parse("flow_id", &segment(parts, state, "flow_id").await?).map(Self)
    }
}

impl FlowTarget {
    /// The flow, if the body does not name another.
    pub fn agreeing(self, in_body: Option<&str>) -> Result<FlowId, Refusal> {
        let Some(text) = in_body else { return Ok(self.0) };
        let named: FlowId = ids::parse("flow_id", text)?;
        if named == self.0 {
            return Ok(self.0);
        }
        Err(Refusal::invalid_input(format!("flow_id: the body names {named}, the path {}", self.0)))
    }
}

/// The dependency a route is about: its segment `{edge_id}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EdgeTarget(pub EdgeId);

impl<S: Send + Sync> FromRequestParts<S> for EdgeTarget {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        ids::parse("edge_id", &segment(parts, state, "edge_id").await?).map(Self)
    }
}

/// One segment by its name; empty where the route has none of that name.
async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S, wanted: &str) -> Result<String, Refusal> {
    let params = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|rejection| Refusal::invalid_input(format!("path: {}", rejection.body_text())))?;
    Ok(params.iter().find(|(name, _)| *name == wanted).map_or_else(String::new, |(_, text)| text.to_owned()))
}

/// Segments of the path as they are.
#[derive(Clone, Debug)]
pub(crate) struct Segments<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(rejection) => Err(Refusal::invalid_input(format!("path: {}", rejection.body_text()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn an_execution_id_may_stand_as_it_is_or_percent_encoded() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let encoded = id.replace('{', "%7B").replace('}', "%7D").replace(':', "%3A");
        for spelling in [id.as_str(), &encoded] {
            let answer = api.send(Method::GET, &format!("/v1/executions/{spelling}/state"), None).await;
            assert_eq!(answer.status, StatusCode::OK, "{spelling}");
        }
    }

    #[tokio::test]
    async fn a_malformed_execution_id_is_invalid_input_on_every_route() {
        let api = Harness::new().await;
        for id in ["x", "%7Bfp:0%7D:xyz", "%7Bfp:00%7D:00000000-0000-0000-0000-000000000001", "%FF"] {
            for (method, rest) in [(Method::GET, ""), (Method::GET, "/state"), (Method::POST, "/replay")] {
                let answer = api.send(method, &format!("/v1/executions/{id}{rest}"), None).await;
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{id}");
                assert!(answer.error().starts_with("invalid_input: "), "{}", answer.body);
            }
        }
    }
}
