// The tabs that a first visit opens. tests/conformance/examples.mjs runs each of them.

const runsWithSteps = `# The newest runs, each with its trace and its first steps.
# Ctrl-Enter runs a query. The book icon opens the documentation of everything.
query RunsWithSteps {
  llmRuns(first: 10) {
    nodes {
      runId
      traceId
      name
      provider
      model
      executionStatus
      startedAt
      durationMs
      inputTokens
      outputTokens
      costUsd
      trace {
        totalSteps
        steps(first: 10) {
          nodes {
            stepIndex
            kind
            skillName
            status
            durationMs
          }
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`;

const oneRun = `# One run. Take a runId from the first tab and put it into the variables below.
query OneRun($runId: ID!) {
  llmRun(runId: $runId) {
    id
    runId
    revision
    name
    provider
    model
    executionStatus
    errorType
    startedAt
    completedAt
    inputTokens
    outputTokens
    totalTokens
    costUsd
    priceVersion
    promptHash
    responseHash
    agent {
      id
    }
    metadata {
      tenantId
      occurredAt
      recordedAt
      sourceDomain
      sourceComponent
      origin
    }
    trace {
      rootHash
      totalSteps
    }
  }
}
`;

const costliest = `# Finished runs of the real world, the costliest first. A run whose cost is unknown comes last.
query CostliestRuns {
  llmRuns(
    first: 20
    filter: { executionStatus: [SUCCEEDED], isSynthetic: false }
    orderBy: { field: COST, direction: DESC }
  ) {
    filtersApplied
    nodes {
      runId
      model
      costUsd
      totalTokens
      durationMs
    }
  }
}
`;

const comparison = `# Did two executions behave alike, and if not, from which step on?
# Put two traceIds into the variables.
query CompareTraces($left: ID!, $right: ID!) {
  traceComparison(left: { traceId: $left }, right: { traceId: $right }) {
    parity
    leftRootHash
    rightRootHash
    divergence {
      position
      reason
      left {
        skillName
        status
      }
      right {
        skillName
        status
      }
    }
  }
}
`;

const totals = `# How many? A count is made only where it is asked for, and says whether it is exact.
query Totals {
  all: llmRuns(first: 1) {
    totalCount {
      value
      isExact
    }
  }
  failed: llmRuns(first: 1, filter: { executionStatus: [FAILED, TIMEOUT] }) {
    totalCount(cap: 1000) {
      value
      isExact
    }
  }
}
`;

const running = `# What is still under way: traces without a seal, with what is known so far.
query RunningTraces {
  traces(first: 10, filter: { status: [RUNNING] }) {
    nodes {
      traceId
      status
      startedAt
      totalSteps
      totals {
        calls
        totalTokens
        costUsd
      }
    }
  }
}
`;

const frozen = `# ledger.now is a point in the log. Give it to asOf, and pages stay still while new runs arrive.
query LedgerNow {
  viewer {
    actorId
    scopes
    tenant {
      id
    }
  }
  ledger {
    now
  }
}
`;

const evidence = `# The log that holds every record: its newest entries of runs, each with the leaf that its hash is made of.
# Read on with after: resumeAfter. A receipt proves one record without this server.
query Evidence {
  ledger {
    size
    root
    entries(first: 5, kinds: [LLM_RUN]) {
      resumeAfter
      nodes {
        sequence
        kind
        leafHash
        leaf
        record {
          ... on LlmRun {
            runId
            executionStatus
          }
        }
      }
    }
  }
}
`;

const aroundTheMoment = `# What happened around the decisive moment of a run, and what came of it?
# Put a runId into the variables below.
query AroundTheMoment($runId: ID!) {
  llmRun(runId: $runId) {
    runId
    replay(windowSeconds: 60) {
      inflectionRule
      inflectionTimestamp
      truncated
      events {
        timestamp
        source
        stepIndex
        action
        outcome
      }
    }
    incidentEvidence {
      incidentId
      severity
      title
      policy {
        id
        currentActivation {
          confidence
          approvalPath
        }
      }
    }
    export {
      availableFormats
      reason
      complianceTags {
        tag
        reason
      }
    }
  }
}
`;

const activations = `# Which policies came into force, when, and on whose word?
query PolicyActivations {
  policyActivations(first: 20) {
    nodes {
      policyId
      activatedAt
      confidence
      approvalPath
    }
  }
}
`;

export const examples = [
  { query: runsWithSteps },
  { query: oneRun, variables: '{\n  "runId": ""\n}' },
  { query: costliest },
  { query: comparison, variables: '{\n  "left": "",\n  "right": ""\n}' },
  { query: aroundTheMoment, variables: '{\n  "runId": ""\n}' },
  { query: activations },
  { query: totals },
  { query: running },
  { query: frozen },
  { query: evidence },
];
