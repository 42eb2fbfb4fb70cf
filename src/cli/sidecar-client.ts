import type { RequestOptions } from "node:http";

import type { Clock } from "../clock.ts";
import { CommandError, systemCode } from "../errors.ts";
import { type JsonObject, parseObject } from "../lib/json.ts";
import { request } from "../lib/node-http.ts";
import { formatListenAddress, type ListenAddress } from "../listen/address.ts";
import type { Io } from "./command.ts";

/** More than any status page has. */
const mostBytes = 1024 * 1024;

export interface SidecarRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Milliseconds for the whole exchange. */
  readonly withinMs: number;
  readonly clock: Clock;
  /** The variable that names the listener, for the message. */
  readonly variable: "PRESTO_ADMIN_LISTEN" | "PRESTO_CONTROL_LISTEN";
}

export interface SidecarResponse {
  readonly status: number;
  readonly body: string;
}

/**
 * Asks a running sidecar over its admin or control listener.
 * @throws CommandError `unreachable`, with the system's error as its cause, if no whole answer came in time
 */
export function requestSidecar(listener: ListenAddress, call: SidecarRequest): Promise<SidecarResponse> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      timer.cancel();
      reject(unreachable(listener, call, error));
    };
    const outgoing = request({
      ...target(listener),
      method: call.method,
      path: call.path,
      agent: false,
      headers: {
        ...(call.variable === "PRESTO_CONTROL_LISTEN" ? { "Presto-Control": "1" } : {}),
        ...(call.method === "POST" ? { "Content-Length": "0" } : {}),
      },
    });
    const timer = call.clock.after(call.withinMs, () => outgoing.destroy(new Error("no answer in time")));
    outgoing.once("error", fail);
    outgoing.once("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > mostBytes) outgoing.destroy(new Error("the answer is too long to be a sidecar's"));
        else chunks.push(chunk);
      });
      response.once("error", fail);
      response.once("end", () => {
        timer.cancel();
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    outgoing.end();
  });
}

/** True if the failure says that nobody listens there any more, rather than that somebody is slow. */
export function isNobodyThere(error: unknown): boolean {
  if (!(error instanceof CommandError) || error.code !== "unreachable") return false;
  const code = systemCode(error.cause);
  return code === "ECONNREFUSED" || code === "ENOENT";
}

function target(listener: ListenAddress): RequestOptions {
  if (listener.kind === "unix") return { socketPath: listener.path };
  return { host: reachable(listener.host), port: listener.port };
}

/** A server bound to every address is asked on loopback. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function unreachable(listener: ListenAddress, call: SidecarRequest, error: unknown): CommandError {
  const why = systemCode(error) ?? (error instanceof Error ? error.message : "no answer");
  return new CommandError(
    "unreachable",
    `No sidecar answers at ${formatListenAddress(listener)} (${why}). See that it runs, and that ${call.variable} is the same here as there.`,
    error,
  );
}

/** A sidecar on the same machine answers in milliseconds; this is for a machine on its knees. */
const answerWithinMs = 5000;

/**
 * Asks the admin listener.
 * @throws CommandError `unreachable`
 */
export function getFromAdmin(
  io: Io,
  admin: ListenAddress,
  path: string,
  withinMs = answerWithinMs,
): Promise<SidecarResponse> {
  return requestSidecar(admin, {
    method: "GET",
    path,
    withinMs,
    clock: io.clock,
    variable: "PRESTO_ADMIN_LISTEN",
  });
}

/**
 * Asks the control listener, whatever it answers.
 * @throws CommandError `unreachable`
 */
export function requestControl(
  io: Io,
  control: ListenAddress,
  method: SidecarRequest["method"],
  path: string,
): Promise<SidecarResponse> {
  return requestSidecar(control, {
    method,
    path,
    withinMs: answerWithinMs,
    clock: io.clock,
    variable: "PRESTO_CONTROL_LISTEN",
  });
}

/**
 * Asks the control listener to act.
 * @throws CommandError `configuration` if there is none, `unreachable` if nobody answers, `refused` if the sidecar would not
 */
export async function postToControl(io: Io, control: ListenAddress | undefined, path: string): Promise<void> {
  if (control === undefined) {
    throw new CommandError(
      "configuration",
      "PRESTO_CONTROL_LISTEN is off, so there is nobody to tell. Send the process SIGTERM instead, or name a control listener.",
    );
  }
  const response = await requestControl(io, control, "POST", path);
  if (response.status >= 200 && response.status < 300) return;
  const where = formatListenAddress(control);
  throw new CommandError(
    "refused",
    `What listens at ${where} answered ${response.status} to POST ${path}. See that PRESTO_CONTROL_LISTEN names a sidecar's control listener.`,
  );
}

/**
 * The status page of a sidecar, as JSON says it.
 * @throws CommandError `unreachable` if nobody answers, or something that is no sidecar
 */
export async function readStatus(io: Io, admin: ListenAddress): Promise<JsonObject> {
  const response = await getFromAdmin(io, admin, "/status");
  const status = response.status === 200 ? parseObject(response.body) : undefined;
  if (status !== undefined) return status;
  throw new CommandError(
    "unreachable",
    `What answers at ${formatListenAddress(admin)} is no sidecar's admin listener (HTTP ${response.status}). See that PRESTO_ADMIN_LISTEN is right.`,
  );
}
