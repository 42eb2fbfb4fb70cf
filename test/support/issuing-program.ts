import { openIssuingSidecar } from "./issuing-sidecar.ts";
import type { IssuingSidecar } from "./issuing-sidecar.ts";
import type { RunningSidecar } from "./running-sidecar.ts";

/** A program that was started with `start`, as its owner sees it. */
export interface StartedProgram {
  readonly child: { readonly pid?: number | undefined; kill(signal: NodeJS.Signals): boolean };
  /** What it has logged so far. */
  log(): string;
  /** Resolves with its output once it listens, or has ended. */
  listening(): Promise<string>;
  readonly ended: Promise<number | null>;
}

/** A sidecar in a process of its own. */
export interface IssuingProgram extends Omit<IssuingSidecar, "app" | "addresses"> {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Exit code; null if a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Waits until it listens. `close` kills it. */
export async function openIssuingProgram(program: StartedProgram): Promise<IssuingProgram> {
  const output = await program.listening();
  const portOf = (name: string): number =>
    Number(new RegExp(`"${name}":"127\\.0\\.0\\.1:(\\d+)`).exec(output)?.[1] ?? 0);
  if (portOf("admin") === 0) throw new Error(`it does not listen: ${output}`);
  const lines = (): Record<string, unknown>[] =>
    program
      .log()
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => Object.fromEntries(Object.entries(Object(JSON.parse(line)))));
  const port = portOf("listen");
  const adminPort = portOf("admin");
  const control = { kind: "tcp", host: "127.0.0.1", port: portOf("control") } as const;
  const seen: Omit<RunningSidecar, "app"> = {
    addresses: { proxy: [], admin: control, control },
    port,
    adminPort,
    log: program.log,
    lines,
    async close() {
      program.child.kill("SIGKILL");
      await program.ended;
    },
  };
  return {
    ...openIssuingSidecar(seen),
    pid: program.child.pid ?? 0,
    kill: (signal) => void program.child.kill(signal),
    ended: program.ended,
  };
}
