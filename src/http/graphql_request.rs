//! From an HTTP request to the parameters of a GraphQL request.

use std::collections::BTreeMap;

use async_graphql::Variables;
use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::apart::Apart;
use super::body::{self, BodyLimit, Budget, ReadBody, Share};
use super::graphql::Refusal;
use super::graphql_media::check_content_type;
use super::graphql_variables::variables;
use crate::domain::ids::TenantId;
use crate::error::Error;

/// What a client asks.
#[derive(Deserialize)]
pub struct Parameters {
    /// The document.
    pub query: String,
    /// The operation of it to run.
    #[serde(default, rename = "operationName")]
    pub operation_name: Option<String>,
    /// Values of its variables.
    #[serde(default, deserialize_with = "variables")]
    pub variables: Variables,
    /// A place for protocols of others; an object where it is given. None is in use here.
    #[serde(default, rename = "extensions")]
    _extensions: Option<BTreeMap<String, IgnoredAny>>,
    /// Bytes of all of it.
    #[serde(skip)]
    pub bytes: usize,
    /// What they hold of the budget of bytes.
    #[serde(skip)]
    pub share: Share,
}

/// Variables that are a JSON text of their own.
#[derive(Default, Deserialize)]
struct TextVariables(#[serde(deserialize_with = "variables")] Variables);

/// The same in a query string, where variables and extensions are JSON texts.
#[derive(Deserialize)]
struct QueryParameters {
    query: String,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Parameters {
    /// Reads the query string of a GET request; what is made of it counts in the budget.
    pub fn from_uri(uri: &Uri, budget: Option<Budget>) -> Result<Self, Refusal> {
        let Query(parameters) = Query::<QueryParameters>::try_from_uri(uri)
            .map_err(|error| bad_request("query", format!("the query string does not fit: {error}")))?;
        Ok(Self {
            bytes: uri.query().map_or(0, str::len),
            share: Share::of(budget),
            query: parameters.query,
            operation_name: parameters.operation_name,
            variables: json_text::<TextVariables>("variables", parameters.variables)?.0,
            _extensions: json_text("extensions", parameters.extensions)?,
        })
    }

    /// Reads the body of a POST request.
    pub(super) async fn from_body(
        apart: &Apart,
        tenant: &TenantId,
        headers: &HeaderMap,
        body: Body,
        limit: &BodyLimit,
    ) -> Result<Self, Refusal> {
        check_content_type(headers)?;
        let ReadBody { bytes, share } = body::read(apart, tenant, headers, body, limit).await?;
        let read = apart.run(tenant, bytes.len(), move || Self::from_json(&bytes)).await??;
        Ok(Self { share, ..read })
    }

    fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if text.trim_ascii_start().first() == Some(&b'[') {
            return Err(bad_request("body", "batches are not taken: send one request at a time".to_owned()));
        }
        let read = serde_json::from_slice(text);
        let read = read.map_err(|error| bad_request("body", format!("the body does not fit: {error}")))?;
        Ok(Self { bytes: bytes.len(), ..read })
    }
}

/// A parameter that is JSON inside a query string.
fn json_text<T: Default + DeserializeOwned>(name: &str, text: Option<String>) -> Result<T, Refusal> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => {
            serde_json::from_str(&text).map_err(|error| bad_request(name, format!("{name} does not fit: {error}")))
        }
        None => Ok(T::default()),
    }
}

/// The refusal of parameters that do not fit.
fn bad_request(field: &str, message: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, Error::input(field, message))
}
