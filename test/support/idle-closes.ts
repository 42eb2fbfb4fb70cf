import { setTimeout as pause } from "node:timers/promises";
import type { TLSSocket } from "node:tls";

import { systemClock } from "../../src/clock.ts";
import type { Connector } from "../../src/connect/connector.ts";
import { Problem } from "../../src/errors.ts";
import { Secret } from "../../src/secret.ts";
import { createToken } from "../../src/token/token.ts";
import type { Response } from "../../src/upstream/call.ts";
import { createConnections } from "../../src/upstream/connections.ts";
import { createSend, type Send } from "../../src/upstream/dispatch.ts";
import { plainCall } from "./plain-call.ts";
import { httpAnswer, type RawPresto } from "./raw-presto.ts";

export interface IdleClosesOptions {
  readonly presto: RawPresto;
  readonly connector: Connector;
  /** After so long the server closes a connection, before its first request and after each. */
  readonly idleMs: number;
  /** Sidecars side by side, each with connections of its own. */
  readonly sidecars: number;
  /** Money calls of each at the very moment of a close, once it has seen one. */
  readonly rounds: number;
}

export interface IdleCloses {
  readonly answered: number;
  readonly notSent: number;
  readonly unknown: number;
  /** Calls for which no connection had to be made. */
  readonly reused: number;
}

/** The server closes within so many milliseconds of the call, before or after. */
const aroundMs = 6;

const token = createToken(new Secret("token-1"), 1);

/**
 * Sidecars that send money calls just when the server closes their connections: at the time
 * after which it closes an idle one, and, for every other sidecar, whenever it closes a spare.
 */
export async function meetCloses(options: IdleClosesOptions): Promise<IdleCloses> {
  const { presto, idleMs, sidecars } = options;
  closeWhenIdle(presto, idleMs);
  const ends = { answered: 0, notSent: 0, unknown: 0, reused: 0 };
  await Promise.all(
    Array.from({ length: sidecars }, async (_, index) => {
      // Side by side, but not all in one turn.
      await pause((index * 2_000) / sidecars);
      await oneSidecar(options, index, ends);
    }),
  );
  return ends;
}

function closeWhenIdle(presto: RawPresto, idleMs: number): void {
  const timers = new WeakMap<TLSSocket, NodeJS.Timeout>();
  const arm = (socket: TLSSocket): void => {
    clearTimeout(timers.get(socket));
    timers.set(
      socket,
      setTimeout(() => socket.end(), idleMs),
    );
  };
  presto.greet(arm);
  presto.answer(({ socket }) => {
    socket.write(httpAnswer(200));
    arm(socket);
  });
}

async function oneSidecar(
  { presto, connector, idleMs, rounds }: IdleClosesOptions,
  index: number,
  ends: { -readonly [Key in keyof IdleCloses]: number },
): Promise<void> {
  let opened = 0;
  const counting: Connector = {
    connect(done) {
      opened += 1;
      return connector.connect(done);
    },
  };
  const origin = { url: presto.url, host: "localhost", port: presto.port };
  const connections = createConnections({
    origin,
    connector: counting,
    connections: 4,
    timeoutMs: 20_000,
    clock: systemClock,
  });
  const send = createSend({ connections, clock: systemClock });
  if (index % 2 === 0) connections.keepSpares(() => true);
  try {
    await moneyCall(send);
    // The server shows its idle time once, and that is enough.
    await pause(idleMs + 500);
    for (let round = 0; round < rounds; round += 1) {
      const before = opened;
      const end = await moneyCall(send);
      ends[end] += 1;
      if (opened === before) ends.reused += 1;
      await pause(idleMs + aroundMs * ((2 * ((index * 7 + round * 3) % 11)) / 10 - 1));
    }
  } finally {
    await connections.destroy();
  }
}

async function moneyCall(send: Send): Promise<"answered" | "notSent" | "unknown"> {
  const call = plainCall(systemClock.monotonic(), 20_000, "wallet.confirm");
  try {
    await new Promise<Response>((answered, failed) => {
      send(call, token, { answered, failed });
    });
    return "answered";
  } catch (error) {
    return error instanceof Problem && error.outcome === "not-sent" ? "notSent" : "unknown";
  }
}
