import type { Socket } from "node:net";

/**
 * What the program uses of node:http. An `import` of it reads every export, and some of those
 * (WebSocket, CloseEvent) load Node's own undici at the first look: 40 ms of CPU, half of a
 * health check's (seen on 26.10). Asked for like this it gives only what is used.
 */
export const { createServer, IncomingMessage, request, STATUS_CODES } = process.getBuiltinModule("node:http");

/*
 * Reading from a connection of Node's HTTP server, held and taken up again below its stream. By the events, which
 * Node's server itself listens to, and not by the socket's `pause` and `resume`: to the stream nothing ever stops, so
 * that nobody who resumes it takes the hold off, and none is left on it.
 */

/** Reads nothing more from it, until {@link readOn} or Node's own next resuming (it resumes with each reply that it has written). */
export function stopReading(socket: Socket): void {
  socket.emit("pause");
}

export function readOn(socket: Socket): void {
  socket.emit("resume");
}
