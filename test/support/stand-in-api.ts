import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

import { type Authority, createAuthority } from "../../src/sandbox/certificates.ts";
import type { ClusterOptions } from "../../src/store/kubernetes/cluster.ts";
import { createStandInLeases, type StandInLeases } from "./stand-in-leases.ts";

/** A Secret, as far as anything is done with it. */
export interface StandInSecret {
  readonly apiVersion: "v1";
  readonly kind: "Secret";
  readonly metadata: Record<string, unknown>;
  readonly data?: Record<string, string>;
  readonly immutable?: boolean;
}

/** A request, as it came. */
export interface SeenRequest {
  readonly method: string;
  readonly url: URL;
  readonly authorization: string | undefined;
  readonly body: string;
  readonly socket: Socket;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** Answers in the place of the API server; false: it answers by itself. */
export type Override = (request: SeenRequest, response: ServerResponse) => boolean;

/**
 * Stands in for a Kubernetes API server: as much of Leases, of Secrets and their watch as was seen of the
 * real one. It can do what a real one does seldom.
 */
export interface StandInApi {
  readonly url: string;
  readonly port: number;
  readonly authority: Authority;
  readonly seen: SeenRequest[];
  override: Override | undefined;
  /** Options that lead to it, with a token by value. */
  cluster(files: { readonly kubeconfig: string }): ClusterOptions;
  /** Text of a kubeconfig that leads to it. */
  kubeconfig(user?: object, cluster?: object): string;
  /** Puts a Secret's data there as anybody could, or makes it. */
  put(name: string, data: Record<string, string>, more?: Partial<StandInSecret>): void;
  remove(name: string): void;
  secret(name: string): StandInSecret | undefined;
  readonly leases: StandInLeases;
  /** Watches that are open. */
  watches(): number;
  /** Ends all watches: by themselves, by a cut, or by an error within the stream. */
  endWatches(how: "end" | "cut" | "expired"): void;
  /** Tells all watches of a Secret something, whether or not it is so. */
  say(event: object): void;
  /** Events that are older than this moment are forgotten: whoever would begin before it gets 410. */
  forget(): void;
  close(): Promise<void>;
}

interface Watch {
  readonly name: string | undefined;
  readonly response: ServerResponse;
}

interface Event {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: StandInSecret;
  readonly version: number;
}

export async function startStandInApi(): Promise<StandInApi> {
  const authority = await createAuthority({ name: "stand-in cluster" });
  const serving = await authority.issue();
  const secrets = new Map<string, StandInSecret>();
  const leases = createStandInLeases();
  const watches = new Set<Watch>();
  const sockets = new Set<Socket>();
  const seen: SeenRequest[] = [];
  let events: Event[] = [];
  let version = 100;
  let oldest = 0;

  const server = createServer({ cert: serving.certPem, key: serving.keyPem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answer(request, response, Buffer.concat(chunks).toString("utf8")));
  });
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = portOf(server.address());
  const url = `https://127.0.0.1:${port}`;

  function store(type: Event["type"], name: string, object: StandInSecret | undefined): StandInSecret {
    version += 1;
    const before = object ?? secrets.get(name);
    if (before === undefined) throw new Error(`there is no Secret ${name}`);
    const stored = { ...before, metadata: { ...before.metadata, resourceVersion: `${version}` } };
    if (object === undefined) secrets.delete(name);
    else secrets.set(name, stored);
    const event = { type, object: stored, version };
    events.push(event);
    for (const watch of watches) if (watch.name === name) tell(watch, event);
    return stored;
  }

  function create(name: string, more: Partial<StandInSecret>): StandInSecret {
    const metadata = { ...more.metadata, name, uid: randomUUID() };
    return store("ADDED", name, { apiVersion: "v1", kind: "Secret", ...more, metadata });
  }

  function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const said: SeenRequest = {
      method: request.method ?? "",
      url: new URL(request.url ?? "/", url),
      authorization: request.headers.authorization,
      body,
      socket: request.socket,
      at: performance.now(),
    };
    seen.push(said);
    if (api.override?.(said, response) === true) return;
    const [, , group, , ...rest] = said.url.pathname.split("/");
    if (group === "coordination.k8s.io") {
      const { status, json } = leases.answer(said.method, rest[3] ?? "", body);
      reply(response, status, json);
      return;
    }
    const [namespace, kind, name] = rest;
    if (kind !== "secrets" || namespace === undefined) {
      refuse(response, 404, "NotFound");
    } else if (said.url.searchParams.has("watch")) watch(said, response);
    else if (said.method === "POST") post(response, body);
    else if (name !== undefined) one(said.method, name, response, body);
  }

  function post(response: ServerResponse, body: string): void {
    const object: StandInSecret = JSON.parse(body);
    const name = String(object.metadata["name"]);
    if (secrets.has(name)) refuse(response, 409, "AlreadyExists");
    else reply(response, 201, create(name, object));
  }

  function one(method: string, name: string, response: ServerResponse, body: string): void {
    const there = secrets.get(name);
    if (there === undefined) refuse(response, 404, "NotFound", { kind: "secrets", name });
    else if (method === "GET") reply(response, 200, there);
    else {
      const object: StandInSecret = JSON.parse(body);
      const expected = object.metadata["resourceVersion"];
      if (expected !== undefined && expected !== there.metadata["resourceVersion"]) {
        refuse(response, 409, "Conflict");
      } else reply(response, 200, store("MODIFIED", name, object));
    }
  }

  function watch({ url: asked }: SeenRequest, response: ServerResponse): void {
    const name = asked.searchParams.get("fieldSelector")?.replace("metadata.name=", "");
    const from = asked.searchParams.get("resourceVersion");
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    const mine = { name, response };
    if (from !== null && Number(from) < oldest) {
      response.end(expired);
      return;
    }
    watches.add(mine);
    response.on("close", () => watches.delete(mine));
    const there = secrets.get(name ?? "");
    const missed =
      from === null
        ? there === undefined
          ? []
          : [{ type: "ADDED", object: there, version } as const]
        : events.filter((event) => event.version > Number(from) && event.object.metadata["name"] === name);
    for (const event of missed) tell(mine, event);
  }

  const api: StandInApi = {
    url,
    port,
    authority,
    seen,
    override: undefined,
    cluster: ({ kubeconfig }) => ({
      kubeconfig: [kubeconfig],
      host: undefined,
      port: undefined,
      environment: {},
    }),
    kubeconfig: (user = { token: "MARKED-token" }, cluster = {}) =>
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "test",
        clusters: [
          {
            name: "stand-in",
            cluster: {
              server: url,
              "certificate-authority-data": Buffer.from(authority.certPem).toString("base64"),
              ...cluster,
            },
          },
        ],
        users: [{ name: "me", user }],
        contexts: [{ name: "test", context: { cluster: "stand-in", user: "me" } }],
      }),
    put(name, data, more = {}) {
      const there = secrets.get(name);
      if (there === undefined) create(name, { ...more, data });
      else store("MODIFIED", name, { ...there, ...more, data });
    },
    remove: (name) => void store("DELETED", name, undefined),
    secret: (name) => secrets.get(name),
    leases,
    watches: () => watches.size,
    endWatches(how) {
      for (const { response } of watches) {
        if (how === "cut") response.socket?.destroy();
        else response.end(how === "expired" ? expired : "");
      }
    },
    say(event) {
      for (const { response } of watches) response.write(`${JSON.stringify(event)}\n`);
    },
    forget() {
      oldest = version + 1;
      events = [];
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return api;
}

const expired = `${JSON.stringify({
  type: "ERROR",
  object: { kind: "Status", status: "Failure", reason: "Expired", code: 410 },
})}\n`;

function tell({ response }: Watch, { type, object }: Event): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

export function reply(response: ServerResponse, status: number, json: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(json));
}

/** What a refusal says: status, reason, details, message. */
export type Refusal = readonly [status: number, reason: string, details?: object, message?: string];

/** A refusal, as an API server tells of it. */
export function refuse(
  response: ServerResponse,
  ...[status, reason, details = {}, message = ""]: Refusal
): void {
  reply(response, status, { kind: "Status", status: "Failure", reason, code: status, details, message });
}

function portOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === "string") throw new Error("no port");
  return address;
}
