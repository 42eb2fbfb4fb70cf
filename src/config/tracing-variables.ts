import { parsePath, parseToken } from "./parse-secrets.ts";
import { otlpProtocol, parseCollector, parseOtlpProtocol, parseServiceName } from "./parse.ts";
import { variable } from "./row-spec.ts";

/** What OpenTelemetry calls by its own names, in every program. */
export const tracingVariables = {
  OTEL_SERVICE_NAME: variable({
    parse: parseServiceName,
    fallback: "presto-sidecar",
    example: "payments-presto-sidecar",
    meaning: "`service.name` of each line of the log, and of spans.",
    chart: "env",
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable({
    parse: parseCollector,
    fallbackNote: "no spans",
    example: "http://127.0.0.1:4318",
    meaning:
      "An OpenTelemetry collector that takes OTLP over HTTP (protobuf): a span for each call, and one for each try to send it, go to `/v1/traces` there. The SDK's other variables (`OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_EXPORTER_OTLP_CERTIFICATE`, `OTEL_BSP_…`) are its own.",
    onlyFor: "serving",
    chart: "env",
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: variable({
    parse: parseCollector,
    example: "http://127.0.0.1:4318/v1/traces",
    meaning: "The same, with its path as it stands; it wins.",
    onlyFor: "serving",
    chart: "env",
  }),
  OTEL_EXPORTER_OTLP_PROTOCOL: variable({
    parse: parseOtlpProtocol,
    fallback: otlpProtocol,
    example: otlpProtocol,
    meaning:
      "`http/protobuf`, the one that is spoken here; `grpc` and `http/json`, which other programs beside this one may be told, are refused.",
    onlyFor: "serving",
    chart: "env",
  }),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: variable({
    parse: parseOtlpProtocol,
    example: otlpProtocol,
    meaning: "The same.",
    onlyFor: "serving",
    chart: "env",
  }),
  OTEL_EXPORTER_OTLP_HEADERS: variable({
    parse: parseToken,
    secret: true,
    example: "authorization=Basic%20the-words-of-your-collector",
    meaning: "Fields that are sent to the collector: `name=value`, comma list, percent-encoded.",
    onlyFor: "serving",
  }),
  OTEL_EXPORTER_OTLP_HEADERS_FILE: variable({
    parse: parsePath,
    example: "/run/secrets/collector-headers",
    meaning: "The same from a file, which is read again before spans are sent.",
    onlyFor: "serving",
  }),
};
