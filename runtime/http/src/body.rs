//! Reading bodies: a limit per request, then JSON.

use crate::api::Api;
use crate::error::Refusal;
use crate::options::BodyLimits;
use axum::Json;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

/// A request that is a JSON object.
pub(crate) trait Requested: DeserializeOwned + Send {
    /// How large its body may be.
    fn limit(limits: &BodyLimits) -> usize {
        limits.other
    }

    /// What an empty body stands for; most requests must say something.
    fn when_empty() -> Option<Self> {
        None
    }
}

/// The body, read into `T`.
#[derive(Clone, Debug)]
pub(crate) struct Body<T>(pub T);

impl<T: Requested> FromRequest<Api> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let is_json = is_json(request.headers());
        let bytes = read(request, T::limit(&api.limits)).await?;
        if bytes.is_empty()
            && let Some(request) = T::when_empty()
        {
            return Ok(Self(request));
        }
        if !is_json {
            return Err(invalid_json(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not application/json"));
        }
        match Json::<T>::from_bytes(&bytes) {
            Ok(Json(request)) => Ok(Self(request)),
            Err(rejection) => Err(invalid_json(rejection.status(), &rejection.body_text())),
        }
    }
}

fn invalid_json(status: StatusCode, reason: &str) -> Refusal {
    Refusal::plain(status, format!("invalid JSON: {reason}"))
}

/// Whether the content type is JSON, in any of its registered spellings.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = given.split_once(';').map_or(given, |(essence, _)| essence).trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The whole body, unless it is over the limit. One that announces too much
/// is refused before it is read.
async fn read(request: Request, limit: usize) -> Result<Bytes, Refusal> {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| request.uri().path().to_owned(), |matched| matched.as_str().to_owned());
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > limit as u64) {
        return Err(Refusal::too_large(limit, route));
    }
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::too_large(limit, route)),
        Err(error) => Err(Refusal::plain(StatusCode::BAD_REQUEST, format!("the body could not be read: {error}"))),
    }
}

#[cfg(test)]
mod tests;
