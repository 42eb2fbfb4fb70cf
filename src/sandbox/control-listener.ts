import { createServer, type IncomingMessage } from "node:http";

import { type Controlled, type ControlVerb, controlVerbs } from "./control-verbs.ts";
import { messageReply, type Reply } from "./reply.ts";
import { isLoopbackHost, listen } from "./tcp-door.ts";

const largestBody = 16 * 1024 * 1024;

/** The control endpoint: plain HTTP on 127.0.0.1, JSON in and out. {@link controlVerbs} lists what it does. */
export interface ControlListener {
  /** Resolves with the port. Rejects with a ListenError. */
  open(): Promise<number>;
  /** Cuts every connection and stops. */
  close(): Promise<void>;
}

/** What the endpoint controls, and where. */
export interface ControlListenerOptions {
  readonly sandbox: Controlled;
  /** 0: a free one. */
  readonly port: number;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** Creates the endpoint, closed. */
export function createControlListener({ sandbox, port, now }: ControlListenerOptions): ControlListener {
  const server = createServer((request, response) => {
    void answer(request, sandbox, now).then((reply) => {
      if (reply === undefined) return;
      response.writeHead(reply.status, { ...reply.headers, "content-length": Buffer.byteLength(reply.body) });
      response.end(reply.body);
    });
  });
  return {
    open: () => listen(server, "127.0.0.1", port),
    close: () =>
      new Promise((resolve) => {
        // An error here only says that it was not open.
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  sandbox: Controlled,
  now: () => number,
): Promise<Reply | undefined> {
  const text = await readText(request);
  if (text === undefined) return undefined;
  // A web page that some developer has open must not be able to steer the sandbox.
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (request.headers.origin !== undefined || !isLoopbackHost(host)) {
    return messageReply(
      403,
      "The control endpoint answers no web page: call it on 127.0.0.1, without an Origin header.",
    );
  }
  if (text.length > largestBody) return messageReply(413, "The body is longer than 16 MiB.");
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const verbs = controlVerbs.filter((verb) => idIn(verb, path) !== undefined);
  const verb = verbs.find(({ method }) => method === request.method);
  if (verbs.length === 0) {
    return messageReply(404, `There is no ${path} here. GET / lists what there is.`);
  }
  if (verb === undefined) {
    const allow = verbs.map(({ method }) => method).join(", ");
    return messageReply(405, `${path} has no ${request.method}; it has ${allow}.`, { allow });
  }
  const body = parse(text);
  if (body === notJson) return messageReply(400, "The body is not JSON.");
  const plain = request.headers.accept === "text/plain";
  return verb.run(sandbox, { body, id: idIn(verb, path) ?? "", plain }, now());
}

const notJson = Symbol("not JSON");

function parse(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return notJson;
  }
}

/** What stands for `{id}` in the path, empty where the verb has none; undefined if it is another path. */
function idIn(verb: ControlVerb, path: string): string | undefined {
  if (!verb.path.endsWith("/{id}")) return verb.path === path ? "" : undefined;
  const prefix = verb.path.slice(0, -"{id}".length);
  const id = path.startsWith(prefix) ? path.slice(prefix.length) : "";
  return /^\d+$/.test(id) ? id : undefined;
}

async function readText(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) continue;
      length += chunk.length;
      // Past the limit only its being too long matters; what comes is still read, so that the answer can be.
      if (length <= largestBody + 1) chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString("utf8");
}
