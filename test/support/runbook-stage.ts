import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { freePorts } from "./free-ports.ts";
import { openPageShell, type PageShell } from "./page-shell.ts";

// A fleet on one host, as docs/at-3-a-m.md names its parts: `rotator …` and `proxy …` run the built program with
// the variables of the one or the other, and `unit start|stop|kill|restart NAME` is what a service manager is for.

/** Where a runbook is walked. */
export interface RunbookStage extends PageShell {
  readonly folder: string;
  readonly sandbox: Sandbox;
}

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const laterRecord = fileURLToPath(new URL("children/later-record.ts", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Tokens replace each other faster here than they grow old enough to be believed dead (30 s): this Presto's are old. */
const issuedAgoMs = 60 * 60_000;

/** Opens one at which nothing runs yet, and nothing is stored. The shell of a `host` has the variables of one sidecar. */
export async function openRunbookStage(kind: "fleet" | "host" = "fleet"): Promise<RunbookStage> {
  const authority = await createAuthority();
  const sandbox = createSandbox({ authority, issuedAgoMs });
  // Somebody else's server, for pages that tell which address one comes from.
  const mirror = createSandbox({ authority });
  await Promise.all([sandbox.start(), mirror.start()]);
  const folder = await mkdtemp(join(tmpdir(), "runbook-"));
  const at = (...names: readonly string[]): string => join(folder, ...names);
  for (const name of ["bin", "etc", "lib", "log", "run"]) await mkdir(at(name), { mode: 0o700 });

  const [port = 0, api = 0, control = 0] = await freePorts(3);
  const both = {
    PRESTO_URL: sandbox.url,
    PRESTO_CA_FILE: at("etc", "presto-ca.pem"),
    PRESTO_STORE: `file:${at("lib", "token.sealed")}`,
    PRESTO_STORE_KEY_FILE: at("etc", "store.key"),
    PRESTO_TIMEOUT: "8s",
    PRESTO_SETTLE: "2s",
  };
  const units = {
    rotator: {
      ...both,
      PRESTO_ROLE: "rotator",
      PRESTO_CREDENTIALS: `file:${at("lib", "account.sealed")}`,
      PRESTO_ADMIN_LISTEN: `unix:${at("run", "rotator-admin")}`,
      PRESTO_CONTROL_LISTEN: `unix:${at("run", "rotator-control")}`,
      PRESTO_PROBE_EVERY: "1s",
    },
    proxy: {
      ...both,
      PRESTO_ROLE: "proxy",
      PRESTO_LISTEN: `127.0.0.1:${port}`,
      PRESTO_ADMIN_LISTEN: `unix:${at("run", "proxy-admin")}`,
      PRESTO_CONTROL_LISTEN: `unix:${at("run", "proxy-control")}`,
    },
  };
  for (const [name, variables] of Object.entries(units)) {
    const lines = Object.entries(variables).map(([variable, value]) => `${variable}='${value}'`);
    await writeFile(at("etc", `${name}.env`), `${lines.join("\n")}\n`);
    await program(name, `set -a; . '${at("etc", `${name}.env`)}'; set +a\nexec presto-sidecar "$@"`);
  }
  await program("presto-sidecar", `exec '${process.execPath}' '${main}' "$@"`);
  await program("unit", serviceManager(folder));
  await program("later-record", `exec '${process.execPath}' '${laterRecord}' "$@"`);
  await writeFile(at("etc", "presto-ca.pem"), sandbox.caPem);
  await writeFile(at("etc", "account.json"), JSON.stringify(sandbox.account));
  await writeFile(at("etc", "store.key"), `${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });

  function program(name: string, text: string): Promise<void> {
    return writeFile(at("bin", name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  }

  const host = {
    PRESTO_URL: both.PRESTO_URL,
    PRESTO_CA_FILE: both.PRESTO_CA_FILE,
    PRESTO_LISTEN: `127.0.0.1:${port}`,
    PRESTO_ADMIN_LISTEN: `unix:${at("run", "admin")}`,
    PRESTO_CONTROL_LISTEN: `unix:${at("run", "control")}`,
  };
  const shell = openPageShell({
    folder,
    cwd: root,
    env: {
      PATH: `${at("bin")}${delimiter}${process.env["PATH"]}`,
      ETC: at("etc"),
      LIB: at("lib"),
      MIRROR: mirror.url,
      MIRROR_CONTROL: mirror.controlUrl,
      SANDBOX: sandbox.controlUrl,
      ...(kind === "host" ? host : {}),
    },
    instead: [
      ["/etc/presto-sidecar/presto-sidecar.conf", at("etc", "rotator.env")],
      ["/etc/presto-sidecar", at("etc")],
      ["/var/lib/presto-sidecar", at("lib")],
      ["/var/log/presto", at("log")],
      ["127.0.0.1:7380", `127.0.0.1:${port}`],
      ["9443", `${api}`],
      ["9444", `${control}`],
      ["/tmp/presto-sandbox", at("sandbox")],
    ],
    stdin: { account: JSON.stringify(sandbox.account), token: sandbox.token },
  });
  process.once("exit", killUnits);
  let pids: readonly number[] = [];

  async function findUnits(): Promise<void> {
    const files = (await readdir(at("run"))).filter((name) => name.endsWith(".pid"));
    const texts = await Promise.all(files.map((name) => readFile(at("run", name), "utf8")));
    pids = texts.map(Number).filter((pid) => pid > 0);
  }
  function killUnits(): void {
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }

  return {
    folder,
    sandbox,
    async walk(path) {
      try {
        await shell.walk(path);
      } finally {
        await findUnits();
      }
    },
    async close() {
      await shell.close();
      await findUnits();
      killUnits();
      process.removeListener("exit", killUnits);
      await Promise.all([sandbox.close(), mirror.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Its units are files of variables, as of systemd's EnvironmentFile=; a start waits until it listens. */
function serviceManager(folder: string): string {
  return `verb=$1 name=$2 pid='${folder}'/run/$2.pid log='${folder}'/run/$2.log
end() { [ ! -e "$pid" ] || { kill "-$1" "$(cat "$pid")" && while kill -0 "$(cat "$pid")" 2>/dev/null; do sleep 0.05; done; rm -f "$pid"; }; }
begin() {
  "$name" start </dev/null >"$log" 2>&1 &
  echo $! >"$pid"
  until grep -q 'The sidecar listens' "$log"; do
    kill -0 $! 2>/dev/null || { cat "$log"; exit 1; }
    sleep 0.05
  done
}
case $verb in
  start) begin ;;
  stop) end TERM ;;
  kill) end KILL ;;
  restart) end TERM; begin ;;
  log) cat "$log" ;;
esac`;
}
