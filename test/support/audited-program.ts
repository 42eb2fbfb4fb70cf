import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import type { Sandbox } from "../../src/sandbox/server.ts";
import { type CliOptions, startCli } from "./built-cli.ts";
import { until } from "./until.ts";
import { walletPaths } from "./wallet-call.ts";

/** What a caller was told of a call. */
export interface Told {
  readonly status: number;
  /** `Presto-Outcome`; undefined where the connection ended without a reply. */
  readonly outcome: string | undefined;
  readonly body: Record<string, unknown>;
}

/** The built program, serving, with a record of money calls. */
export interface AuditedProgram {
  readonly pid: number;
  /** Standard output so far. */
  log(): string;
  begin(): Promise<string>;
  confirm(reference: string): Promise<Told>;
  query(reference: string): Promise<Told>;
  kill(signal: NodeJS.Signals): Promise<number | null>;
  readonly ended: Promise<number | null>;
}

export interface AuditedOptions extends Omit<CliOptions, "env"> {
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it; rejects with what it said where it does not come to listen. */
export async function startAudited(
  sandbox: Sandbox,
  caFile: string,
  audit: string,
  { env = {}, ...options }: AuditedOptions = {},
): Promise<AuditedProgram> {
  const running = startCli(["start"], {
    ...options,
    env: {
      PRESTO_URL: sandbox.url,
      PRESTO_CA_FILE: caFile,
      PRESTO_TOKEN: sandbox.token,
      PRESTO_LISTEN: "127.0.0.1:0",
      PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
      PRESTO_CONTROL_LISTEN: "off",
      PRESTO_AUDIT: audit,
      ...env,
    },
  });
  let isOver = false;
  void running.ended.then(() => {
    isOver = true;
  });
  const listen = await until(
    () => {
      if (isOver) throw new Error(`it ended: ${running.out()}${running.err()}`);
      return /"listen":"([^"]+)"/.exec(running.out())?.[1];
    },
    { withinMs: 30_000, what: () => `it listens: ${running.out()}${running.err()}` },
  );

  async function call(path: string, init?: RequestInit): Promise<Told> {
    try {
      const response = await fetch(`http://${listen}${path}`, init);
      const text = await response.text();
      return {
        status: response.status,
        outcome: response.headers.get("presto-outcome") ?? undefined,
        body: text.startsWith("{") ? { ...JSON.parse(text) } : {},
      };
    } catch {
      return { status: 0, outcome: undefined, body: {} };
    }
  }
  const post = (path: string, body: object): Promise<Told> =>
    call(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });

  return {
    pid: running.child.pid ?? 0,
    log: running.out,
    async begin() {
      const customer = { identifier_type: "phone", identifier: "218910000000" };
      const { body } = await post(walletPaths.init, { customer, amount: 10.5, currency: "LYD" });
      return String(Reflect.get(Object(body["data"]), "transaction_reference"));
    },
    confirm: (reference) => post(walletPaths.confirm, { transaction_reference: reference }),
    query: (reference) => call(`${walletPaths.transaction}/${reference}`),
    kill(signal) {
      running.child.kill(signal);
      return running.ended;
    },
    ended: running.ended,
  };
}

/** The record's files at a path, without those of commands. */
export function recordFiles(path: string): string[] {
  return readdirSync(dirname(path))
    .filter((name) => name === basename(path) || /^\.\d{6}$/.test(name.slice(basename(path).length)))
    .map((name) => join(dirname(path), name));
}

/** Its whole lines, parsed, in the order of the chain. */
export function recordLines(path: string): Record<string, unknown>[] {
  return recordFiles(path)
    .flatMap((file) => readFileSync(file, "utf8").split("\n").slice(0, -1))
    .map((line): Record<string, unknown> => ({ ...JSON.parse(line) }))
    .toSorted((one, other) => Number(one["seq"]) - Number(other["seq"]));
}
