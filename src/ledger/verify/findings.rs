//! What a verification found: everything is counted, a bounded number is kept.

use crate::domain::verification::{Anomaly, AnomalyKind};

/// Findings that are kept. A log with more is beyond a list.
pub const FINDINGS_MAX: usize = 1_000;

/// Findings, in the order in which they came until they are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    kept: Vec<Anomaly>,
    anomalies: i64,
    warnings: i64,
    breaks_chain: bool,
}

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: Anomaly) {
        if finding.is_warning {
            self.warnings += 1;
        } else {
            self.anomalies += 1;
            self.breaks_chain |= breaks_chain(finding.kind);
        }
        if self.kept.len() < FINDINGS_MAX {
            self.kept.push(finding);
        } else if !finding.is_warning
            && let Some(warning) = self.kept.iter_mut().rev().find(|kept| kept.is_warning)
        {
            // What makes the log INVALID is never crowded out by warnings.
            *warning = finding;
        }
    }

    /// Adds several.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Anomaly>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    /// Adds what says more of a finding than the finding itself, in its place; where there is none, beside the others.
    pub fn explain(&mut self, finding: Anomaly) {
        let same = |kept: &&mut Anomaly| {
            (kept.kind, kept.seq, kept.record_id) == (finding.kind, finding.seq, finding.record_id)
        };
        if let Some(kept) = self.kept.iter_mut().find(same) {
            *kept = finding;
            return;
        }
        self.push(finding.clone());
        // Among too many to keep, one that names nothing gives way.
        if !self.kept.contains(&finding)
            && let Some(kept) = self.kept.iter_mut().rev().find(|kept| kept.field.is_none())
        {
            *kept = finding;
        }
    }

    /// By place; what has none comes last.
    pub fn sort(&mut self) {
        self.kept.sort_by_key(|finding| (finding.seq.is_none(), finding.seq));
    }

    /// Those that are kept.
    #[must_use]
    pub fn kept(&self) -> &[Anomaly] {
        &self.kept
    }

    /// How many make the log INVALID.
    #[must_use]
    pub const fn anomalies(&self) -> i64 {
        self.anomalies
    }

    /// How many do not.
    #[must_use]
    pub const fn warnings(&self) -> i64 {
        self.warnings
    }

    /// Whether entries, records, nodes, root and checkpoints agree: a payload can be altered while they do.
    #[must_use]
    pub const fn is_chain_valid(&self) -> bool {
        !self.breaks_chain
    }
}

const fn breaks_chain(kind: AnomalyKind) -> bool {
    !matches!(kind, AnomalyKind::PayloadAltered | AnomalyKind::PayloadMissing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_and_anomalies_go_before_warnings() {
        let mut findings = Findings::default();
        for seq in 0..1_500 {
            findings.push(Anomaly::new(AnomalyKind::Clock, "late").at(seq));
        }
        assert!(findings.is_chain_valid());
        findings.push(Anomaly::new(AnomalyKind::Altered, "x").at(7));
        assert_eq!((findings.anomalies(), findings.warnings(), findings.kept().len()), (1, 1_500, FINDINGS_MAX));
        assert!(findings.kept().iter().any(|finding| finding.kind == AnomalyKind::Altered));
        assert!(!findings.is_chain_valid());
    }

    #[test]
    fn what_says_more_stands_in_the_place_of_what_it_explains() {
        let altered = |seq| Anomaly::new(AnomalyKind::Altered, "x").at(seq);
        let mut findings = Findings::default();
        findings.push(altered(7));
        findings.explain(altered(7).field("model"));
        assert_eq!((findings.anomalies(), findings.kept()), (1, [altered(7).field("model")].as_slice()));
        findings.explain(altered(8).field("model"));
        assert_eq!((findings.anomalies(), findings.kept().len()), (2, 2));
        (0..1_500).for_each(|seq| findings.push(altered(seq + 9)));
        findings.explain(altered(5_000).field("model"));
        assert_eq!(findings.kept().len(), FINDINGS_MAX);
        assert!(findings.kept().iter().any(|kept| kept.seq == Some(5_000)), "it is kept among too many");
    }
}
