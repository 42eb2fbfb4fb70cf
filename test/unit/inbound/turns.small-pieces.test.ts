import { Socket } from "node:net";

import { describe, expect, it } from "vitest";

import { createSmallPieces, type SmallPieces } from "../../../src/inbound/turns.ts";
import { settled } from "../../support/hand-clock.ts";

/** Sockets of which it is noted whether they are read. */
function bench(count: number) {
  const stopped = new Set<Socket>();
  const sockets = Array.from({ length: count }, () => {
    const socket = new Socket();
    socket.on("pause", () => void stopped.add(socket));
    socket.on("resume", () => void stopped.delete(socket));
    return socket;
  });
  const pieces = createSmallPieces(new Set(sockets.map((socket) => ({ socket }))));
  return { pieces, sockets, isRead: () => sockets.map((socket) => !stopped.has(socket)) };
}

function come(pieces: SmallPieces, socket: Socket | undefined, count: number): void {
  for (let index = 0; socket !== undefined && index < count; index += 1) pieces.came(socket);
}

describe("bodies in very small pieces", () => {
  it("stop nobody where they are few", async () => {
    const { pieces, sockets, isRead } = bench(2);
    come(pieces, sockets[0], 255);
    come(pieces, sockets[1], 255);
    expect(isRead()).toEqual([true, true]);
    come(pieces, sockets[0], 255);
    expect(isRead()).toEqual([true, true]);
  });

  it("are read one after the other, and all others meanwhile", async () => {
    const { pieces, sockets, isRead } = bench(3);
    come(pieces, sockets[0], 300);
    come(pieces, sockets[1], 300);
    expect(isRead()).toEqual([false, false, true]);
    await settled();
    expect(isRead()).toEqual([true, false, true]);
    come(pieces, sockets[0], 300);
    expect(isRead()).toEqual([false, false, true]);
    await settled();
    expect(isRead()).toEqual([false, true, true]);
    await settled();
    expect(isRead()).toEqual([true, true, true]);
  });

  it("have nobody else read in a turn that has had its pieces, and first of all in the next", async () => {
    const { pieces, sockets, isRead } = bench(4);
    come(pieces, sockets[0], 5_000);
    expect(isRead()).toEqual([false, true, true, true]);
    come(pieces, sockets[1], 5_000);
    expect(isRead()).toEqual([false, false, false, false]);
    await settled();
    expect(isRead()).toEqual([false, false, true, true]);
    come(pieces, sockets[2], 5_000);
    expect(isRead()).toEqual([false, false, false, true]);
    await settled();
    expect(isRead()).toEqual([true, false, false, true]);
  });
});
