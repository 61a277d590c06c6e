//! The one error of Runledger: transport-free, cheap to clone, its causes kept for the log and never shown.

use std::fmt;
use std::sync::Arc;

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What kind of error it is; the text is `extensions.code` in GraphQL answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$meta])* $name),+ }

        impl Code {
            /// Each of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The text in answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

codes! {
    /// No valid credentials.
    Unauthenticated = "UNAUTHENTICATED",
    /// Valid credentials without the permission that is needed.
    Forbidden = "FORBIDDEN",
    /// A mutation names something that is not there.
    NotFound = "NOT_FOUND",
    /// An argument is wrong; `field` says which.
    BadUserInput = "BAD_USER_INPUT",
    /// A cursor that was not made by this list with this filter and order.
    BadCursor = "BAD_CURSOR",
    /// The write contradicts an earlier one.
    Conflict = "CONFLICT",
    /// A limit is exceeded; limit and value are given.
    LimitExceeded = "LIMIT_EXCEEDED",
    /// Not now: try again after `retryAfterMs`.
    Unavailable = "UNAVAILABLE",
    /// It took longer than allowed.
    Timeout = "TIMEOUT",
    /// The GraphQL document does not parse.
    GraphqlParseFailed = "GRAPHQL_PARSE_FAILED",
    /// The GraphQL document does not fit the schema.
    GraphqlValidationFailed = "GRAPHQL_VALIDATION_FAILED",
    /// Our fault; the cause is in the log under the request id.
    Internal = "INTERNAL",
}

impl Code {
    /// Whose fault it is, in the words that graphql-java's clients look for in `extensions.classification`: `BAD_REQUEST`
    /// where another request would do better; `None` where the same one may.
    #[must_use]
    pub const fn classification(self) -> Option<&'static str> {
        match self {
            Self::NotFound
            | Self::BadUserInput
            | Self::BadCursor
            | Self::Conflict
            | Self::LimitExceeded
            | Self::GraphqlParseFailed
            | Self::GraphqlValidationFailed => Some("BAD_REQUEST"),
            Self::Unauthenticated | Self::Forbidden | Self::Unavailable | Self::Timeout | Self::Internal => None,
        }
    }
}

/// What an error says beside its code and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing more.
    None,
    /// The input field that is wrong; empty when the caller of the check knows it better.
    Field(String),
    /// The limit that was exceeded and the value that exceeded it.
    Limit {
        /// The highest value allowed.
        limit: u64,
        /// The value that was sent; `None` where counting stopped at the limit.
        value: Option<u64>,
    },
    /// How long to wait before another try, in milliseconds.
    RetryAfterMs(u64),
}

struct Inner {
    code: Code,
    message: String,
    detail: Detail,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// An error with a [`Code`], a message for the caller, and a cause for the log.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

/// A result with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a code and a message that the caller may read.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::build(code, message.into(), Detail::None, None)
    }

    /// `BAD_USER_INPUT` that names the field.
    pub fn input(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::build(Code::BadUserInput, message.into(), Detail::Field(field.into()), None)
    }

    /// `LIMIT_EXCEEDED` with the limit and, where it is known, the value.
    pub fn limit(message: impl Into<String>, limit: u64, value: Option<u64>) -> Self {
        Self::build(Code::LimitExceeded, message.into(), Detail::Limit { limit, value }, None)
    }

    /// `UNAVAILABLE` with a time to wait.
    pub fn unavailable(message: impl Into<String>, retry_after_ms: u64) -> Self {
        Self::build(Code::Unavailable, message.into(), Detail::RetryAfterMs(retry_after_ms), None)
    }

    /// `LIMIT_EXCEEDED` with a time to wait: too many requests at a time.
    pub fn rate_limited(message: impl Into<String>, retry_after_ms: u64) -> Self {
        Self::build(Code::LimitExceeded, message.into(), Detail::RetryAfterMs(retry_after_ms), None)
    }

    /// `INTERNAL`: the cause goes to the log, the caller sees only a request id.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::build(Code::Internal, "internal error".to_owned(), Detail::None, Some(cause.into()))
    }

    /// The same error with a cause, which goes to the log and to operators only.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::build(self.0.code, self.0.message.clone(), self.0.detail.clone(), Some(cause.into()))
    }

    /// The same error with another field name: for checks that do not know where their value came from.
    #[must_use]
    pub fn at_field(self, field: &str) -> Self {
        match &self.0.detail {
            Detail::Field(_) => Self::input(field, self.0.message.clone()),
            _ => self,
        }
    }

    /// The same error of one item of a list: its field and its message are led by the item's place.
    #[must_use]
    pub fn at_place(self, list: &str, at: usize) -> Self {
        self.below(&format!("{list}[{at}]"))
    }

    /// The same error of a part of the input: its field and its message are led by the part's place.
    #[must_use]
    pub fn below(self, place: &str) -> Self {
        if self.0.cause.is_some() {
            return self;
        }
        let Inner { code, message, detail, .. } = &*self.0;
        match detail {
            Detail::Field(field) => {
                // A message that begins with its field names the whole way to it.
                let begins =
                    message.strip_prefix(field.as_str()).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
                let message = match begins && !field.is_empty() {
                    true => format!("{place}.{message}"),
                    false => format!("{place}: {message}"),
                };
                Self::input(format!("{place}.{field}"), message)
            }
            detail => Self::build(*code, format!("{place}: {message}"), detail.clone(), None),
        }
    }

    fn build(
        code: Code,
        message: String,
        detail: Detail,
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner { code, message, detail, cause }))
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message for the caller.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Field, limit or waiting time.
    #[must_use]
    pub fn detail(&self) -> &Detail {
        &self.0.detail
    }

    /// The cause, for the log only.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.message)?;
        match &self.0.cause {
            Some(cause) => write!(f, " (cause: {cause})"),
            None => Ok(()),
        }
    }
}
