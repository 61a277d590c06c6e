//! Which spans are one model call, and what a trace sums to. Every call counts once:
//!
//! - Wrappers and agents repeat what the spans below them say, so a span's own usage counts only where no span below it, at
//!   any depth, bears usage. A usage of nothing but zeros says nothing.
//! - Two instrumentations at once make two spans of one call. They are one when they share the response id, or parent, model
//!   and counts and overlap in time; the one that says more counts, the other is its duplicate. One instrumentation never
//!   repeats itself: spans of one scope are never merged.
//! - A call may bear no usage: it failed, or nobody counted its stream. It counts as a call where neither a span below nor a
//!   counted one above is the same work. It costs nothing where it failed before it was answered; otherwise the cost, and so the
//!   trace's, is unknown.
//!
//! Everything is decided in (started_at, span_id) order, so that the order of arrival does not matter.

use std::collections::{BTreeMap, HashMap};

use super::facts::Facts;
use crate::domain::input::{NUMBER_MAX, RUN_TOKENS_MAX};
use crate::domain::trace::{TraceStep, TraceTotals};
use crate::domain::vocabulary::{OutcomeCategory, StepKind, StepStatus};

/// How many candidates a span is compared with when its call is looked for: bounds the work on traces of one huge family.
const CANDIDATES_MAX: usize = 64;

/// A step with its facts and its place in the tree.
#[derive(Debug)]
pub struct Node<'a> {
    /// The step.
    pub step: &'a TraceStep,
    /// Its facts.
    pub facts: Facts,
    /// Place of its parent, where the parent is in the trace.
    pub parent: Option<usize>,
    /// A span below it bears usage.
    pub has_usage_below: bool,
    /// Place of the node whose call it repeats.
    pub duplicate_of: Option<usize>,
}

impl Node<'_> {
    /// Whether the span says that tokens were used.
    #[must_use]
    pub fn bears_usage(&self) -> bool {
        self.tokens() > 0
    }

    /// Input and output tokens together.
    #[must_use]
    pub fn tokens(&self) -> i64 {
        self.step.input_tokens.unwrap_or(0).saturating_add(self.step.output_tokens.unwrap_or(0))
    }

    /// Whether it is a call to a model by its kind.
    #[must_use]
    pub fn is_call(&self) -> bool {
        matches!(self.step.kind, StepKind::Llm | StepKind::Embedding | StepKind::Reranker)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.step.started_at <= other.step.ended_at() && other.step.started_at <= self.step.ended_at()
    }

    fn models(&self) -> [Option<&str>; 2] {
        [self.step.model.as_deref(), self.facts.request_model.as_deref()]
    }

    fn shares_model(&self, other: &Self) -> bool {
        self.models().into_iter().flatten().any(|model| other.models().contains(&Some(model)))
    }

    /// How much it says, for the choice between duplicates.
    fn detail(&self) -> (bool, bool, bool, usize) {
        let said = [
            self.step.input_tokens,
            self.step.output_tokens,
            self.facts.cached_tokens,
            self.facts.reasoning_tokens,
            self.step.cost_micros,
        ];
        let details = said.iter().flatten().count();
        (self.bears_usage(), !self.has_usage_below, self.step.response_id.is_some(), details)
    }
}

/// A trace's steps in (started_at, span_id) order, and which of them are calls.
#[derive(Debug)]
pub struct Calls<'a> {
    /// The steps.
    pub nodes: Vec<Node<'a>>,
    /// Places of the steps whose own usage counts.
    pub counted: Vec<usize>,
    /// Places of calls that bear no usage.
    pub unmeasured: Vec<usize>,
}

impl<'a> Calls<'a> {
    /// Reads the steps of a trace, in any order.
    #[must_use]
    pub fn read(steps: &'a [(TraceStep, String)]) -> Self {
        let mut nodes = nodes(steps);
        mark_usage_below(&mut nodes);
        mark_duplicates(&mut nodes);
        let counted: Vec<usize> = (0..nodes.len())
            .filter(|place| {
                let node = &nodes[*place];
                node.duplicate_of.is_none() && node.bears_usage() && !node.has_usage_below
            })
            .collect();
        let unmeasured = unmeasured(&nodes, &counted);
        Self { nodes, counted, unmeasured }
    }

    /// Sums over the calls.
    #[must_use]
    pub fn totals(&self) -> TraceTotals {
        let sum = |count: fn(&TraceStep) -> Option<i64>| {
            let counts = self.counted.iter().filter_map(|place| count(self.nodes[*place].step));
            counts.fold(0, i64::saturating_add).min(RUN_TOKENS_MAX)
        };
        let calls = self.counted.len() + self.unmeasured.len();
        TraceTotals {
            calls: i64::try_from(calls).unwrap_or(i64::MAX),
            input_tokens: sum(|step| step.input_tokens),
            output_tokens: sum(|step| step.output_tokens),
            cost_micros: self.cost_micros(),
        }
    }

    /// `None` where one call's cost is unknown, and where no call has a known cost: nothing known is not zero. `None` too
    /// for a sum that is beyond what is kept.
    fn cost_micros(&self) -> Option<i64> {
        let mut total: Option<i64> = None;
        for place in self.counted.iter().chain(&self.unmeasured) {
            let node = &self.nodes[*place];
            match node.step.cost_micros {
                Some(cost) => total = Some(total.unwrap_or(0).saturating_add(cost)),
                None if is_free(node) => {}
                None => return None,
            }
        }
        total.filter(|total| *total <= NUMBER_MAX)
    }

    /// The sum of a count over the calls that say it; `None` where none does.
    #[must_use]
    pub fn sum(&self, count: fn(&Facts) -> Option<i64>) -> Option<i64> {
        let counts = self.counted.iter().filter_map(|place| count(&self.nodes[*place].facts));
        counts.reduce(i64::saturating_add).map(|sum| sum.min(RUN_TOKENS_MAX))
    }

    /// Span id to the span id that it repeats.
    #[must_use]
    pub fn duplicates(&self) -> BTreeMap<String, String> {
        self.nodes
            .iter()
            .filter_map(|node| {
                let original = &self.nodes[node.duplicate_of?];
                Some((node.step.span_id.clone(), original.step.span_id.clone()))
            })
            .collect()
    }
}

/// Sums over a trace's steps, each call counted once.
#[must_use]
pub fn totals(steps: &[(TraceStep, String)]) -> TraceTotals {
    Calls::read(steps).totals()
}

/// Which spans repeat a call that another span counts: span id to that span's id. What writers said themselves included.
#[must_use]
pub fn duplicates(steps: &[(TraceStep, String)]) -> BTreeMap<String, String> {
    let mut found = Calls::read(steps).duplicates();
    found.extend(steps.iter().filter_map(|(step, _)| Some((step.span_id.clone(), step.duplicate_of.clone()?))));
    found
}

fn nodes(steps: &[(TraceStep, String)]) -> Vec<Node<'_>> {
    let mut sorted: Vec<&(TraceStep, String)> = steps.iter().collect();
    sorted.sort_by(|(left, _), (right, _)| (left.started_at, &left.span_id).cmp(&(right.started_at, &right.span_id)));
    let places: HashMap<&str, usize> =
        sorted.iter().enumerate().map(|(place, (step, _))| (step.span_id.as_str(), place)).collect();
    sorted
        .iter()
        .enumerate()
        .map(|(place, (step, facts))| Node {
            step,
            facts: Facts::parse(facts),
            parent: step
                .parent_span_id
                .as_deref()
                .and_then(|id| places.get(id).copied())
                .filter(|parent| *parent != place),
            has_usage_below: false,
            duplicate_of: step
                .duplicate_of
                .as_deref()
                .and_then(|id| places.get(id).copied())
                .filter(|other| *other != place),
        })
        .collect()
}

fn mark_usage_below(nodes: &mut [Node<'_>]) {
    for place in 0..nodes.len() {
        if nodes[place].bears_usage() {
            let mut above = nodes[place].parent;
            // What is marked already has marked everything above it; this also ends circles.
            while let Some(parent) = above.filter(|parent| !nodes[*parent].has_usage_below && *parent != place) {
                nodes[parent].has_usage_below = true;
                above = nodes[parent].parent;
            }
        }
    }
}

fn mark_duplicates(nodes: &mut [Node<'_>]) {
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    let mut by_response: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_counts: HashMap<(Option<&str>, Option<i64>), Vec<usize>> = HashMap::new();
    for (place, node) in nodes.iter().enumerate() {
        let response = node.step.response_id.as_deref();
        if node.duplicate_of.is_some() || (response.is_none() && !node.bears_usage()) {
            continue;
        }
        let counts = (node.step.parent_span_id.as_deref(), node.step.input_tokens);
        let same_answer = response.and_then(|id| by_response.get(id)).and_then(|found| {
            let of_other_scopes = || recent(found).filter(|cluster| is_new_scope(nodes, &clusters[**cluster], node));
            of_other_scopes()
                .find(|cluster| clusters[**cluster].iter().any(|member| nodes[*member].overlaps(node)))
                .or_else(|| of_other_scopes().last())
                .copied()
        });
        let same_counts = || {
            recent(by_counts.get(&counts)?)
                .find(|cluster| is_same_by_counts(nodes, &clusters[**cluster], node))
                .copied()
        };
        let cluster = same_answer.or_else(|| same_counts().filter(|_| node.bears_usage())).unwrap_or_else(|| {
            clusters.push(Vec::new());
            clusters.len() - 1
        });
        clusters[cluster].push(place);
        if let Some(id) = response {
            by_response.entry(id).or_default().push(cluster);
        }
        by_counts.entry(counts).or_default().push(cluster);
    }
    for cluster in clusters.iter().filter(|cluster| cluster.len() > 1) {
        // Of equals the first in order.
        let best = cluster
            .iter()
            .copied()
            .reduce(|best, next| if nodes[next].detail() > nodes[best].detail() { next } else { best });
        for place in cluster.iter().filter(|place| Some(**place) != best) {
            nodes[*place].duplicate_of = best;
        }
    }
}

fn recent(clusters: &[usize]) -> impl Iterator<Item = &usize> {
    clusters.iter().rev().take(CANDIDATES_MAX)
}

fn is_new_scope(nodes: &[Node<'_>], cluster: &[usize], node: &Node<'_>) -> bool {
    cluster.iter().all(|member| nodes[*member].facts.scope != node.facts.scope)
}

/// Input counts and parent are equal already; output may be missing on one side, where a stream was cut.
fn is_same_by_counts(nodes: &[Node<'_>], cluster: &[usize], node: &Node<'_>) -> bool {
    let is_same = |other: &Node<'_>| {
        let agree = |left: Option<&str>, right: Option<&str>| left.zip(right).is_none_or(|(left, right)| left == right);
        let outputs = other.step.output_tokens.zip(node.step.output_tokens);
        other.overlaps(node)
            && other.shares_model(node)
            && outputs.is_none_or(|(left, right)| left == right)
            && agree(other.step.response_id.as_deref(), node.step.response_id.as_deref())
    };
    is_new_scope(nodes, cluster, node) && cluster.iter().any(|member| is_same(&nodes[*member]))
}

/// Calls without usage that are no other call's wrapper or part.
fn unmeasured(nodes: &[Node<'_>], counted: &[usize]) -> Vec<usize> {
    let is_candidate = |node: &Node<'_>| node.is_call() && !node.bears_usage() && node.duplicate_of.is_none();
    let mut has_call_below = vec![false; nodes.len()];
    for (place, node) in nodes.iter().enumerate().filter(|(_, node)| is_candidate(node)) {
        let mut above = node.parent;
        while let Some(parent) = above.filter(|parent| !has_call_below[*parent] && *parent != place) {
            has_call_below[parent] = true;
            above = nodes[parent].parent;
        }
    }
    let below_counted = below(nodes, counted);
    (0..nodes.len())
        .filter(|place| {
            let node = &nodes[*place];
            is_candidate(node) && !node.has_usage_below && !has_call_below[*place] && !below_counted[*place]
        })
        .collect()
}

/// For each node whether one of some nodes stands above it.
fn below(nodes: &[Node<'_>], above: &[usize]) -> Vec<bool> {
    let mut is_counted = vec![false; nodes.len()];
    above.iter().for_each(|place| is_counted[*place] = true);
    let mut known: Vec<Option<bool>> = vec![None; nodes.len()];
    for start in 0..nodes.len() {
        let mut path = vec![start];
        let mut at = start;
        let answer = loop {
            if let Some(answer) = known[at] {
                break answer;
            }
            let Some(parent) = nodes[at].parent else { break false };
            if is_counted[parent] {
                break true;
            }
            // A circle is longer than there are nodes.
            if path.len() > nodes.len() {
                break false;
            }
            path.push(parent);
            at = parent;
        };
        for place in path {
            known[place] = Some(answer);
        }
    }
    known.into_iter().map(|answer| answer.unwrap_or(false)).collect()
}

/// Whether a call without usage and cost costs nothing: it failed without an answer. Where time ran out or it was cancelled the
/// provider may have worked.
fn is_free(node: &Node<'_>) -> bool {
    let category = node.step.outcome_category;
    let may_have_worked = node.facts.is_timeout || category == OutcomeCategory::Cancelled;
    node.step.status == StepStatus::Failure
        && !node.bears_usage()
        && node.step.response_id.is_none()
        && !may_have_worked
}

#[cfg(test)]
pub(crate) mod tests;
