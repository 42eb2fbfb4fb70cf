import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { isObject, type JsonObject } from "../../src/lib/json.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { recordFiles } from "../support/audited-program.ts";
import { runCli } from "../support/built-cli.ts";
import { createPowerCut } from "../support/power-cut.ts";
import { callOverSocket } from "../support/socket-call.ts";
import { type WatchedCli, watchCli } from "../support/watched-cli.ts";
import type { Books } from "./money-kills-callers.ts";
import { linesIn, tornBehind } from "./money-kills-record.ts";

/** Which of the two sidecars: the one that is killed, or the one beside it. */
export type Place = "first" | "second";

/** One Presto, and the sidecars that take calls to it. */
export interface MoneyHost {
  readonly sandbox: Sandbox;
  readonly books: Books;
  /** Where a sidecar takes calls. */
  socket(place: Place): string;
  /** Resolves when it listens. Rejects with what it said where it does not come to that. */
  start(place: Place, options: LifeOptions): Promise<WatchedCli>;
  /** Replaces Presto's token, and has the sidecars know the new one. */
  replaceToken(): void;
  /** The record's lines, in the order of the chain; none where there is no record. */
  lines(place: Place): readonly JsonObject[];
  /** Does the newest file of the record name that transaction? Cheap. */
  isNamed(reference: string): boolean;
  /** Takes what was not on the disk. No process may write the record. @returns bytes that are lost */
  cutPower(kept: number): number;
  /** Leaves such a part of a further line, from 0 to 1, as a kill in the middle of its write does. No process may write the record. */
  tear(part: number): void;
  /** Does the record end with an unfinished line? */
  isTorn(): boolean;
  /** Has `audit verify` judge a copy of the record as it is now. @returns what it finds wrong */
  verify(place: Place, head: string | undefined): Promise<string | undefined>;
  /** `GET /outcomes` of the control listener. */
  outcomes(place: Place): Promise<Outcomes>;
  /** What a person would be shown: `outcomes --json`. */
  shownOutcomes(place: Place): Promise<Outcomes>;
  /** `GET /status` of the admin listener, as text. */
  status(place: Place): Promise<string>;
  close(): Promise<void>;
}

export interface LifeOptions {
  readonly record: boolean;
  readonly powerCut: boolean;
}

/** What is said of unclear ends. */
export interface Outcomes {
  /** References. */
  readonly open: readonly string[];
  readonly recent: readonly JsonObject[];
}

/** `PRESTO_TIMEOUT` and `PRESTO_SETTLE`. */
export const timeoutMs = 2_000;
export const settleMs = 4_000;
/** What has not been confirmed by then has failed, and can't be confirmed any more. */
const voidAfterMs = 9_000;

/** @param main the program's first file; that of the last build unless given */
export async function createMoneyHost(main: string | undefined): Promise<MoneyHost> {
  const sandbox = createSandbox({ voidAfterMs });
  await sandbox.start();
  const folder = mkdtempSync(join(tmpdir(), "money-kills-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  const at = (name: string): string => join(folder, name);
  for (const place of ["first", "second"]) mkdirSync(at(place), { mode: 0o700 });
  const power = createPowerCut(at("power"));
  const program = main === undefined ? {} : { main };
  let copies = 0;
  writeFileSync(at("ca.pem"), sandbox.caPem);
  writeFileSync(at("token"), sandbox.token, { mode: 0o600 });

  const recordPath = (place: Place): string => at(`${place}/audit.jsonl`);
  /** Of the one that is killed; empty where there is none yet. */
  const newestText = (): string => {
    const path = recordPath("first");
    return existsSync(path) ? readFileSync(path, "latin1") : "";
  };
  const listeners = (place: Place): Record<string, string> => ({
    PRESTO_LISTEN: `unix:${at(`${place}/proxy`)}`,
    PRESTO_ADMIN_LISTEN: `unix:${at(`${place}/admin`)}`,
    PRESTO_CONTROL_LISTEN: `unix:${at(`${place}/control`)}`,
  });

  async function ask(place: Place, listener: "admin" | "control", path: string): Promise<JsonObject> {
    const headers = { "Presto-Control": "1" };
    const reply = await callOverSocket(at(`${place}/${listener}`), { method: "GET", path, headers });
    return reply.kind === "reply" ? reply.body : {};
  }

  return {
    sandbox,
    books: {
      moved: (reference) => sandbox.state().confirms[reference] ?? 0,
      status: (reference) =>
        sandbox.state().transactions.find((one) => one.transaction_reference === reference)?.status ?? "none",
    },
    socket: (place) => at(`${place}/proxy`),
    async start(place, { record, powerCut }) {
      if (powerCut) power.settle(recordPath(place));
      const sidecar = watchCli(["start"], {
        ...program,
        nodeArgs: powerCut ? power.nodeArgs : [],
        env: {
          PRESTO_URL: sandbox.url,
          PRESTO_CA_FILE: at("ca.pem"),
          PRESTO_TOKEN_FILE: at("token"),
          ...listeners(place),
          PRESTO_AUDIT: record ? `file:${recordPath(place)}` : "off",
          PRESTO_TIMEOUT: `${timeoutMs}ms`,
          PRESTO_CONNECT_TIMEOUT: "1s",
          PRESTO_SETTLE: `${settleMs}ms`,
          ...(powerCut ? power.env : {}),
        },
      });
      if ((await sidecar.line(({ listen }) => listen !== undefined)) === undefined)
        throw new Error(`a sidecar did not come to listen: ${sidecar.out()}${sidecar.err()}`);
      return sidecar;
    },
    replaceToken() {
      writeFileSync(at("token"), sandbox.mintToken().token);
    },
    lines: (place) => linesIn(recordFiles(recordPath(place))),
    isNamed: (reference) => newestText().includes(`["${reference}"]`),
    cutPower: (kept) => power.cut(recordPath("first"), kept),
    tear(part) {
      const torn = tornBehind(newestText(), part);
      if (torn !== "") appendFileSync(recordPath("first"), torn);
    },
    isTorn: () => !["", "\n"].includes(newestText().slice(-1)),
    async verify(place, head) {
      copies += 1;
      const copy = at(`copy-${copies}`);
      mkdirSync(copy);
      const files = recordFiles(recordPath(place)).map((file) => {
        const copied = join(copy, basename(file));
        copyFileSync(file, copied);
        return copied;
      });
      // Killed before its first file was there.
      if (files.length === 0) return undefined;
      const anchor = head === undefined ? [] : ["--head", head];
      const { code, out, err } = await runCli(["audit", "verify", ...anchor, ...files], program);
      rmSync(copy, { recursive: true });
      return code === 0 ? undefined : `audit verify ended with ${code}: ${err}${out}`;
    },
    outcomes: async (place) => readOutcomes(await ask(place, "control", "/outcomes")),
    async shownOutcomes(place) {
      const { code, out, err } = await runCli(["outcomes", "--json"], { ...program, env: listeners(place) });
      if (code !== 0) throw new Error(`outcomes ended with ${code}: ${err}`);
      const shown: unknown = JSON.parse(out);
      return readOutcomes(isObject(shown) ? shown : {});
    },
    status: async (place) => JSON.stringify(await ask(place, "admin", "/status")),
    async close() {
      await sandbox.close();
      process.removeListener("exit", remove);
      remove();
    },
  };
}

function readOutcomes({ open, recent }: JsonObject): Outcomes {
  const objectsIn = (list: unknown): JsonObject[] => (Array.isArray(list) ? list.filter(isObject) : []);
  return { open: objectsIn(open).map(({ reference }) => String(reference)), recent: objectsIn(recent) };
}
