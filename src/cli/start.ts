import { type App, createApp } from "../app.ts";
import { describeConfig } from "../config/describe.ts";
import { loadConfig, readLogFormat } from "../config/load.ts";
import type { Config } from "../config/sections.ts";
import { leaveUnanswered } from "../files/stalls.ts";
import { onAbort, within } from "../lib/async.ts";
import { createLog, type Log } from "../observe/log.ts";
import type { Io, Run } from "./command.ts";
import { exitOf } from "./exit.ts";
import { logLook } from "./terminal.ts";

/** Runs the sidecar until it is told to stop, and then drains it. What ends it by failing is a line of the log, too. */
export const start: Run = async (_args, io) => {
  const look = { ...logLook(io, readLogFormat(io.env)), clock: io.clock };
  let log: Log | undefined;
  try {
    const config = loadConfig(io.env, io.execArgv);
    log = createLog({ ...look, level: config.logLevel, service: config.service });
    return await runSidecar(config, log, io);
  } catch (error) {
    const { code, message } = exitOf(error);
    log ??= createLog({ ...look, level: "info" });
    log.write("fatal", message ?? "The sidecar could not go on.", { exit_code: code });
    await log.flush();
    throw error;
  }
};

const drainEnds: Readonly<Record<Awaited<ReturnType<App["drain"]>>, string>> = {
  clean: "Nothing is in flight any more.",
  "cut-off": "Calls were cut off at PRESTO_DRAIN_MAX.",
  "renewal-left":
    "A renewal was not finished by PRESTO_DRAIN_MAX; no call was cut off. The record says what is left of it to the next process.",
};

async function runSidecar(config: Config, log: Log, io: Io): Promise<number> {
  const quit = new AbortController();
  const stop = AbortSignal.any([io.signal, quit.signal]);
  const app = await createApp(config, {
    clock: io.clock,
    log,
    onQuit: () => quit.abort(),
    described: describeConfig(io.env),
  });
  io.beforeExit(app.cutOff);
  io.onHangup(() => {
    app.reload().then(
      (what) => log.write("info", "Read again, as SIGHUP asked.", { what: what.join(", ") }),
      (error: unknown) =>
        log.write(
          "warn",
          "Something could not be read again, as SIGHUP asked; what was in hand stays.",
          {},
          error,
        ),
    );
  });
  try {
    if (!(await hasStarted(app, stop))) {
      log.write("info", "The sidecar was told to stop before it took calls.");
      return 0;
    }
    await new Promise<void>((resolve) => {
      onAbort(stop, () => resolve());
    });
    log.write("info", "The sidecar drains.");
    const end = await app.drain();
    log.write(end === "clean" ? "info" : "warn", drainEnds[end]);
    return end === "clean" ? 0 : 1;
  } finally {
    await closeSoon(app, log, io);
  }
}

/** What is left to be closed takes milliseconds, and a store's server a second at most. */
const closeMs = 4_000;

/**
 * A socket on a mount that hangs can't be removed, and where the runtime's pool has one thread
 * (UV_THREADPOOL_SIZE), whatever hangs there holds up all that comes behind it: the process ends without.
 */
async function closeSoon(app: App, log: Log, { clock }: Io): Promise<void> {
  const closed = app.close().then(() => true as const);
  if ((await within(clock, closeMs, closed)) !== undefined) return;
  leaveUnanswered();
  await app.leaveNotice();
  log.write(
    "warn",
    "Something could not be closed in time, and is left as it is: a file system may not answer.",
  );
  await log.flush();
}

/** False where it was told to stop while it still waited for something: nothing is under way then. */
async function hasStarted(app: App, stop: AbortSignal): Promise<boolean> {
  try {
    await app.start(stop);
    return true;
  } catch (error) {
    if (stop.aborted && error === stop.reason) return false;
    throw error;
  }
}
