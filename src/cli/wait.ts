import { loadConsole } from "../config/load-listeners.ts";
import { Failure } from "../errors.ts";
import { isNobodyThere } from "./ask-sidecar.ts";
import type { Run } from "./command.ts";
import { reasons } from "./healthcheck.ts";
import { askAdmin, askEveryMs } from "./sidecar-state.ts";
import { startTimeLimit } from "./time-limit.ts";

/** Asks until the sidecar is ready. */
export const wait: Run = async (args, io) => {
  const limit = startTimeLimit(args, io);
  const admin = loadConsole(io.env).adminListen;
  let reason: string | undefined;
  for (;;) {
    try {
      const answer = await askAdmin(io, admin, "/readyz", Math.max(limit.left(), 1));
      if (answer.status === 200) return 0;
      reason = `It says: ${reasons(answer.body, answer.status)}`;
    } catch (error) {
      // It may not have been started yet.
      if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
      // An answer that our own limit cut off tells less than what was told before.
      if (reason === undefined || isNobodyThere(error)) reason = error.message;
    }
    const left = limit.left();
    if (left === 0) throw new Failure("try-again", `Not ready within ${limit.text}. ${reason}`);
    await io.clock.sleep(Math.min(askEveryMs, left), io.signal);
  }
};
