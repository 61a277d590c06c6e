//! What a trace and its run say both, left out of the one, so that an input that says everything does not contradict itself.

/// Values for fields, by their paths.
type Left = &'static [(&'static str, &'static str)];

macro_rules! without {
    ($part:literal $(, $more:expr)*) => {
        &[
            $($more,)*
            (concat!($part, ".runId"), "null"),
            (concat!($part, ".agentId"), "null"),
            (concat!($part, ".correlationId"), "null"),
            (concat!($part, ".environment"), "null"),
            (concat!($part, ".serviceInstanceId"), "null"),
            (concat!($part, ".serviceName"), "null"),
            (concat!($part, ".serviceVersion"), "null"),
            (concat!($part, ".syntheticScenarioId"), "null"),
            (concat!($part, ".isSynthetic"), "false"),
        ]
    };
}

/// The trace says it: for recordTrace.
pub const TRACE_ALONE: Left = without!("run");
/// The run says it: for recordLlmRun.
pub const RUN_ALONE: Left = without!("trace");
/// The trace `done`, which is on record, said it: for completeTrace.
pub const END_ALONE: Left = without!("run", ("traceId", "\"done\""));
