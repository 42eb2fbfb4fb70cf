import { randomBytes } from "node:crypto";
import { chmodSync, linkSync, lstatSync, renameSync, type Stats, statSync, unlinkSync } from "node:fs";
import { lstat, unlink } from "node:fs/promises";
import { connect, isIPv6, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { basename, dirname, join } from "node:path";

import { CommandError, systemCode } from "../errors.ts";
import { type BoundListener, formatListenAddress, type ListenAddress, listening } from "./address.ts";

/**
 * Makes a server listen at an address. TCP and Unix sockets alike; an existing socket
 * file is replaced only when nobody answers at it.
 * @throws CommandError `system-refused`, whose message names the address and says what to do
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
  return { address: { ...address, port }, release: async () => {} };
}

function refusal(address: ListenAddress, error: unknown): CommandError {
  const where = formatListenAddress(address);
  return new CommandError("system-refused", `Cannot listen on ${where}: ${reason(systemCode(error))}`, error);
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

/** Was an address refused because this machine speaks nothing of its family? Where IPv6 is turned off by sysctl, the system says no more than that the address is not there. */
export function isFamilyMissing(address: ListenAddress, refused: unknown): boolean {
  if (address.kind === "unix" || !(refused instanceof CommandError)) return false;
  const code = systemCode(refused.cause);
  if (code !== "EADDRNOTAVAIL") return code === "EAFNOSUPPORT";
  const family = isIPv6(address.host) ? "IPv6" : "IPv4";
  return !Object.values(networkInterfaces()).some(
    (bound) => bound?.some((one) => one.family === family) ?? false,
  );
}

type UnixAddress = Extract<ListenAddress, { kind: "unix" }>;

/** `sun_path` of unix(7) has 108 bytes, the last of them zero. */
const longestPath = 107;

/** A listener that is alive but too busy to accept must not be taken for a dead one. */
const answerWithinMs = 1000;

/** How often the path may change under our hands before we give up. */
const attempts = 5;

/**
 * Makes a server listen on a Unix socket whose file has exactly the mode asked for from
 * its first moment.
 *
 * The runtime unlinks the path that it has bound when the server closes, whoever has put
 * whatever there by then (libuv's uv__pipe_close): so it is given a name of its own, and what it
 * has made there is moved to the path. A file that has come to that path meanwhile is not replaced.
 * @throws CommandError `system-refused`: a live listener, a file that is no socket, no folder, a path too long
 */
async function bindUnix(server: Server, address: UnixAddress): Promise<BoundListener> {
  const { path } = address;
  checkPlace(path);
  const made = await listenAtOwnName(server, address);
  try {
    await moveTo(path, made);
  } catch (error) {
    server.close();
    throw error;
  }
  return { address, release: ownedSocket(path) };
}

/** Listens at a name that nobody else knows, beside the path asked for. @returns where */
async function listenAtOwnName(server: Server, address: UnixAddress): Promise<string> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const made = join(dirname(address.path), temporaryName(address.path));
    try {
      await listening(server, () => listenWithMode(server, made, address.mode));
      // A folder with a default ACL ignores the umask (acl(5)).
      if ((lstatSync(made).mode & 0o777) !== address.mode) chmodSync(made, address.mode);
      return made;
    } catch (error) {
      if (systemCode(error) === "EADDRINUSE") continue;
      throw refused(
        address.path,
        `the system refused it (${systemCode(error) ?? "no code"}). Check the folder's owner and mode.`,
        error,
      );
    }
  }
  throw inUse(address.path);
}

/** No longer than the path may be; a short one that is taken is followed by another. */
function temporaryName(path: string): string {
  const room = longestPath - Buffer.byteLength(path) + Buffer.byteLength(basename(path));
  return `.${randomBytes(4).toString("hex")}`.slice(0, Math.max(room, 1));
}

/** Gives the socket its name, in the place of one that nobody listens at. */
async function moveTo(path: string, made: string): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const found = inspect(path);
    if (found !== undefined && (await answers(path)) === "yes") throw inUse(path);
    // From here on nothing waits: two of us that start at the same moment find each other's socket.
    if (removeStale(path, found) && isMoved(path, made)) return;
  }
  throw inUse(path);
}

/** False where something has come to the path: a link, unlike a rename, takes nobody's place. */
function isMoved(path: string, made: string): boolean {
  try {
    linkSync(made, path);
    unlinkSync(made);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return false;
    // Not every file system knows links to sockets. Nothing was there a moment ago.
    if (code === undefined || !noLinks.has(code)) throw refused(path, cannotName(code), error);
  }
  try {
    renameSync(made, path);
    return true;
  } catch (error) {
    throw refused(path, cannotName(systemCode(error)), error);
  }
}

const noLinks: ReadonlySet<string> = new Set(["EPERM", "EMLINK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"]);

function cannotName(code: string | undefined): string {
  return `the socket was made beside it and can't be given this name (${code ?? "no code"}). Check the folder's file system, owner and mode.`;
}

/**
 * Node binds a Unix socket within the call, so the umask holds for this file alone, and
 * no moment exists in which it has a wider mode than asked for. (A chmod afterwards would
 * leave one.) `server.listen`'s own readableAll and writableAll know only 0777.
 */
function listenWithMode(server: Server, path: string, mode: number): void {
  const before = process.umask(0o777 & ~mode);
  try {
    server.listen({ path });
  } finally {
    process.umask(before);
  }
}

function checkPlace(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > longestPath) {
    throw refused(
      path,
      `the path has ${bytes} bytes, and a socket's can have ${longestPath}. Choose a shorter one.`,
    );
  }
  // libuv answers EACCES for a missing folder (uv_pipe_bind), which would send people to look at modes.
  const folder = dirname(path);
  let stats: Stats | undefined;
  try {
    stats = statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    throw refused(
      path,
      `the folder ${folder} can't be looked at (${systemCode(error) ?? "no code"}). Check the modes of the folders above it.`,
      error,
    );
  }
  if (stats === undefined) throw refused(path, `there is no folder ${folder}. Make it first.`);
  if (!stats.isDirectory()) throw refused(path, `${folder} is not a folder. Choose another path.`);
}

function inspect(path: string): Stats | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isSocket()) {
    throw refused(
      path,
      "something that is not a socket is there, and is left alone. Remove it yourself, or choose another path.",
    );
  }
  return stats;
}

/** Does anybody accept at this socket? Only a plain refusal proves that nobody does. */
function answers(path: string): Promise<"yes" | "no"> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const settle = (end: () => void): void => {
      socket.destroy();
      end();
    };
    socket.setTimeout(answerWithinMs, () => settle(() => resolve("yes")));
    socket.once("connect", () => settle(() => resolve("yes")));
    socket.once("error", (error) => {
      const code = systemCode(error);
      if (code === "ECONNREFUSED" || code === "ENOENT") settle(() => resolve("no"));
      // The queue of waiting connections is full: somebody lives there.
      else if (code === "EAGAIN") settle(() => resolve("yes"));
      else {
        const why = `a socket is there, and whether it is in use can't be told (${code ?? "no code"}). Remove it yourself if it is not.`;
        settle(() => reject(refused(path, why, error)));
      }
    });
  });
}

/** False if what is at the path is no longer what was found to be stale. */
function removeStale(path: string, found: Stats | undefined): boolean {
  const now = inspect(path);
  if (now === undefined) return true;
  if (found === undefined || !isSame(now, found)) return false;
  try {
    unlinkSync(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return true;
    throw refused(
      path,
      "a socket that nobody uses is there and can't be removed. Remove it yourself.",
      error,
    );
  }
  return true;
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino && one.ctimeMs === other.ctimeMs;
}

/**
 * Removes the socket at this path if it is still the one that stands there now. While the server
 * listens, the kernel gives nobody else its inode.
 */
function ownedSocket(path: string): () => Promise<void> {
  const made = lstatSync(path);
  return async () => {
    try {
      const now = await lstat(path);
      if (now.dev === made.dev && now.ino === made.ino) await unlink(path);
    } catch {
      // It has gone, or its folder has. A socket that can't be removed is replaced by the next that is bound there.
    }
  };
}

function refused(path: string, why: string, cause?: unknown): CommandError {
  return new CommandError("system-refused", `Cannot listen on unix:${path}: ${why}`, cause);
}

function inUse(path: string): CommandError {
  return refused(path, "another process listens there. Stop it, or choose another path.");
}
