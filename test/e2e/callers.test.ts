import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import type { RunningCli } from "../support/built-cli.ts";
import { freePort } from "../support/free-ports.ts";
import { openProgramStage, patience, type ProgramStage } from "../support/program-stage.ts";
import { until } from "../support/until.ts";
import { walletPaths } from "../support/wallet-call.ts";

// The programs of docs/callers.md, as they stand there: each tops a wallet up through the built sidecar, and
// says what became of it.

const examples = fileURLToPath(new URL("../../docs/examples/callers/", import.meta.url));
// Fetched by tools/ci/callers.sh.
const fetched = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "presto-sidecar", "callers");
const python = join(fetched, "python", "bin", "python");
const jars = join(fetched, "spring", "*");

let sandbox: Sandbox;
let stage: ProgramStage;
let sidecar: RunningCli;
let url: string;

/** A program of the page. */
interface Caller {
  /** Its folder. */
  readonly name: string;
  /** Whether what it needs is on this machine. */
  readonly isHere: boolean;
  /** What ends with 0 where its language is. */
  readonly language: readonly string[];
  /** Makes what is run, in a folder that the end takes away. */
  readonly build?: (into: string) => readonly string[];
  readonly command: (built: string) => readonly string[];
  /** It takes the path of a Unix socket, too. */
  readonly takesSockets: boolean;
}

const has = (...command: readonly string[]): boolean => {
  const [program = "", ...args] = command;
  return spawnSync(program, args).status === 0;
};
const from = (path: string): string => join(examples, path);
const java = [
  "java",
  // It ends before more would pay.
  "-XX:TieredStopAtLevel=1",
  // Nobody listens there: who asked it would fail.
  "-Dhttp.proxyHost=127.0.0.1",
  "-Dhttp.proxyPort=9",
  // Empty: else the loopback is left out.
  "-Dhttp.nonProxyHosts=",
];

const callers: readonly Caller[] = [
  {
    name: "requests",
    isHere: existsSync(python),
    language: ["python3", "--version"],
    command: () => [python, from("requests/top_up.py")],
    takesSockets: false,
  },
  {
    name: "httpx",
    isHere: existsSync(python),
    language: ["python3", "--version"],
    command: () => [python, from("httpx/top_up.py")],
    takesSockets: true,
  },
  {
    name: "node",
    isHere: true,
    language: ["node", "--version"],
    command: () => [process.execPath, from("node/top-up.mjs")],
    takesSockets: true,
  },
  {
    name: "java",
    isHere: has("javac", "--version"),
    language: ["javac", "--version"],
    build: (into) => ["javac", "-d", join(into, "java"), from("java/TopUp.java")],
    command: (built) => [...java, "-cp", join(built, "java"), "TopUp"],
    takesSockets: false,
  },
  {
    name: "spring",
    isHere: existsSync(join(fetched, "spring")) && has("javac", "--version"),
    language: ["mvn", "--version"],
    build: (into) => ["javac", "-cp", jars, "-d", join(into, "spring"), from("spring/TopUp.java")],
    command: (built) => [...java, "-cp", `${join(built, "spring")}:${jars}`, "TopUp"],
    takesSockets: false,
  },
  {
    name: "go",
    isHere: has("go", "version"),
    language: ["go", "version"],
    build: (into) => ["go", "build", "-o", join(into, "top-up-go"), from("go/main.go")],
    command: (built) => [join(built, "top-up-go")],
    takesSockets: true,
  },
  {
    name: "php",
    isHere: has("php", "-r", "exit(function_exists('curl_init') ? 0 : 1);"),
    language: ["php", "--version"],
    command: () => ["php", from("php/top-up.php")],
    takesSockets: true,
  },
  {
    name: "curl",
    isHere: has("curl", "--version"),
    language: ["curl", "--version"],
    command: () => ["sh", from("curl/top-up.sh")],
    takesSockets: true,
  },
];
// In CI its libraries are there where the language is (tools/ci/callers.sh).
const here = callers.filter(
  ({ isHere, language }) => isHere || (process.env["CI"] !== undefined && has(...language)),
);
const missing = callers.filter((caller) => !here.includes(caller)).map(({ name }) => name);

// As above, for the others.
const proxies = Object.fromEntries(
  ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].map((name) => [name, "http://127.0.0.1:9"]),
);

interface Ended {
  readonly name: string;
  /** `paid`, `refused`, `not-sent` or `ask`; or how it failed. */
  readonly end: string;
  readonly reference: string;
}

async function run(command: readonly string[]): Promise<string> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { env: { ...process.env, ...proxies, GO111MODULE: "off" } });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${child.exitCode}: ${err}`);
  return out.trim();
}

/** Lets each of them top up once, all at the same time. */
function topUps(where: "url" | "socket" = "url"): Promise<readonly Ended[]> {
  const able = here.filter(({ takesSockets }) => where === "url" || takesSockets);
  return Promise.all(
    able.map(async ({ name, command }) => {
      const ended = run([...command(stage.folder), where === "url" ? url : stage.at("proxy")]);
      // What one does wrong must not hide the others.
      const [end = "", reference = ""] = await ended.then(
        (said) => said.split(" "),
        (error: unknown) => [String(error)],
      );
      return { name, end, reference };
    }),
  );
}

/** How often the money of each has moved. */
const movements = (ended: readonly Ended[]): readonly (number | undefined)[] =>
  ended.map(
    ({ reference }) =>
      sandbox.state().transactions.find((known) => known.transaction_reference === reference)?.confirms,
  );

beforeAll(async () => {
  sandbox = createSandbox();
  await sandbox.start();
  const port = await freePort();
  url = `http://localhost:${port}`;
  stage = await openProgramStage(sandbox, { PRESTO_TOKEN: sandbox.token, PRESTO_TIMEOUT: "8s" });
  sidecar = stage.start({ PRESTO_LISTEN: `127.0.0.1:${port},unix:${stage.at("proxy")}` });
  const builds = here.flatMap(({ build }) => (build === undefined ? [] : [run(build(stage.folder))]));
  await Promise.all([stage.ready(), ...builds]);
}, 120_000);
afterEach(() => sandbox.clearFaults());
afterAll(async () => {
  await stage.close();
  await sandbox.close();
});

describe(`the programs of docs/callers.md (${here.map(({ name }) => name).join(", ")})`, () => {
  it.runIf(missing.length === 0)(
    `are all of them (not here: ${missing.join(", ") || "none"}; tools/ci/callers.sh fetches what it can)`,
    () => expect(here).toHaveLength(callers.length),
  );

  it("top up, past every proxy that the environment names", async () => {
    const ended = await topUps();
    expect(ended.map(({ name, end }) => `${name}: ${end}`)).toEqual(here.map(({ name }) => `${name}: paid`));
    expect(movements(ended)).toEqual(here.map(() => 1));
  });

  it("top up over a Unix socket, where their client can", async () => {
    const ended = await topUps("socket");
    expect(ended.length).toBeGreaterThan(0);
    expect(ended.filter(({ end }) => end !== "paid")).toEqual([]);
    expect(movements(ended)).toEqual(ended.map(() => 1));
  });

  it("know of a lost answer that the money has moved, since the sidecar has asked", async () => {
    sandbox.setFault({ kind: "reset-after-acting", path: walletPaths.confirm });
    const ended = await topUps();
    expect(ended.filter(({ end }) => end !== "paid")).toEqual([]);
    expect(movements(ended)).toEqual(here.map(() => 1));
  });

  it("tell a refusal", async () => {
    sandbox.setFault({ kind: "status", path: walletPaths.confirm, status: 422 });
    const ended = await topUps();
    expect(ended.filter(({ end }) => end !== "refused")).toEqual([]);
    expect(movements(ended)).toEqual(here.map(() => 0));
  });

  it("send again what was not sent, until it is", async () => {
    sandbox.setFault({ kind: "wrong-certificate", certificate: "other-name" });
    const before = refusals();
    const ending = topUps();
    await until(() => (refusals() >= before + here.length ? true : undefined), {
      ...patience,
      what: "a refusal of each one's first call",
    });
    sandbox.clearFaults();
    const ended = await ending;
    expect(ended.filter(({ end }) => end !== "paid")).toEqual([]);
    expect(movements(ended)).toEqual(here.map(() => 1));
  });

  it("leave to be asked what nobody knows yet", async () => {
    sandbox.setFault({ kind: "reset-after-acting", path: walletPaths.confirm });
    sandbox.setFault({ kind: "status", method: "GET", status: 500 });
    const ended = await topUps();
    expect(ended.filter(({ end }) => end !== "ask")).toEqual([]);
    expect(movements(ended)).toEqual(here.map(() => 1));
  });
});

/** Calls that the sidecar has told not to be sent. */
const refusals = (): number => sidecar.out().split('"outcome":"not-sent"').length - 1;
