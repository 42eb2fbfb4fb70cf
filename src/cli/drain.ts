import { loadConsole } from "../config/load-listeners.ts";
import { Failure } from "../errors.ts";
import type { ListenAddress } from "../listen/address.ts";
import { isNobodyThere } from "./ask-sidecar.ts";
import type { Io, Run } from "./command.ts";
import { askEveryMs, readStatus, tellSidecar } from "./sidecar-state.ts";
import { startTimeLimit } from "./time-limit.ts";

/** Tells the sidecar to drain, and waits until nothing is in flight or queued. */
export const drain: Run = async (args, io) => {
  const limit = startTimeLimit(args, io);
  const { adminListen, controlListen } = loadConsole(io.env);
  await tellSidecar(io, controlListen, "/drain");
  for (;;) {
    const calls = await callsUnderWay(io, adminListen);
    if (calls === 0) return 0;
    const left = limit.left();
    if (left === 0)
      throw new Failure(
        "try-again",
        `The sidecar drains, but ${calls} calls were not done within ${limit.text}.`,
      );
    await io.clock.sleep(Math.min(askEveryMs, left), io.signal);
  }
};

async function callsUnderWay(io: Io, admin: ListenAddress): Promise<number> {
  try {
    const { in_flight: inFlight, queued } = await readStatus(io, admin);
    if (typeof inFlight === "number" && typeof queued === "number") return inFlight + queued;
  } catch (error) {
    // It ended meanwhile, and its calls with it.
    if (isNobodyThere(error)) return 0;
    throw error;
  }
  throw new Failure(
    "unexpected",
    "The sidecar does not say how many calls are in flight: it is of another version than this command.",
  );
}
