//! The bytes of the ledger. Pure: no I/O, no clock, no randomness.
//!
//! With what is said here and in the modules below, somebody else can write a second verifier, and should find the same.
//!
//! # What is hashed
//! | bytes | module |
//! |---|---|
//! | leaf: RFC 8785 canonical JSON of a record's columns | [`canonical`] |
//! | leaf hash `SHA-256(0x00 leaf)`, node `SHA-256(0x01 left right)`, empty tree `SHA-256("")` (RFC 6962) | [`tree`] |
//! | commitment of a record to a payload part that is kept apart from it | [`commitment`] |
//! | inclusion and consistency proofs (RFC 6962) | [`proof`] |
//! | signed note, verifier key (C2SP signed-note) | [`note`] |
//! | checkpoint (C2SP tlog-checkpoint) | [`checkpoint`] |
//! | receipt (C2SP tlog-proof) | [`receipt`] |
//! | root hash over a trace's behaviour: a column of seals and runs, no part of a log's tree | [`behaviour`] |
//!
//! # What is stored
//! The tables are the same on SQLite and PostgreSQL. Hashes are 32 bytes each.
//!
//! | table | columns |
//! |---|---|
//! | `ledger_log` | one row a log: `log_id`, `tenant_id`, `stream` (`evidence` or `access`), `origin`, `size`, `root`, and `edge`: the roots of the complete subtrees that a tree of this size consists of, largest first, one after the other |
//! | `ledger_entry` | one row a leaf: `log_id`, `seq` from 0 without gaps, `kind`, `record_id`, `leaf_hash` |
//! | `ledger_node` | `log_id`, `level`, `idx`, `hash`: the root of the complete subtree over the leaves from `idx` * 256^`level`, 256^`level` of them; level 1 and above, every one that is complete |
//! | `ledger_checkpoint` | `log_id`, `size`, `root`, `note` (the signed text), `made_at` |
//! | `payload` | `tenant_id`, `record_id`, `part`, `text`, `salt` |
//! | `llm_run` and the other tables of evidence | the columns of the records, with `tenant_id`, `id`, `seq`, `created_at` |
//!
//! A record of kind `llm_run`, `trace`, `trace_step`, `trace_seal`, `system_record`, `audit_entry`, `policy_activation`,
//! `incident_evidence` or `log_export` is a row of the table of that name; the other kinds (`checkpoint`, `key`, `erase`,
//! `hold`, `prune`) are rows of `ledger_event`. The access log of a tenant holds the audit entries of category ACCESS and
//! nothing else, the evidence log everything else; the evidence log of the tenant `platform` is the log of logs.
//!
//! # How a log is verified
//! 1. Take a checkpoint whose signature a key verifies that you got from elsewhere, and whose origin is the log's.
//! 2. For each `seq` below its size: find the one entry, the record with its `kind` and `record_id`, whose `seq` is that one;
//!    write its leaf from its columns; compare the leaf's hash with the entry's. There is no other record of the tenant.
//! 3. Compute the root over these hashes and compare it with the checkpoint's. A node that is stored is the root of what it
//!    covers.
//! 4. Compute each commitment of a record from its payload part, or find the `erase` or `prune` record that names
//!    `<record id>/<part>`.
//! 5. Check that each earlier checkpoint has the root of the tree of its size.
//!
//! # Choices where the design is silent
//! - A leaf's `kind` is the record's kind, so a step's column of that name is `step_kind` in its leaf ([`canonical`]).
//! - Columns that hold JSON text stand in a leaf as strings, not as JSON: nothing in a leaf is ever re-serialised.
//! - The empty tree is consistent with every tree, by an empty proof. (RFC 6962 and Go's `tlog` leave it undefined.)
//! - One key signs the checkpoints of all logs of an installation, under the installation's name; the origin tells the logs
//!   apart, so a receipt is of a log only where the origin was compared ([`checkpoint`], [`receipt`]).
//! - What may be written in more than one way is taken in one only: base64 with its padding and without stray bits, decimal
//!   numbers without zeros before them, lines that end in a newline. So a text that reads is the text that we would write.

pub mod behaviour;
pub mod canonical;
pub mod checkpoint;
pub mod commitment;
pub mod note;
pub mod note_secret;
pub mod proof;
pub mod receipt;
pub mod tree;
pub mod verify;
