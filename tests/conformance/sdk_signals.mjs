// The OpenTelemetry SDK sends traces, metrics and logs together to a fresh server, and the run shows its telemetry.
//
//   BASE_URL=http://127.0.0.1:8080 AUTH="Bearer rl_..." node tests/conformance/sdk_signals.mjs
//
// Needs the packages of sdk_signals.package.json: copy it as package.json into a folder, npm install there, and run this from
// a copy beside it. The key needs runs:read, runs:write and system:read. The last line is
// `sdk-signals-js: N passed, N failed, N skipped`.
import { randomUUID } from 'node:crypto'
import { context, trace } from '@opentelemetry/api'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'

const base = process.env.BASE_URL.replace(/\/$/, '')
const headers = process.env.AUTH ? { authorization: process.env.AUTH } : {}
let passed = 0
let failed = 0

function check(name, isRight, detail) {
  isRight ? (passed += 1) : (failed += 1)
  console.log(isRight ? 'ok  ' : 'FAIL', name, isRight ? '' : JSON.stringify(detail))
}

async function query(text, variables) {
  const answer = await fetch(`${base}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: text, variables }),
  })
  return answer.json()
}

async function send() {
  const resource = resourceFromAttributes({
    'service.name': `sdk-js-${randomUUID().slice(0, 8)}`,
    'service.instance.id': randomUUID(),
  })
  const at = (path) => ({ url: `${base}${path}`, headers })
  const tracing = new NodeTracerProvider({
    resource,
    spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter(at('/v1/traces')))],
  })
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(at('/v1/metrics')),
    exportIntervalMillis: 600_000,
  })
  const metering = new MeterProvider({ resource, readers: [reader] })
  // `exporter` is the option of later versions; earlier ones take the exporter itself.
  const logExporter = new OTLPLogExporter(at('/v1/logs'))
  const logging = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor(logExporter)] })
  const meter = metering.getMeter('sdk-signals')
  const span = tracing.getTracer('sdk-signals').startSpan('chat gpt-4o', {
    attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt-4o', 'gen_ai.usage.input_tokens': 3 },
  })
  meter.createCounter('calls', { unit: '{call}' }).add(1)
  meter.createHistogram('gen_ai.client.operation.duration', { unit: 's' }).record(0.25)
  const logger = logging.getLogger('sdk-signals')
  const inSpan = trace.setSpan(context.active(), span)
  logger.emit({ severityNumber: SeverityNumber.INFO, body: 'nothing to see', context: inSpan })
  logger.emit({ severityNumber: SeverityNumber.WARN, body: 'the answer is slow', context: inSpan })
  span.end()
  for (const provider of [tracing, metering, logging]) {
    await provider.forceFlush()
    await provider.shutdown()
  }
  return span.spanContext().traceId
}

const RUN = `query($id: ID!) { llmRun(runId: $id) { system {
  telemetry { status reason availableData series { name points { value histogram { count sum } } } }
  events { events { summary severity correlationId } } } } }`

const traceId = await send()
let run
for (let tries = 0; tries < 120 && !run; tries += 1) {
  run = (await query(RUN, { id: traceId })).data?.llmRun
  if (!run) await new Promise((resolve) => setTimeout(resolve, 500))
}
check('the run is there', run, await query(RUN, { id: traceId }))
if (run) {
  const { telemetry, events } = run.system
  check('telemetry is collected', telemetry.status === 'COLLECTED' && telemetry.reason === null, telemetry)
  check('both metrics', telemetry.availableData.join() === 'calls,gen_ai.client.operation.duration', telemetry.availableData)
  const point = (name) => telemetry.series.find((series) => series.name === name)?.points[0]
  check('the counter', point('calls')?.value === 1, telemetry.series)
  const histogram = point('gen_ai.client.operation.duration')?.histogram
  check('the histogram', histogram?.count === 1 && histogram?.sum === 0.25, telemetry.series)
  const shown = events.events.map((event) => `${event.severity} ${event.summary} ${event.correlationId === traceId}`)
  check('the warning and nothing else', shown.join() === 'WARN the answer is slow true', events)
}
console.log(`sdk-signals-js: ${passed} passed, ${failed} failed, 0 skipped`)
process.exit(failed > 0 ? 1 : 0)
