import { createApp } from "../app.ts";
import { loadConfig } from "../config/load.ts";
import { createLog } from "../observe/log.ts";
import type { Run } from "./command.ts";

/** Runs the sidecar until it is told to stop, and then drains it. */
export const start: Run = async (_args, io) => {
  const config = loadConfig(io.env, io.execArgv);
  const log = createLog({ level: config.logLevel, clock: io.clock });
  const stop = Promise.withResolvers<void>();
  if (io.signal.aborted) stop.resolve();
  io.signal.addEventListener("abort", () => stop.resolve(), { once: true });
  const app = await createApp(config, { clock: io.clock, log, onQuit: () => stop.resolve() });
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
    await app.start();
    await stop.promise;
    log.write("info", "The sidecar drains.");
    const end = await app.drain();
    log.write(
      end === "clean" ? "info" : "warn",
      end === "clean" ? "Nothing is in flight any more." : "Calls were cut off at PRESTO_DRAIN_MAX.",
    );
    return end === "clean" ? 0 : 1;
  } finally {
    await app.close();
  }
};
