//! What a call costs: list prices by provider and model, from a versioned table.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;

use super::genai::provider;
use crate::error::{Error, Result};

/// The table that is compiled in; `RUNLEDGER_PRICES` replaces it.
const EMBEDDED: &str = include_str!("../../prices.toml");

/// The most entries and model names that a table may have.
const ENTRIES_MAX: usize = 10_000;

/// The tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens sent; whether cached ones are among them is said by `is_cache_apart`.
    pub input_tokens: i64,
    /// Tokens received, those spent on reasoning included: every provider counts them as output.
    pub output_tokens: i64,
    /// Tokens read from the provider's cache.
    pub cached_input_tokens: i64,
    /// Tokens written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Cached tokens are reported beside `input_tokens` (Anthropic's own counts) rather than within them (everyone
    /// else's).
    pub is_cache_apart: bool,
}

/// Prices of models. All in US dollars per million tokens, which is micro-dollars per token.
#[derive(Clone, Debug)]
pub struct PriceTable {
    version: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Normalised provider names.
    providers: Vec<String>,
    /// Model names; each also stands for its dated and otherwise marked versions.
    models: Vec<String>,
    /// Input.
    input: Price,
    /// Input read from the cache; the price of input where it is absent.
    cached_input: Option<Price>,
    /// Input written to the cache; the price of input where it is absent.
    cache_write: Option<Price>,
    /// Output; models without output (embeddings) have none.
    output: Option<Price>,
}

/// A price, written as text so that it is exact.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Price(Decimal);

impl TryFrom<String> for Price {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.parse::<Decimal>() {
            Ok(price) if !price.is_sign_negative() => Ok(Self(price)),
            _ => Err(format!("a price is text like \"2.50\", in US dollars per million tokens, not {text:?}")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    price: Vec<Entry>,
}

impl PriceTable {
    /// The table that is compiled in.
    ///
    /// # Errors
    /// As for [`Self::parse`]; a test holds that it never happens.
    pub fn embedded() -> Result<Self> {
        Self::parse(EMBEDDED)
    }

    /// Reads a table; `prices.toml` says how it is written.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` when the text is not such a table, `LIMIT_EXCEEDED` when it has too many entries.
    pub fn parse(toml: &str) -> Result<Self> {
        let file: File = toml::from_str(toml).map_err(|error| {
            Error::input("prices", format!("the price table is not valid: {}; compare prices.toml", error.message()))
        })?;
        crate::domain::ids::check_name("version", &file.version)?;
        let names: usize = file.price.iter().map(|entry| entry.models.len()).sum();
        if file.price.len().max(names) > ENTRIES_MAX {
            return Err(Error::limit(
                "the price table has too many entries; split it",
                ENTRIES_MAX as u64,
                Some(names as u64),
            ));
        }
        Ok(Self { version: file.version, entries: file.price })
    }

    /// The table's version; stored with every run that it priced.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What a call costs, in millionths of a US dollar, rounded half up. `None` where the table has no price: it is not
    /// guessed. A provider that the table does not have under this model has no price, even where another one sells a
    /// model of the same name; without a provider the model's first entry counts.
    #[must_use]
    pub fn cost_micros(&self, provider: Option<&str>, model: &str, usage: &Usage) -> Option<i64> {
        let entry = self.entry(provider, model)?;
        let apart = usage.cached_input_tokens.max(0).saturating_add(usage.cache_write_tokens.max(0));
        let uncached = if usage.is_cache_apart { usage.input_tokens } else { usage.input_tokens.saturating_sub(apart) };
        let output = match entry.output {
            Some(price) => times(usage.output_tokens, price)?,
            None if usage.output_tokens > 0 => return None,
            None => Decimal::ZERO,
        };
        let cost = times(uncached, entry.input)?
            .checked_add(times(usage.cached_input_tokens, entry.cached_input.unwrap_or(entry.input))?)?
            .checked_add(times(usage.cache_write_tokens, entry.cache_write.unwrap_or(entry.input))?)?
            .checked_add(output)?;
        cost.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero).to_i64()
    }

    /// The entry with the longest name that stands for the model.
    fn entry(&self, provider: Option<&str>, model: &str) -> Option<&Entry> {
        let provider = provider.filter(|name| *name != provider::UNKNOWN).map(provider::normalise);
        let model = bare_model(model);
        self.entries
            .iter()
            .filter(|entry| provider.as_deref().is_none_or(|name| entry.providers.iter().any(|own| own == name)))
            .flat_map(|entry| entry.models.iter().map(move |name| (name, entry)))
            .filter(|(name, _)| stands_for(name, &model))
            // The first of equally long names: max_by_key would take the last.
            .reduce(|best, next| if next.0.len() > best.0.len() { next } else { best })
            .map(|(_, entry)| entry)
    }
}

fn times(tokens: i64, price: Price) -> Option<Decimal> {
    Decimal::from(tokens.max(0)).checked_mul(price.0)
}

/// The model's own name, lower case: without a path (`models/`, `publishers/google/models/`), without the vendor and region that
/// Bedrock puts before it, and without a fine-tuning prefix.
fn bare_model(model: &str) -> String {
    let lower = model.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    let name = ["us.", "eu.", "apac.", "global.", "us-gov."]
        .iter()
        .find_map(|region| name.strip_prefix(region))
        .unwrap_or(name);
    ["anthropic.", "meta.", "mistral.", "cohere.", "ai21.", "deepseek."]
        .iter()
        .find_map(|vendor| name.strip_prefix(vendor))
        .unwrap_or(name)
        .to_owned()
}

/// Whether a name of the table stands for the model: it is the same, or the model adds a date, a version or a channel.
fn stands_for(name: &str, model: &str) -> bool {
    let Some(rest) = model.strip_prefix(name) else { return false };
    let Some(mark) = rest.strip_prefix(['-', '@', ':']) else { return rest.is_empty() };
    let first = mark.split(['-', '@', ':', '.']).next().unwrap_or(mark);
    let is_number = |text: &str| text.len() >= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = first.strip_prefix('v').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    is_number(first) || is_version || matches!(first, "latest" | "preview" | "exp" | "beta" | "stable")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> PriceTable {
        PriceTable::parse(
            r#"
            version = "t1"
            [[price]]
            providers = ["openai"]
            models = ["gpt-4o"]
            input = "2.50"
            cached_input = "1.25"
            output = "10"
            [[price]]
            providers = ["openai"]
            models = ["gpt-4o-mini"]
            input = "0.15"
            output = "0.60"
            [[price]]
            providers = ["anthropic", "aws.bedrock"]
            models = ["claude-sonnet-4-5"]
            input = "3"
            cached_input = "0.30"
            cache_write = "3.75"
            output = "15"
            [[price]]
            providers = ["openai"]
            models = ["text-embedding-3-small"]
            input = "0.02"
            "#,
        )
        .expect("a table")
    }

    fn usage(input_tokens: i64, output_tokens: i64) -> Usage {
        Usage { input_tokens, output_tokens, ..Usage::default() }
    }

    #[test]
    fn prices_input_cached_input_and_output() {
        let part = Usage { cached_input_tokens: 400, ..usage(1_000, 100) };
        // 600 x 2.50 + 400 x 1.25 + 100 x 10 micro-dollars.
        assert_eq!(table().cost_micros(Some("openai"), "gpt-4o", &part), Some(3_000));
        let apart =
            Usage { cached_input_tokens: 400, cache_write_tokens: 100, is_cache_apart: true, ..usage(1_000, 100) };
        // 1,000 x 3 + 400 x 0.30 + 100 x 3.75 + 100 x 15.
        assert_eq!(table().cost_micros(Some("anthropic"), "claude-sonnet-4-5", &apart), Some(4_995));
    }

    #[test]
    fn rounds_half_up_once() {
        assert_eq!(table().cost_micros(Some("openai"), "gpt-4o", &usage(1, 0)), Some(3));
        assert_eq!(table().cost_micros(Some("openai"), "text-embedding-3-small", &usage(24, 0)), Some(0));
        assert_eq!(table().cost_micros(Some("openai"), "text-embedding-3-small", &usage(25, 0)), Some(1));
    }

    #[test]
    fn dated_models_are_priced_and_other_models_are_not() {
        let cost = |provider, model| table().cost_micros(provider, model, &usage(100, 0));
        for model in ["gpt-4o", "gpt-4o-2026-08-06", "gpt-4o-latest", "GPT-4o", "openai/gpt-4o"] {
            assert_eq!(cost(Some("openai"), model), Some(250), "{model}");
        }
        assert_eq!(cost(Some("openai"), "gpt-4o-mini-2024-07-18"), Some(15));
        for model in ["gpt-4o-audio", "gpt-4", "gpt-4oo", ""] {
            assert_eq!(cost(Some("openai"), model), None, "{model}");
        }
        assert_eq!(cost(Some("aws.bedrock"), "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), Some(300));
        assert_eq!(cost(None, "gpt-4o"), Some(250));
        assert_eq!(cost(Some("unknown"), "gpt-4o"), Some(250));
        assert_eq!(cost(Some("groq"), "gpt-4o"), None);
        assert_eq!(cost(Some("azure_openai"), "gpt-4o"), None);
    }

    #[test]
    fn output_without_a_price_is_unknown_and_numbers_never_overflow() {
        let table = table();
        assert_eq!(table.cost_micros(Some("openai"), "text-embedding-3-small", &usage(1, 1)), None);
        assert_eq!(table.cost_micros(Some("openai"), "gpt-4o", &usage(i64::MAX, i64::MAX)), None);
        assert_eq!(table.cost_micros(Some("openai"), "gpt-4o", &usage(-5, -5)), Some(0));
    }

    #[test]
    fn wrong_tables_are_refused() {
        for bad in ["", "version = \"\"\nprice = []", "version = \"1\"\n[[price]]\nmodels = []", "version = 1"] {
            assert!(PriceTable::parse(bad).is_err(), "{bad}");
        }
        let negative = "version=\"1\"\n[[price]]\nproviders=[\"x\"]\nmodels=[\"y\"]\ninput=\"-1\"";
        assert!(PriceTable::parse(negative).is_err());
        let names = vec!["\"m\""; ENTRIES_MAX + 1].join(",");
        let long = format!("version=\"1\"\n[[price]]\nproviders=[\"x\"]\nmodels=[{names}]\ninput=\"1\"");
        assert_eq!(PriceTable::parse(&long).expect_err("too long").code(), crate::error::Code::LimitExceeded);
    }

    #[test]
    fn the_embedded_table_prices_what_is_well_known() {
        let table = PriceTable::embedded().expect("valid");
        for (provider, model) in [
            ("openai", "gpt-4o-2026-08-06"),
            ("openai", "gpt-4o-mini"),
            ("openai", "gpt-4.1-2026-08-06"),
            ("openai", "o4-mini"),
            ("openai", "text-embedding-3-large"),
            ("azure.ai.openai", "gpt-4o"),
            ("anthropic", "claude-opus-4-1"),
            ("anthropic", "claude-sonnet-4-5-20250929"),
            ("anthropic", "claude-haiku-4-5"),
            ("gcp.gemini", "gemini-2.5-flash"),
            ("mistral_ai", "mistral-large-latest"),
            ("groq", "llama-3.3-70b-versatile"),
            ("deepseek", "deepseek-chat"),
        ] {
            assert!(
                table.cost_micros(Some(provider), model, &usage(1_000_000, 0)).is_some_and(|cost| cost > 0),
                "{model}"
            );
        }
    }
}
