import type { Server } from "node:net";

import { Failure, systemCode } from "../errors.ts";
import { listening, type BoundListener } from "./bound-listener.ts";
import { formatListenAddress, type ListenAddress } from "./listen-address.ts";
import { bindUnix } from "./unix-socket.ts";

/**
 * Makes a server listen at an address. TCP and Unix sockets alike; an existing socket
 * file is replaced only when nobody answers at it.
 * @throws Failure `system-refused`, whose message names the address and says what to do
 */
export async function bindServer(server: Server, address: ListenAddress): Promise<BoundListener> {
  if (address.kind === "unix") return bindUnix(server, address);
  try {
    await listening(server, () => server.listen({ host: address.host, port: address.port, exclusive: true }));
  } catch (error) {
    throw refusal(address, error);
  }
  const bound = server.address();
  const port = bound !== null && typeof bound === "object" ? bound.port : address.port;
  return { address: { ...address, port }, release: () => {} };
}

function refusal(address: ListenAddress, error: unknown): Failure {
  const where = formatListenAddress(address);
  return new Failure("system-refused", `Cannot listen on ${where}: ${reason(systemCode(error))}`, error);
}

function reason(code: string | undefined): string {
  switch (code) {
    case "EADDRINUSE":
      return "another process listens there, perhaps a sidecar that runs already. Stop it (presto-sidecar quit), or name another port in PRESTO_LISTEN, PRESTO_ADMIN_LISTEN or PRESTO_CONTROL_LISTEN.";
    case "EACCES":
    case "EPERM":
      return "the system does not allow this port to this user. Name a port above 1023.";
    case "EADDRNOTAVAIL":
      return "this machine has no such address. Name one that it has, such as 127.0.0.1.";
    case "EAFNOSUPPORT":
      return "this machine does not speak this kind of address (IPv6 may be off). Name an IPv4 address, such as 127.0.0.1.";
    case "EMFILE":
    case "ENFILE":
      return "too many files are open. Raise the limit (ulimit -n).";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "this name has no address. Name an address, such as 127.0.0.1.";
    default:
      return `the system refused it (${code ?? "no code"}). Name another address.`;
  }
}
