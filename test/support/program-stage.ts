import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ask, statusOf } from "./ask.ts";
import { type CliOptions, type CliResult, runCli } from "./built-cli.ts";
import type { DoctorRow } from "./doctor-stage.ts";
import { until } from "./until.ts";
import { watchCli, type WatchedCli } from "./watched-cli.ts";

/** Variables of the environment; undefined takes one away. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What plays Presto, and the certificate that it is trusted by. */
export interface StagePresto {
  readonly url: string;
  readonly caPem: string;
}

/** What the doctor has found. */
export interface Examination {
  readonly code: number | null;
  readonly out: string;
  of(check: string): DoctorRow | undefined;
}

/** A folder in which the built program runs: its CA file and its sockets are there, and its end leaves nothing behind. */
export interface ProgramStage {
  readonly folder: string;
  /** The path of a file in it; those of the listeners' sockets are `proxy`, `admin` and `control`. */
  at(name: string): string;
  /** What the program is given, with these in the place of others. */
  environment(more?: Variables): Variables;
  /** Runs a command to its end. */
  run(argv: readonly string[], more?: Variables, stdin?: string): Promise<CliResult>;
  doctor(more?: Variables): Promise<Examination>;
  /** Starts a sidecar, which the end of the stage kills. */
  start(more?: Variables, how?: Pick<CliOptions, "node" | "nodeArgs" | "stdout">): WatchedCli;
  /** What all that were started have written. */
  output(): string;
  /** Waits until it is ready. */
  ready(): Promise<void>;
  /** Waits until its readiness says this. @returns all that it says */
  readinessSays(text: string): Promise<string>;
  /** What it says at `/status`. */
  status(): ReturnType<typeof statusOf>;
  close(): Promise<void>;
}

/** A busy machine starts a process in seconds. */
export const patience = { withinMs: 60_000, everyMs: 20 } as const;

/** @param env of every program on it, beside what all of them are given */
export async function openProgramStage(presto: StagePresto, env: Variables = {}): Promise<ProgramStage> {
  const folder = await mkdtemp(join(tmpdir(), "program-stage-"));
  const at = (name: string): string => join(folder, name);
  await writeFile(at("ca.pem"), presto.caPem);
  const running: WatchedCli[] = [];

  function environment(more: Variables = {}): Variables {
    return {
      PRESTO_URL: presto.url,
      PRESTO_CA_FILE: at("ca.pem"),
      PRESTO_LISTEN: `unix:${at("proxy")}`,
      PRESTO_ADMIN_LISTEN: `unix:${at("admin")}`,
      PRESTO_CONTROL_LISTEN: `unix:${at("control")}`,
      ...env,
      ...more,
    };
  }

  const run: ProgramStage["run"] = (argv, more, stdin = "") =>
    runCli(argv, { env: environment(more), stdin });
  const output = (): string => running.map(({ out, err }) => out() + err()).join("");

  return {
    folder,
    at,
    environment,
    run,
    async doctor(more) {
      const { code, out } = await run(["doctor", "--json"], more);
      const rows: readonly DoctorRow[] = JSON.parse(out);
      return { code, out, of: (check) => rows.find((row) => row.check === check) };
    },
    start(more, how = {}) {
      const started = watchCli(["start"], { ...how, env: environment(more) });
      running.push(started);
      return started;
    },
    output,
    async ready() {
      await until(async () => ((await ask(at("admin"), "/readyz")).status === 200 ? true : undefined), {
        ...patience,
        what: () => `the sidecar is ready: ${output()}`,
      });
    },
    readinessSays: (text) =>
      until(
        async () => {
          const { text: said } = await ask(at("admin"), "/readyz?verbose");
          return said.includes(text) ? said : undefined;
        },
        { ...patience, what: () => `"${text}": ${output()}` },
      ),
    status: () => statusOf(at("admin")),
    async close() {
      for (const { child, ended } of running.splice(0)) {
        child.kill("SIGKILL");
        await ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
