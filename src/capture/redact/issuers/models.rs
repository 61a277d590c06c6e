//! Issuers that serve, store, trace or search for models. A row is a line, whatever its length.

use super::super::alphabet::Alphabet::{Alnum, Base64, Hex, Masked, Url, Word};
use super::Needs::{Digit, NoneOf, Nothing};
use super::Part::Run;
use super::{ANY, Issuer, row};

/// Names of packages that begin like keys: scikit-learn and its kin.
const SCIKITS: &[&str] = &["learn", "image", "learn-contrib", "optimize", "video", "build", "build-core", "network"];

#[rustfmt::skip]
pub(super) const ROWS: &[Issuer] = &[
    // OpenAI's own prefixes sk-proj-, sk-svcacct-, sk-admin- and those of whoever speaks its protocol begin alike.
    row!("OpenAI, DeepSeek, Moonshot, Stability, OpenRouter, LiteLLM", "sk-", Masked 3.., NoneOf(SCIKITS), "platform.openai.com/docs: sk-, sk-proj-, sk-svcacct-, sk-admin-; openrouter.ai/docs: sk-or-v1-; gitleaks openai-api-key"),
    row!("OpenAI sessions", "sess-", Alnum 36.., "platform.openai.com, network log of the dashboard: 40 letters and digits"),
    row!("Anthropic", "sk-ant-", Url 3.., "docs.anthropic.com; gitleaks anthropic-api-key: sk-ant-api03- and 93"),
    row!("Langfuse, secret", "sk-lf-", Url 8.., "langfuse.com/docs: a UUID"),
    row!("Langfuse, public", "pk-lf-", Url 8.., "langfuse.com/docs: a UUID"),
    row!("Helicone", "sk-helicone-", Url 8.., "docs.helicone.ai: groups of seven"),
    row!("Helicone, public", "pk-helicone-", Url 8.., "docs.helicone.ai"),
    row!("Groq", "gsk_", Alnum 12.., "console.groq.com/docs; kingfisher groq.1: 52"),
    row!("xAI", "xai-", Alnum 16.., "docs.x.ai: 80; trufflehog xai"),
    row!("NVIDIA", "nvapi-", Url 12.., "docs.api.nvidia.com: 60 to 70; trufflehog nvapi"),
    row!("Perplexity", "pplx-", Alnum 16.., "docs.perplexity.ai; gitleaks perplexity-api-key: 48"),
    row!("Replicate", "r8_", Alnum 16.., "replicate.com/docs; trufflehog replicate: 37"),
    row!("Fireworks", "fw_", Alnum 12.., Digit, "docs.fireworks.ai: 24"),
    row!("Cerebras", "csk-", Alnum 12.., "inference-docs.cerebras.ai: 48"),
    row!("Pinecone", "pcsk_", Word 12.., "docs.pinecone.io: 6, an underscore, 63"),
    row!("LangSmith, personal", "lsv2_pt_", Word 12.., "docs.smith.langchain.com; trufflehog langsmith: 32 hex, an underscore, 10 hex"),
    row!("LangSmith, service", "lsv2_sk_", Word 12.., "docs.smith.langchain.com; trufflehog langsmith"),
    row!("LangSmith, before 2024", "ls__", Alnum 16.., "docs.smith.langchain.com: 32 hex"),
    row!("Tavily", "tvly-", Url 12.., "docs.tavily.com: tvly-, also tvly-dev-, and 32"),
    row!("Hugging Face", "hf_", Alnum 16.., "huggingface.co/docs; gitleaks huggingface-access-token: 34"),
    row!("Hugging Face, organisation", "api_org_", Alnum 16.., "gitleaks huggingface-organization-api-token: 34"),
    row!("Together", "tgp_v1_", Url 12.., "docs.together.ai: 43"),
    row!("Weights & Biases", "wandb_v1_", Word 12.., "docs.wandb.ai: the form of 2025; the 40 hex before it are found by their name"),
    row!("Weights & Biases, local", "local-", Hex 40..=40, "docs.wandb.ai: 40 hex of a server of one's own"),
    row!("Voyage", "pa-", Url 40.., Digit, "docs.voyageai.com: 43"),
    row!("Jina", "jina_", Url 16.., Digit, "jina.ai: 32, then 28"),
    row!("Firecrawl", "fc-", Hex 32..=32, "docs.firecrawl.dev: 32 hex"),
    row!("LlamaCloud", "llx-", Alnum 16.., "docs.cloud.llamaindex.ai: 48"),
    row!("E2B", "e2b_", Hex 16.., "e2b.dev/docs: 40 hex"),
    row!("Modal", "ak-", Alnum 22..=22, "modal.com/docs: 22"),
    row!("Modal, secret", "as-", Alnum 22..=22, "modal.com/docs: 22"),
    row!("RunPod", "rpa_", Alnum 16.., "docs.runpod.io: 40"),
    row!("Anyscale", "esecret_", Alnum 16.., "docs.anyscale.com"),
    row!("ElevenLabs, Clerk, Stripe without a mode", "sk_", Alnum 10.., Digit, "elevenlabs.io/docs: 48 hex"),
    row!("Lambda", "secret_", Word 24.., Digit, "docs.lambda.ai: a name, 32, and 32 more; also the older form of Notion"),
    row!("Apify", "apify_api_", Alnum 16.., "docs.apify.com: 36"),
    row!("Browserbase", "bb_live_", Url 12.., "docs.browserbase.com"),
    row!("Google AI, Google Cloud", "AIza", Url 30.., "cloud.google.com/docs; gitleaks gcp-api-key: 35"),
    row!("Databricks", "dapi", Hex 32.., "docs.databricks.com; gitleaks databricks-api-token: 32 hex, also with -2 behind it"),
    row!("Grafana, before 2023", "eyJrIjoi", Base64 40.., "gitleaks grafana-api-key: base64 of JSON"),
    row!("Runledger", "rl_", [Run(Alnum, 1, 64), super::Part::Is("_"), Run(Url, 16, ANY)], "our own"),
    row!("Friendli", "flp_", Alnum 20.., "friendli.ai/docs: 46"),
];
