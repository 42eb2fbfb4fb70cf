import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { CommandError } from "../../src/errors.ts";
import type { ListenAddress } from "../../src/listen/address.ts";
import { bindServer } from "../../src/listen/bind.ts";

let folder: string;
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "listen-"));
});

afterEach(async () => {
  for (const server of servers.splice(0)) if (server.listening) await close(server);
  rmSync(folder, { recursive: true, force: true });
});

function newServer(): Server {
  const server = createServer((socket) => socket.on("error", () => {}).end("hello"));
  servers.push(server);
  return server;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  await closed;
}

function unix(name: string, mode = 0o600): ListenAddress {
  return { kind: "unix", path: join(folder, name), mode };
}

async function refusal(binding: Promise<unknown>): Promise<CommandError> {
  const error: unknown = await binding.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CommandError);
  return error as CommandError;
}

async function greeting(path: string): Promise<string> {
  const socket = connect({ path });
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, "close");
  return text;
}

/** Leaves a socket file that nobody listens at, as a killed process does. */
async function leaveStale(path: string): Promise<void> {
  const code = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  const child = spawn(process.execPath, ["-e", code], { stdio: "ignore" });
  await once(child, "exit");
  expect(lstatSync(path).isSocket()).toBe(true);
}

describe("TCP", () => {
  it("tells the port that the system chose", async () => {
    const bound = await bindServer(newServer(), { kind: "tcp", host: "127.0.0.1", port: 0 });
    expect(bound.address).toMatchObject({ kind: "tcp", host: "127.0.0.1" });
    expect(bound.address.kind === "tcp" && bound.address.port).toBeGreaterThan(0);
    await bound.release();
  });

  it("says that another process has the port, and what to do", async () => {
    const { address } = await bindServer(newServer(), { kind: "tcp", host: "127.0.0.1", port: 0 });
    const failure = await refusal(bindServer(newServer(), address));
    expect(failure.code).toBe("system-refused");
    expect(failure.exitCode).toBe(71);
    const port = address.kind === "tcp" ? address.port : 0;
    expect(failure.message).toBe(
      `Cannot listen on 127.0.0.1:${port}: another process listens there, perhaps a sidecar that runs already. Stop it (presto-sidecar quit), or name another port in PRESTO_LISTEN, PRESTO_ADMIN_LISTEN or PRESTO_CONTROL_LISTEN.`,
    );
  });

  it("says that the machine has no such address", async () => {
    const failure = await refusal(bindServer(newServer(), { kind: "tcp", host: "192.0.2.1", port: 0 }));
    expect(failure.message).toContain("this machine has no such address");
  });

  it("leaves no listener of its own on the server", async () => {
    const server = newServer();
    const before = [server.listenerCount("error"), server.listenerCount("listening")];
    await bindServer(server, { kind: "tcp", host: "127.0.0.1", port: 0 });
    expect([server.listenerCount("error"), server.listenerCount("listening")]).toEqual(before);
  });
});

describe("Unix sockets", () => {
  it.each([0o600, 0o660, 0o700])(
    "have mode %o exactly, whatever the umask is, and leave the umask alone",
    async (mode) => {
      for (const umask of [0o000, 0o022, 0o077]) {
        const before = process.umask(umask);
        try {
          const server = newServer();
          const address = unix(`m${umask}`, mode);
          await bindServer(server, address);
          expect(lstatSync(join(folder, `m${umask}`)).mode & 0o777).toBe(mode);
          expect(process.umask(umask)).toBe(umask);
        } finally {
          process.umask(before);
        }
      }
    },
  );

  it("never have a wider mode than asked for, not for a moment", async () => {
    const before = process.umask(0);
    try {
      const server = newServer();
      const binding = bindServer(server, unix("s"));
      // The first moment at which other code can run once the file is there.
      server.prependOnceListener("listening", () => {
        const [made = ""] = readdirSync(folder);
        expect(lstatSync(join(folder, made)).mode & 0o777).toBe(0o600);
      });
      await binding;
      expect(lstatSync(join(folder, "s")).mode & 0o777).toBe(0o600);
      expect.assertions(2);
    } finally {
      process.umask(before);
    }
  });

  it("answer, and are gone after they were released, with nothing left beside them", async () => {
    const server = newServer();
    const bound = await bindServer(server, unix("s"));
    expect(await greeting(join(folder, "s"))).toBe("hello");
    await bound.release();
    await bound.release();
    await close(server);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("are gone although somebody has changed their mode", async () => {
    const bound = await bindServer(newServer(), unix("s"));
    chmodSync(join(folder, "s"), 0o660);
    await bound.release();
    expect(existsSync(join(folder, "s"))).toBe(false);
  });

  it.each<[string, () => Promise<void>]>([
    ["a successor's socket", async () => void (await bindServer(newServer(), unix("s")))],
    ["a plain file", async () => writeFileSync(join(folder, "s"), "precious")],
    [
      "a link",
      async () => {
        writeFileSync(join(folder, "elsewhere"), "precious");
        symlinkSync(join(folder, "elsewhere"), join(folder, "s"));
      },
    ],
  ])("leave %s alone that has taken their place, when they are released and closed", async (_what, put) => {
    const first = newServer();
    const bound = await bindServer(first, unix("s"));
    rmSync(join(folder, "s"));
    await put();
    const { ino } = lstatSync(join(folder, "s"));
    await bound.release();
    await close(first);
    expect(lstatSync(join(folder, "s")).ino).toBe(ino);
  });

  it("are bound in a folder whose path leaves room for hardly more", async () => {
    const deep = join(folder, "d".repeat(107 - folder.length - 4));
    mkdirSync(deep);
    const address: ListenAddress = { kind: "unix", path: join(deep, "s"), mode: 0o600 };
    await bindServer(newServer(), address);
    expect(await greeting(join(deep, "s"))).toBe("hello");
  });

  it("replace a stale socket file", async () => {
    await leaveStale(join(folder, "s"));
    await bindServer(newServer(), unix("s"));
    expect(await greeting(join(folder, "s"))).toBe("hello");
    expect(lstatSync(join(folder, "s")).mode & 0o777).toBe(0o600);
  });

  it("respect a live one", async () => {
    await bindServer(newServer(), unix("s"));
    const failure = await refusal(bindServer(newServer(), unix("s")));
    expect(failure.code).toBe("system-refused");
    expect(failure.message).toContain("another process listens there");
    expect(await greeting(join(folder, "s"))).toBe("hello");
  });

  it("are bound by one alone when many start at the same moment over a stale file", async () => {
    await leaveStale(join(folder, "s"));
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => bindServer(newServer(), unix("s"))),
    );
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    expect(await greeting(join(folder, "s"))).toBe("hello");
  });

  it("never remove a file that is not a socket", async () => {
    writeFileSync(join(folder, "s"), "precious");
    const failure = await refusal(bindServer(newServer(), unix("s")));
    expect(failure.message).toContain("not a socket");
    expect(readFileSync(join(folder, "s"), "utf8")).toBe("precious");
  });

  it("never follow a link to a stale socket", async () => {
    await leaveStale(join(folder, "other"));
    symlinkSync(join(folder, "other"), join(folder, "s"));
    const failure = await refusal(bindServer(newServer(), unix("s")));
    expect(failure.message).toContain("not a socket");
    expect(lstatSync(join(folder, "other")).isSocket()).toBe(true);
  });

  it("say that the path is too long, counting bytes", async () => {
    const fits = unix("é".repeat(Math.floor((107 - folder.length - 1) / 2)));
    await bindServer(newServer(), fits);
    const failure = await refusal(bindServer(newServer(), unix("é".repeat(60))));
    expect(failure.exitCode).toBe(71);
    expect(failure.message).toMatch(/the path has \d+ bytes, and a socket's can have 107/);
  });

  it("say that the folder is missing, or is no folder", async () => {
    expect((await refusal(bindServer(newServer(), unix("none/s")))).message).toContain(
      `there is no folder ${join(folder, "none")}. Make it first.`,
    );
    writeFileSync(join(folder, "file"), "");
    expect((await refusal(bindServer(newServer(), unix("file/s")))).message).toContain("is not a folder");
  });

  it.skipIf(process.getuid?.() === 0)("say that the folder can't be written", async () => {
    mkdirSync(join(folder, "closed"));
    chmodSync(join(folder, "closed"), 0o500);
    const failure = await refusal(bindServer(newServer(), unix("closed/s")));
    expect(failure.message).toContain("Check the folder's owner and mode");
  });
});
