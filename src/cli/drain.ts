import { loadListeners } from "../config/load-listeners.ts";
import { CommandError } from "../errors.ts";
import type { ListenAddress } from "../listen/address.ts";
import { type Io, type Run, startTimeLimit, waitUntil } from "./command.ts";
import { getFromAdmin, isNobodyThere, postToControl, readStatus } from "./sidecar-client.ts";

/** Tells the sidecar to drain, and waits until nothing is in flight or queued. */
export const drain: Run = async (args, io) => {
  const limit = startTimeLimit(args, io);
  const { adminListen, controlListen } = loadListeners(io.env);
  await postToControl(io, controlListen, "/drain");
  let calls = 0;
  const isDone = async (): Promise<boolean> => {
    calls = await callsUnderWay(io, adminListen);
    return calls === 0;
  };
  const late = (): string => `The sidecar drains, but ${calls} calls were not done within ${limit.text}.`;
  await waitUntil(io, limit, isDone, late);
  return 0;
};

async function callsUnderWay(io: Io, admin: ListenAddress): Promise<number> {
  try {
    const { under_way: underWay, in_flight: inFlight, queued } = await readStatus(io, admin);
    // Not those in flight and queued alone: a call whose body still comes is sent later.
    if (typeof underWay === "number") return underWay;
    // Versions before it say no more than this.
    if (typeof inFlight === "number" && typeof queued === "number") return inFlight + queued;
  } catch (error) {
    // It ended meanwhile, and its calls with it.
    if (isNobodyThere(error)) return 0;
    throw error;
  }
  throw new CommandError(
    "unexpected",
    "The sidecar does not say how many calls are under way: it is of another version than this command.",
  );
}

/** Tells the sidecar to drain and exit, and waits until it has gone. */
export const quit: Run = async (args, io) => {
  const limit = startTimeLimit(args, io);
  const { adminListen, controlListen } = loadListeners(io.env);
  await postToControl(io, controlListen, "/quit");
  const late = (): string => `The sidecar was told to quit, but had not gone within ${limit.text}.`;
  await waitUntil(io, limit, () => hasGone(io, adminListen), late);
  return 0;
};

/** Gone is only what nobody listens for: an answer that fails in the middle may be a sidecar that is just ending. */
async function hasGone(io: Io, admin: ListenAddress): Promise<boolean> {
  try {
    await getFromAdmin(io, admin, "/livez");
    return false;
  } catch (error) {
    if (error instanceof CommandError && error.code === "unreachable") return isNobodyThere(error);
    throw error;
  }
}
