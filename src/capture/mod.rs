//! From what applications send to records: pure. Attribute aliases, calls counted once, prices, redaction, seals.
