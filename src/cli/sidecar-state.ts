import { Failure } from "../errors.ts";
import { formatListenAddress, type ListenAddress } from "../listen/address.ts";
import { type Answer, askSidecar } from "./ask-sidecar.ts";
import type { Io } from "./command.ts";

/** A sidecar on the same machine answers in milliseconds; this is for a machine on its knees. */
const answerWithinMs = 5000;

/** How often a command that waits asks again. */
export const askEveryMs = 200;

/**
 * Asks the admin listener.
 * @throws Failure `unreachable`
 */
export function askAdmin(
  io: Io,
  admin: ListenAddress,
  path: string,
  withinMs = answerWithinMs,
): Promise<Answer> {
  return askSidecar(admin, {
    method: "GET",
    path,
    withinMs,
    clock: io.clock,
    variable: "PRESTO_ADMIN_LISTEN",
  });
}

/**
 * Asks the control listener to act.
 * @throws Failure `configuration` if there is none, `unreachable` if nobody answers, `refused` if the sidecar would not
 */
export async function tellSidecar(io: Io, control: ListenAddress | undefined, path: string): Promise<void> {
  if (control === undefined) {
    throw new Failure(
      "configuration",
      "PRESTO_CONTROL_LISTEN is off, so there is nobody to tell. Send the process SIGTERM instead, or name a control listener.",
    );
  }
  const question = {
    method: "POST",
    path,
    withinMs: answerWithinMs,
    clock: io.clock,
    variable: "PRESTO_CONTROL_LISTEN",
  } as const;
  const answer = await askSidecar(control, question);
  if (answer.status >= 200 && answer.status < 300) return;
  const where = formatListenAddress(control);
  throw new Failure(
    "refused",
    `What listens at ${where} answered ${answer.status} to POST ${path}. See that PRESTO_CONTROL_LISTEN names a sidecar's control listener.`,
  );
}

/**
 * The status page of a sidecar, as JSON says it.
 * @throws Failure `unreachable` if nobody answers, or something that is no sidecar
 */
export async function readStatus(io: Io, admin: ListenAddress): Promise<Readonly<Record<string, unknown>>> {
  const answer = await askAdmin(io, admin, "/status");
  const status = answer.status === 200 ? parseObject(answer.body) : undefined;
  if (status !== undefined) return status;
  throw new Failure(
    "unreachable",
    `What answers at ${formatListenAddress(admin)} is no sidecar's admin listener (HTTP ${answer.status}). See that PRESTO_ADMIN_LISTEN is right.`,
  );
}

/** A JSON object; undefined for any other text. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isObject(value) ? value : undefined;
}

/** A JSON object, rather than a list, null or a plain value. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
