import type { Certificates } from "./certificates.ts";
import type { Command } from "./child.ts";
import type { Programs } from "./programs.ts";

/** What a target is told. */
export interface Setting {
  readonly programs: Programs;
  readonly certificates: Certificates;
  /** `https://localhost:PORT` */
  readonly upstream: string;
  readonly upstreamPort: number;
  readonly token: string;
  /** Starts what stands in for an OpenTelemetry collector, unless it runs. @returns its address */
  readonly collector: () => string;
  /** Free ports on 127.0.0.1: the proxy's, and two more for those that need them. */
  readonly ports: readonly [proxy: number, second: number, third: number];
  /** A folder of its own. */
  readonly folder: string;
}

/** A proxy that is measured. To measure another one, add a file to targets/ and a row to main.ts. */
export interface Target {
  readonly name: string;
  /** One line for the report. */
  readonly title: string;
  /** Shows what one setting of another target costs: measured at 32 connections, and in nothing else. */
  readonly variant?: true;
  /** Writes its files and answers how to start it; undefined where a program is missing. */
  prepare(setting: Setting): Prepared | undefined;
}

export interface Prepared {
  readonly command: Command;
  /** Answers 200 as soon as it can serve; without one, a proxied call is made. */
  readonly readyUrl?: string;
  /** Started when it is ready, and timed until it ends with 0. */
  readonly healthcheck?: Command;
}
