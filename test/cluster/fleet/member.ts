import { join } from "node:path";

import { ask, type Asked } from "../../support/ask.ts";
import { watchCli, type WatchedCli } from "../../support/watched-cli.ts";
import type { FleetRole } from "./place.ts";

export interface MemberOptions {
  readonly role: FleetRole;
  /** From 1. */
  readonly number: number;
  /** Where its sockets are. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** One of the fleet: the built program, started again and again under one name, as a Pod's container is. */
export interface Member {
  readonly name: string;
  readonly role: FleetRole;
  readonly proxy: string;
  readonly admin: string;
  /** The name under which its present process issues tokens. */
  issuesAs(): string;
  env(): Readonly<Record<string, string>>;
  cli(): WatchedCli;
  start(): void;
  /** kill -9. */
  kill(): Promise<void>;
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  renew(query: string): Promise<Asked>;
}

export function createMember({ role, number, folder, env }: MemberOptions): Member {
  const name = `${role}-${number}`;
  const at = (socket: string): string => join(folder, `${name}.${socket}`);
  let starts = 0;
  let running: WatchedCli | undefined;

  const cli = (): WatchedCli => {
    if (running === undefined) throw new Error(`${name} does not run`);
    return running;
  };
  const issuesAs = (): string => `${name}-${starts}`;
  const variables = (): Readonly<Record<string, string>> => ({
    ...env,
    PRESTO_ROLE: role,
    POD_NAME: name,
    PRESTO_ADMIN_LISTEN: `unix:${at("admin")}`,
    PRESTO_CONTROL_LISTEN: `unix:${at("control")}`,
    ...(role === "proxy"
      ? { PRESTO_LISTEN: `unix:${at("proxy")}`, PRESTO_LOG_LEVEL: "warn" }
      : { PRESTO_TOKEN_NAME: issuesAs(), PRESTO_LOG_LEVEL: "debug" }),
  });
  return {
    name,
    role,
    proxy: at("proxy"),
    admin: at("admin"),
    issuesAs,
    env: variables,
    cli,
    start() {
      starts += 1;
      running = watchCli(["start"], { env: variables() });
    },
    async kill() {
      // One that was stopped dies too.
      running?.child.kill("SIGKILL");
      await running?.ended;
    },
    signal: (signal) => void cli().child.kill(signal),
    renew: (query) => ask(at("control"), `/renew?${query}`, "POST"),
  };
}
