import { createServer, type IncomingHttpHeaders } from "node:http";

/** A span as it came, in the names of OTLP's trace.proto. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it has none. */
  readonly parentSpanId: string;
  readonly name: string;
  /** 2: server, 3: client. */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** 2: error. */
  readonly status: number;
  /** Attributes of the resource. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

export interface OtlpCollector {
  readonly url: string;
  spans(): readonly CollectedSpan[];
  /** Each request's path and fields. */
  requests(): readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
  /** All that came, as bytes. */
  bytes(): string;
  close(): Promise<void>;
}

/** Plays a collector: takes OTLP over HTTP in protobuf, which it reads by itself. */
export async function startOtlpCollector(status = 200): Promise<OtlpCollector> {
  const bodies: Buffer[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks));
      requests.push({ path: request.url ?? "", headers: request.headers });
      reply.writeHead(status, { "Content-Type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    spans: () => bodies.flatMap(readExport),
    requests: () => requests,
    bytes: () => Buffer.concat(bodies).toString("latin1"),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Fields = ReadonlyMap<number, readonly (Buffer | bigint)[]>;

/** The fields of a protobuf message by number, in the order in which they came. */
function readMessage(bytes: Buffer): Fields {
  const fields = new Map<number, (Buffer | bigint)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const values = fields.get(tag >> 3) ?? [];
    fields.set(tag >> 3, values);
    switch (tag & 7) {
      case 0:
        values.push(varint());
        break;
      case 1:
        values.push(bytes.subarray(at, at + 8));
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        values.push(bytes.subarray(at, at + length));
        at += length;
        break;
      }
      case 5:
        values.push(bytes.subarray(at, at + 4));
        at += 4;
        break;
      default:
        throw new Error(`wire type ${tag & 7} is none of protobuf's`);
    }
  }
  return fields;
}

function messages(fields: Fields, field: number): Fields[] {
  return buffers(fields, field).map(readMessage);
}

function buffers(fields: Fields, field: number): Buffer[] {
  return (fields.get(field) ?? []).filter((value) => Buffer.isBuffer(value));
}

function hex(fields: Fields, field: number): string {
  return buffers(fields, field)[0]?.toString("hex") ?? "";
}

function text(fields: Fields, field: number): string {
  return buffers(fields, field)[0]?.toString("utf8") ?? "";
}

function whole(fields: Fields, field: number): number {
  const value = fields.get(field)?.[0];
  return typeof value === "bigint" ? Number(value) : 0;
}

/** From the nanoseconds of a fixed64. */
function time(fields: Fields, field: number): number {
  return Number((buffers(fields, field)[0]?.readBigUInt64LE() ?? 0n) / 1_000_000n);
}

function attributesOf(fields: Fields, field: number): CollectedSpan["attributes"] {
  return Object.fromEntries(messages(fields, field).map((pair) => [text(pair, 1), anyValue(pair)]));
}

function anyValue(pair: Fields): string | number | boolean {
  const [value] = messages(pair, 2);
  if (value === undefined) return "";
  if (value.has(2)) return whole(value, 2) === 1;
  if (value.has(3)) return whole(value, 3);
  if (value.has(4)) return buffers(value, 4)[0]?.readDoubleLE() ?? 0;
  return text(value, 1);
}

function readExport(body: Buffer): CollectedSpan[] {
  return messages(readMessage(body), 1).flatMap((ofResource) => {
    const resource = messages(ofResource, 1).map((one) => attributesOf(one, 1))[0] ?? {};
    return messages(ofResource, 2)
      .flatMap((ofScope) => messages(ofScope, 2))
      .map((span) => ({
        traceId: hex(span, 1),
        spanId: hex(span, 2),
        parentSpanId: hex(span, 4),
        name: text(span, 5),
        kind: whole(span, 6),
        startMs: time(span, 7),
        endMs: time(span, 8),
        attributes: attributesOf(span, 9),
        status: messages(span, 15).map((one) => whole(one, 3))[0] ?? 0,
        resource,
      }));
  });
}
