//! Media types of GraphQL over HTTP: which one the client takes, and which one it sends.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::graphql::Refusal;
use crate::error::Error;

/// The media types of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status says whether the request was run.
    GraphqlResponse,
    /// `application/json`: a well-formed request is answered 200 even when its document is refused.
    Json,
}

impl Media {
    /// Those that we have; the first wins where the client does not care.
    const ALL: [Self; 2] = [Self::Json, Self::GraphqlResponse];

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> HeaderValue {
        match self {
            Self::GraphqlResponse => HeaderValue::from_static("application/graphql-response+json; charset=utf-8"),
            Self::Json => HeaderValue::from_static("application/json; charset=utf-8"),
        }
    }

    /// The status of an answer to a request that was well-formed but not run.
    #[must_use]
    pub const fn status_of_refusal(self) -> StatusCode {
        match self {
            Self::GraphqlResponse => StatusCode::BAD_REQUEST,
            Self::Json => StatusCode::OK,
        }
    }

    /// How well a range of `Accept` names this type; `None` when it does not.
    fn specificity(self, range: &str) -> Option<u8> {
        match (self, range) {
            (Self::GraphqlResponse, "application/graphql-response+json") | (Self::Json, "application/json") => Some(2),
            (_, "application/*") => Some(1),
            (_, "*/*") => Some(0),
            _ => None,
        }
    }

    /// The type that the client prefers, by weight, then by its own order; `application/json` where it says nothing.
    pub fn negotiate(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut ranges = Vec::new();
        for value in headers.get_all(header::ACCEPT) {
            ranges.extend(value.to_str().unwrap_or_default().split(',').filter_map(range));
        }
        if ranges.is_empty() {
            return Ok(Self::Json);
        }
        let mut best: Option<(u16, Option<usize>, Self)> = None;
        for media in Self::ALL {
            let named = ranges.iter().enumerate().filter_map(|(at, (range, weight))| {
                media.specificity(range).map(|specificity| (specificity, at, *weight))
            });
            let Some((specificity, at, weight)) =
                named.max_by_key(|(specificity, at, _)| (*specificity, usize::MAX - at))
            else {
                continue;
            };
            // Among types of one weight, one that is named comes before one that a wildcard lets in.
            let place = (specificity == 2).then_some(at);
            let is_better = best.is_none_or(|(best_weight, best_place, _)| {
                weight > best_weight
                    || (weight == best_weight && place.is_some_and(|place| best_place.is_none_or(|best| place < best)))
            });
            if weight > 0 && is_better {
                best = Some((weight, place, media));
            }
        }
        best.map(|(_, _, media)| media).ok_or_else(|| {
            let message = "answers are application/graphql-response+json or application/json: accept one of them; the page for \
                           people is /graphiql";
            Refusal::new(StatusCode::NOT_ACCEPTABLE, Error::input("accept", message))
        })
    }
}

/// A range of `Accept` with its weight in thousandths.
fn range(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((range, weight.map_or(Some(1_000), thousandths).unwrap_or_default()))
}

/// A weight of at most three decimal places, as HTTP writes it.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = format!("{fraction:0<3}");
    let weight = whole.parse::<u16>().ok()?.checked_mul(1_000)?.checked_add(fraction.get(..3)?.parse().ok()?)?;
    (weight <= 1_000).then_some(weight)
}

/// Refuses every content type but JSON in UTF-8. The others are those that a browser sends to foreign servers without
/// asking them first.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|part| match part.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if is_json && is_utf8 {
        return Ok(());
    }
    let error = Error::input("content-type", "send the request as application/json in UTF-8");
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(accept: &[&str]) -> Option<Media> {
        let mut headers = HeaderMap::new();
        for accept in accept {
            headers.append(header::ACCEPT, accept.parse().expect("a header"));
        }
        Media::negotiate(&headers).ok()
    }

    #[test]
    fn json_is_the_answer_where_the_client_does_not_care() {
        for accept in [&[][..], &["*/*"], &["application/*"], &["text/html, application/xhtml+xml, */*;q=0.8"], &[""]] {
            assert_eq!(negotiated(accept), Some(Media::Json), "{accept:?}");
        }
    }

    #[test]
    fn the_client_prefers_by_weight_then_by_order() {
        use Media::{GraphqlResponse, Json};
        for (accept, wanted) in [
            ("application/graphql-response+json", GraphqlResponse),
            ("application/graphql-response+json, application/json", GraphqlResponse),
            ("application/json, application/graphql-response+json", Json),
            ("application/graphql-response+json; charset=utf-8, application/json;q=0.9", GraphqlResponse),
            ("application/json;q=0.5, application/graphql-response+json;q=0.25", Json),
            ("*/*, application/graphql-response+json", GraphqlResponse),
            ("application/json;q=0, */*", GraphqlResponse),
            ("APPLICATION/JSON", Json),
        ] {
            assert_eq!(negotiated(&[accept]), Some(wanted), "{accept}");
        }
        assert_eq!(negotiated(&["text/html", "application/json"]), Some(Json));
    }

    #[test]
    fn what_we_do_not_have_is_not_acceptable() {
        for accept in ["text/html", "application/json;q=0", "image/*, application/xml", "application/json;q=x"] {
            assert_eq!(negotiated(&[accept]), None, "{accept}");
        }
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html"))]);
        let Err(refused) = Media::negotiate(&headers) else { panic!("a browser is told where its page is") };
        assert!(refused.error.message().contains("/graphiql"), "{:?}", refused.error);
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        let is_taken = |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::CONTENT_TYPE, value.parse().expect("a header"));
            }
            check_content_type(&headers).is_ok()
        };
        for good in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
            assert!(is_taken(Some(good)), "{good}");
        }
        for bad in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application/graphql"),
            Some("application/json; charset=latin1"),
            Some("text/plain; application/json"),
        ] {
            assert!(!is_taken(bad), "{bad:?}");
        }
    }
}
