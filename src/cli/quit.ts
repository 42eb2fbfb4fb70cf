import { loadConsole } from "../config/load-listeners.ts";
import { Failure } from "../errors.ts";
import type { ListenAddress } from "../listen/address.ts";
import { isNobodyThere } from "./ask-sidecar.ts";
import type { Io, Run } from "./command.ts";
import { askAdmin, askEveryMs, tellSidecar } from "./sidecar-state.ts";
import { startTimeLimit } from "./time-limit.ts";

/** Tells the sidecar to drain and exit, and waits until it has gone. */
export const quit: Run = async (args, io) => {
  const limit = startTimeLimit(args, io);
  const { adminListen, controlListen } = loadConsole(io.env);
  await tellSidecar(io, controlListen, "/quit");
  for (;;) {
    if (await hasGone(io, adminListen)) return 0;
    const left = limit.left();
    if (left === 0)
      throw new Failure("try-again", `The sidecar was told to quit, but had not gone within ${limit.text}.`);
    await io.clock.sleep(Math.min(askEveryMs, left), io.signal);
  }
};

/** Gone is only what nobody listens for: an answer that fails in the middle may be a sidecar that is just ending. */
async function hasGone(io: Io, admin: ListenAddress): Promise<boolean> {
  try {
    await askAdmin(io, admin, "/livez");
    return false;
  } catch (error) {
    if (error instanceof Failure && error.code === "unreachable") return isNobodyThere(error);
    throw error;
  }
}
