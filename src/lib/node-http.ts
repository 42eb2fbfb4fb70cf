/**
 * What the program uses of node:http. An `import` of it reads every export, and some of those
 * (WebSocket, CloseEvent) load Node's own undici at the first look: 40 ms of CPU, half of a
 * health check's (seen on 26.10). Asked for like this it gives only what is used.
 */
export const { createServer, IncomingMessage, request, STATUS_CODES } = process.getBuiltinModule("node:http");
