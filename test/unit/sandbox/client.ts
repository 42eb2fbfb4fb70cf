import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { type Agent, request as httpsRequest } from "node:https";

import type { Sandbox } from "../../../src/sandbox/server.ts";

/** An answer that came whole. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Of whatever shape it came: the expectations are its check. */
  readonly json: ReturnType<typeof JSON.parse>;
}

/** A request by hand, with nothing of the sidecar in it. */
export interface Request {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly agent?: Agent;
  readonly localAddress?: string;
  readonly ca?: string;
  readonly host?: string;
}

export const prefix = "/api/institutions/v1";

/** Calls the API on a connection of its own, with the live token unless `headers` name another. */
export function call(sandbox: Sandbox, path: string, request: Request = {}): Promise<Answer> {
  const body = textOf(request.body);
  const headers: Record<string, string> = {
    authorization: `Bearer ${sandbox.token}`,
    ...(body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": `${Buffer.byteLength(body)}` }),
    ...request.headers,
  };
  return exchange(body, (done) =>
    httpsRequest(
      {
        host: request.host ?? "127.0.0.1",
        servername: "localhost",
        port: sandbox.port,
        path,
        method: request.method ?? (body === undefined ? "GET" : "POST"),
        headers,
        ca: request.ca ?? sandbox.caPem,
        agent: request.agent ?? false,
        ...(request.localAddress === undefined ? {} : { localAddress: request.localAddress }),
      },
      done,
    ),
  );
}

/** Calls the control endpoint. */
export function control(
  sandbox: Sandbox,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const text = textOf(body);
  return exchange(text, (done) =>
    httpRequest(sandbox.controlUrl + path, { method, headers, agent: false }, done),
  );
}

function textOf(body: unknown): string | undefined {
  return body === undefined || typeof body === "string" ? body : JSON.stringify(body);
}

function exchange(
  body: string | undefined,
  open: (done: Parameters<typeof httpRequest>[2]) => ReturnType<typeof httpRequest>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = open((response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson ? JSON.parse(text) : undefined,
        });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** A good order. */
export const order = {
  customer: { identifier_type: "phone", identifier: "218912345678" },
  amount: 10.5,
  currency: "LYD",
};

/** Starts a transaction, and gives its reference. */
export async function init(sandbox: Sandbox): Promise<string> {
  const answer = await call(sandbox, `${prefix}/wallet/init`, { body: order });
  return answer.json.data.transaction_reference;
}

/** Asks for a confirm. */
export function confirm(sandbox: Sandbox, reference: string, request: Request = {}): Promise<Answer> {
  return call(sandbox, `${prefix}/wallet/confirm`, {
    ...request,
    body: { transaction_reference: reference },
  });
}

/** How a call failed: the error's code, or that it did not. For calls that are waited for later. */
export function failure(calling: Promise<Answer>): Promise<unknown> {
  return calling.then(
    ({ status }) => `answered ${status}`,
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );
}
