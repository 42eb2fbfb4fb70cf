import {
  type Attributes,
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

import type { Clock } from "../clock.ts";
import { within } from "../lib/async.ts";
import type { Emit, Warning } from "../lib/events.ts";
import { readTraceId } from "../policy/headers.ts";
import { readSecret, type SecretSource } from "../store/secret-source.ts";
import type { CallFinished, Try } from "../upstream/call.ts";
import type { Subscriber } from "./events.ts";

// Loaded only where spans are asked for: it brings the OpenTelemetry SDK with it (docs/decisions/dependencies.md).

/** Where spans go, and in whose name. */
export interface TracesOptions {
  /** That of the collector for traces. */
  readonly endpoint: string;
  /** `name=value,…`, percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS has it. */
  readonly headers: SecretSource | undefined;
  readonly service: string;
  readonly version: string;
}

export interface TracesDeps {
  readonly clock: Clock;
  readonly emit: Emit<Warning>;
}

/** Spans of calls, sent to a collector by OTLP. */
export interface Traces {
  readonly note: Subscriber;
  /** Sends what is left, for a second at most. */
  close(): Promise<void>;
}

/** Milliseconds for the last spans. */
const closeMs = 1_000;

/**
 * A span for each call, one below it for each try to send it. The caller's `traceparent` is the parent,
 * and says whether it is recorded; a call without one begins a trace. No span names a transaction, a
 * query or anything of a body. One that the collector does not take is lost, and a warning says so once.
 */
export function createTraces(options: TracesOptions, { clock, emit }: TracesDeps): Traces {
  const exporter = new OTLPTraceExporter({
    url: options.endpoint,
    // Asked for before each batch: a file may have changed.
    headers: () => readHeaders(options.headers),
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": options.service,
      "service.version": options.version,
      "process.pid": process.pid,
    }),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new BatchSpanProcessor({ exporter: warnOnce(exporter, emit) })],
  });
  const tracer = provider.getTracer("presto-sidecar", options.version);

  function record(call: CallFinished): void {
    const endedAt = clock.now();
    // The clock that calls are measured by begins somewhere else.
    const offset = endedAt - clock.monotonic();
    const span = tracer.startSpan(
      call.operation === "none" ? "refused call" : call.operation,
      { kind: SpanKind.SERVER, startTime: endedAt - call.totalMs, attributes: callAttributes(call) },
      parentOf(call.traceParent),
    );
    if (call.outcome === "unknown" || call.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    const inside = trace.setSpan(ROOT_CONTEXT, span);
    for (const one of call.tries ?? []) {
      const attributes = tryAttributes(one);
      const startTime = offset + one.startedAt;
      tracer
        .startSpan("send to Presto", { kind: SpanKind.CLIENT, startTime, attributes }, inside)
        .end(offset + one.endedAt);
    }
    span.end(endedAt);
  }

  return {
    note(event) {
      if (event.type === "call-finished") record(event);
    },
    async close() {
      await within(
        clock,
        closeMs,
        provider.shutdown().catch(() => undefined),
      );
    },
  };
}

/** By the names of OpenTelemetry's semantic conventions where it has them. */
function callAttributes(call: CallFinished): Attributes {
  return {
    "http.request.method": call.method,
    "url.path": call.path,
    "http.response.status_code": call.status === 0 ? undefined : call.status,
    "error.type": call.code,
    "presto_sidecar.operation": call.operation,
    "presto_sidecar.outcome": call.outcome,
    "presto_sidecar.request_id": call.requestId,
    "presto_sidecar.generation": call.generation,
    "presto_sidecar.sends": call.sends,
  };
}

function tryAttributes({ wasWritten, status }: Try): Attributes {
  return {
    "http.response.status_code": status === 0 ? undefined : status,
    "presto_sidecar.written": wasWritten,
  };
}

/** What a `traceparent` names (W3C Trace Context, section 3.2); nothing where it is not well-formed. */
function parentOf(traceParent: string | undefined): Context {
  const traceId = readTraceId(traceParent);
  if (traceId === undefined || traceParent === undefined) return ROOT_CONTEXT;
  const [, , spanId = "", flags = ""] = traceParent.split("-");
  const isSampled = (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) !== 0;
  const context = {
    traceId,
    spanId,
    traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  };
  return isSpanContextValid(context) ? trace.setSpanContext(ROOT_CONTEXT, context) : ROOT_CONTEXT;
}

async function readHeaders(source: SecretSource | undefined): Promise<Record<string, string>> {
  if (source === undefined) return {};
  const headers = await readSecret(source, "collector headers");
  const entries = headers
    .reveal()
    .split(",")
    .flatMap((entry) => {
      const at = entry.indexOf("=");
      if (at < 1) return [];
      return [[entry.slice(0, at).trim(), decode(entry.slice(at + 1).trim())] as const];
    });
  return Object.fromEntries(entries);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The SDK tells its own log of a failure, which nobody reads. A collector that is away is told of once, until it takes spans again. */
function warnOnce(exporter: OTLPTraceExporter, emit: Emit<Warning>): SpanExporter {
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        // Its enum stands in a package that is not ours to import; a failure says why.
        const failed = result.error !== undefined;
        if (failed && !isFailing) {
          emit({
            type: "warning",
            message:
              "Spans could not be sent to OTEL_EXPORTER_OTLP_ENDPOINT, and are lost until it takes them; calls go on.",
          });
        }
        isFailing = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}
