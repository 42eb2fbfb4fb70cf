import { createServer, type IncomingMessage } from "node:http";

import type { IssuedToken } from "./account.ts";
import { readExpiry, tokenJson } from "./endpoints.ts";
import { type Fault, faultKinds, parseFault } from "./fault-kinds.ts";
import type { SetFault } from "./faults.ts";
import {
  createBody,
  flag,
  InvalidFieldsError,
  invalidReply,
  isObject,
  jsonReply,
  messageReply,
  oneOf,
  optional,
  optionalOrNull,
  parseJson,
  readBytes,
  type Reply,
  type Shape,
} from "./http.ts";
import { type IpFilterOptions, isAddressOrRange, type RateLimit } from "./ip-filter.ts";
import { isLoopbackHost, listen } from "./listener.ts";
import type { SandboxState } from "./state.ts";

/** What can be done to a running sandbox: by its verbs, and by a test in its own process. */
export interface Controlled {
  state(): SandboxState;
  /** As at the start: no transactions, counts or faults; first token, password and settings. */
  reset(): void;
  /** Makes a token as an issue does: every earlier one is dead. `expiresAt`: milliseconds since 1970. */
  mintToken(options?: { readonly name?: string; readonly expiresAt?: number }): IssuedToken;
  /** Kills the live token; its fingerprint, or undefined if none was live. */
  revokeToken(): string | undefined;
  /** Sets a fault. Throws a RangeError that says what is wrong with a bad one. */
  setFault(fault: Fault): SetFault;
  removeFault(id: number): boolean;
  clearFaults(): void;
  settings(): LiveOptions;
  /** Changes settings. Throws a RangeError for a bad one, and changes nothing then. */
  configure(settings: Partial<LiveOptions>): void;
}

/** What a verb is called with. */
export interface ControlCall {
  /** Parsed JSON; undefined if there was no body. */
  readonly body: unknown;
  /** What stood in the place of `{id}`. */
  readonly id: string;
  /** The caller wants the bare text, for a file. */
  readonly plain: boolean;
}

/** A verb, as people read of it and as it is run; docs/sandbox.md has a table that is made from these. */
export interface ControlVerb {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly does: string;
  /** Example of a body, for verbs that read one. */
  readonly example?: string;
  /** Answers; throws an InvalidFieldsError for what the body should not hold. */
  readonly run: (sandbox: Controlled, call: ControlCall, now: number) => Reply;
}

/** Everything that the control endpoint can do. */
export const controlVerbs: readonly ControlVerb[] = [
  {
    method: "GET",
    path: "/",
    does: "Lists these verbs and the kinds of faults.",
    run: () =>
      jsonReply(200, {
        verbs: controlVerbs.map(({ method, path, does, example }) => ({ method, path, does, example })),
        faults: faultKinds,
      }),
  },
  {
    method: "GET",
    path: "/state",
    does: "Shows transactions, executed confirms by reference, requests by path, connections, tokens (as fingerprints) and faults.",
    run: (sandbox) => jsonReply(200, sandbox.state()),
  },
  {
    method: "POST",
    path: "/reset",
    does: "Puts everything back to the start: first token, password and settings, no transactions, counts or faults.",
    run: (sandbox) => {
      sandbox.reset();
      return jsonReply(200, sandbox.state());
    },
  },
  {
    method: "POST",
    path: "/revoke",
    does: "Kills the live token, and shows its fingerprint.",
    run: (sandbox) => jsonReply(200, { revoked: sandbox.revokeToken() ?? null }),
  },
  {
    method: "POST",
    path: "/token",
    does: "Makes a token as an issue does, so that every earlier one is dead. With `Accept: text/plain` the answer is the token alone.",
    example: '{"token_name": "mine", "token_expiration_date": "2030-01-31"}',
    run: mintToken,
  },
  {
    method: "GET",
    path: "/faults",
    does: "Lists the faults that are set.",
    run: (sandbox) => jsonReply(200, { faults: sandbox.state().faults }),
  },
  {
    method: "POST",
    path: "/faults",
    does: "Sets a fault, for all that match or the next `times`; shows its id.",
    example:
      '{"kind": "reset-after-acting", "method": "POST", "path": "/api/institutions/v1/wallet/confirm", "times": 1}',
    run: (sandbox, { body }) => {
      const fault = parseFault(body);
      return jsonReply(201, { id: sandbox.setFault(fault).id, fault });
    },
  },
  {
    method: "DELETE",
    path: "/faults",
    does: "Removes every fault.",
    run: (sandbox) => {
      sandbox.clearFaults();
      return jsonReply(200, { faults: [] });
    },
  },
  {
    method: "DELETE",
    path: "/faults/{id}",
    does: "Removes one fault, and lets go what it holds.",
    run: (sandbox, { id }) =>
      sandbox.removeFault(Number(id))
        ? jsonReply(200, { faults: sandbox.state().faults })
        : messageReply(404, `There is no fault ${id}: it was removed, or is used up.`),
  },
  {
    method: "GET",
    path: "/settings",
    does: "Shows the settings.",
    run: (sandbox) => jsonReply(200, settingsJson(sandbox)),
  },
  {
    method: "POST",
    path: "/settings",
    does: "Changes those that are given: `allowedAddresses` (addresses and CIDRs, null for all), `unregistered` (json, html or reset: what others see), `rate` (null for none), `resetRevokesToken`.",
    example:
      '{"allowedAddresses": ["127.0.0.2"], "unregistered": "html", "rate": {"requests": 10, "perMs": 1000}}',
    run: (sandbox, { body }) => {
      sandbox.configure(parseLiveOptions(body));
      return jsonReply(200, settingsJson(sandbox));
    },
  },
];

function mintToken(sandbox: Controlled, { body, plain }: ControlCall, now: number): Reply {
  if (body !== undefined && !isObject(body))
    throw new InvalidFieldsError({ body: ["The body must be a JSON object, or absent."] });
  const given = createBody(body ?? {});
  const { token_name: name, token_expiration_date: expiry } = given.values;
  const options = {
    ...(name === undefined ? {} : { name: given.text("token_name") }),
    ...(expiry === undefined ? {} : { expiresAt: readExpiry(given, now) }),
  };
  given.check();
  const issued = sandbox.mintToken(options);
  if (plain) return { status: 201, headers: { "content-type": "text/plain" }, body: `${issued.token}\n` };
  return jsonReply(201, { data: tokenJson(issued) });
}

/** JSON has no undefined: what is not limited is null. */
function settingsJson(sandbox: Controlled): object {
  const { allowedAddresses = null, unregistered, rate = null, resetRevokesToken } = sandbox.settings();
  return { allowedAddresses, unregistered, rate, resetRevokesToken };
}

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
  const bytes = await readBytes(request, largestBody);
  if (bytes === "cut") return undefined;
  // A web page that some developer has open must not be able to steer the sandbox.
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (request.headers.origin !== undefined || !isLoopbackHost(host)) {
    return messageReply(
      403,
      "The control endpoint answers no web page: call it on 127.0.0.1, without an Origin header.",
    );
  }
  if (bytes === "too-large") return messageReply(413, "The body is longer than 16 MiB.");
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
  const text = bytes.toString("utf8");
  const body = parseJson(text);
  if (body === undefined && text.trim() !== "") return messageReply(400, "The body is not JSON.");
  const plain = request.headers.accept === "text/plain";
  try {
    return verb.run(sandbox, { body, id: idIn(verb, path) ?? "", plain }, now());
  } catch (error) {
    if (error instanceof InvalidFieldsError) return invalidReply(error.errors);
    throw error;
  }
}

/** What stands for `{id}` in the path, empty where the verb has none; undefined if it is another path. */
function idIn(verb: ControlVerb, path: string): string | undefined {
  if (!verb.path.endsWith("/{id}")) return verb.path === path ? "" : undefined;
  const prefix = verb.path.slice(0, -"{id}".length);
  const id = path.startsWith(prefix) ? path.slice(prefix.length) : "";
  return /^\d+$/.test(id) ? id : undefined;
}

/** What can be changed while the sandbox runs: the control endpoint calls it the settings. */
export interface LiveOptions extends IpFilterOptions {
  /** Whether a password reset kills the live token: the docs leave it open. Default false. */
  readonly resetRevokesToken: boolean;
}

const names = ["allowedAddresses", "unregistered", "rate", "resetRevokesToken"];

/** Reads those that are to change from JSON. Throws an InvalidFieldsError with everything that is wrong with them. */
function parseLiveOptions(input: unknown): Partial<LiveOptions> {
  if (!isObject(input))
    throw new InvalidFieldsError({ settings: [`Settings are an object with any of ${names.join(", ")}.`] });
  const body = createBody(input);
  for (const field of Object.keys(input)) {
    if (!names.includes(field))
      body.refuse(field, `There is no setting ${field}; there are ${names.join(", ")}.`);
  }
  const options: Partial<LiveOptions> = {
    ...optionalOrNull(body, "allowedAddresses", addressList),
    ...optional(body, "unregistered", unregistered),
    ...optionalOrNull(body, "rate", rate),
    ...optional(body, "resetRevokesToken", flag),
  };
  body.check();
  return options;
}

const unregistered = oneOf(["json", "html", "reset"] as const, "json, html or reset");

const addressList: Shape<readonly string[]> = {
  what: "a list of IP addresses and CIDRs such as 127.0.0.0/8, or null for all",
  read: (value) => (isAddressList(value) ? value : undefined),
  unless: [],
};

function isAddressList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && isAddressOrRange(item));
}

const rate: Shape<RateLimit> = {
  what: 'like {"requests": 10, "perMs": 1000, "retryAfter": true}, or null for none',
  read(value) {
    if (!isObject(value)) return undefined;
    const { requests, perMs, retryAfter = true, ...others } = value;
    if (Object.keys(others).length > 0 || typeof retryAfter !== "boolean") return undefined;
    return isCount(requests) && isCount(perMs) ? { requests, perMs, retryAfter } : undefined;
  },
  unless: { requests: 1, perMs: 1, retryAfter: true },
};

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}
