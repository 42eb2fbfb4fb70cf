import { execFileSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { runCli, startCli } from "../support/built-cli.ts";

const secret = "1111|MARKED-token-of-this-test";

/** A module that Node runs before the program. */
function before(code: string): string[] {
  return ["--import", `data:text/javascript,${encodeURIComponent(code)}`];
}

/** The same, for what goes wrong once the command runs, however long that takes: with the defect handler in place. */
function onceItRuns(fault: string): string[] {
  return before(
    `const look = setInterval(() => { if (process.listenerCount("uncaughtException") === 0) return; clearInterval(look); ${fault} }, 50);`,
  );
}

describe("an old Node", () => {
  const said = (version: string): string =>
    `presto-sidecar: this is Node.js ${version}, and 24 or newer is needed: install a newer one, or put it first in PATH (in a clone node_modules/.bin has one).\n`;

  it("is told in one sentence that it is too old, and nothing else happens", async () => {
    const old = before(
      'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.19.0" } })',
    );
    expect(await runCli(["--version"], { nodeArgs: old })).toEqual({
      code: 1,
      out: "",
      err: said("22.19.0"),
    });
  });

  it.each(["24.0.0", "26.10.0", "100.1.0"])("is not what %s is taken for", async (version) => {
    const other = before(
      `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`,
    );
    expect((await runCli(["--version"], { nodeArgs: other })).code).toBe(0);
  });

  // Where the machine has one, the built file is really given to it.
  const systemNode = ["/usr/bin/node", "/usr/local/bin/node"]
    .map((path) => ({ path, version: versionOf(path) }))
    .find(({ version }) => Number.parseInt(version, 10) < 24);
  it.runIf(systemNode !== undefined)("can read the built file", async () => {
    const { path = "", version = "" } = systemNode ?? {};
    expect(await runCli(["--version"], { node: path })).toEqual({ code: 1, out: "", err: said(version) });
  });

  function versionOf(path: string): string {
    try {
      return execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
    } catch {
      return "";
    }
  }
});

describe("the process", () => {
  it("leaves the environment out of crash reports, and listens for SIGUSR1, before a command runs", async () => {
    const look = before(
      'process.on("exit", () => process.stderr.write(`${process.report.excludeEnv} ${process.listenerCount("SIGUSR1")}`))',
    );
    expect((await runCli(["keygen"], { nodeArgs: look })).err).toBe("true 1");
  });

  it.each([
    ["throws", `const e = new RangeError("${secret}"); e.secret = "${secret}"; throw e;`, /RangeError/],
    ["rejects", `Promise.reject(new RangeError("${secret}"));`, /RangeError/],
    ["throws no error", `throw "${secret}";`, /string/],
  ])("that %s ends with 1 and one line, in which no secret can be", async (_way, fault, kind) => {
    const later = onceItRuns(fault);
    const { code, out, err } = await runCli(["wait"], {
      nodeArgs: later,
      env: { PRESTO_ADMIN_LISTEN: "127.0.0.1:1" },
    });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^presto-sidecar: [^\n]+\n$/);
    expect(err).toMatch(kind);
    expect(err).not.toContain("MARKED");
  });

  it("ends so for a rejection even where Node was told to look away", async () => {
    const nodeArgs = [
      "--unhandled-rejections=none",
      ...onceItRuns(`Promise.reject(new RangeError("${secret}"));`),
    ];
    const { code, err } = await runCli(["wait"], { nodeArgs, env: nowhere });
    expect(code).toBe(1);
    expect(err).toMatch(/^presto-sidecar: [^\n]*RangeError[^\n]*\n$/);
  });

  it("does not mind that nobody reads what it prints", async () => {
    const running = startCli(["demo"]);
    running.child.stdout?.destroy();
    expect(await running.ended).toBe(0);
    expect(running.err()).toBe("");
  });

  it.each([
    "healthcheck",
    "healthcheck --live",
    "wait --timeout 1ms",
    "status",
    "drain",
    "quit",
    "keygen",
    "help",
  ])("that runs %s loads no package", async (line) => {
    const { err } = await runCli(line.split(" "), { nodeArgs: before(reportPackages), env: nowhere });
    expect(err.split("\n").filter((text) => text.startsWith("package:"))).toEqual([]);
  });

  it("that runs check loads envalid: the test above can tell", async () => {
    const { err } = await runCli(["check"], { nodeArgs: before(reportPackages) });
    expect(err).toMatch(/^package:.*envalid/m);
  });
});

const nowhere = { PRESTO_ADMIN_LISTEN: "127.0.0.1:1", PRESTO_CONTROL_LISTEN: "127.0.0.1:2" };

/** Names every package that a file which is loaded has code of, by the source map beside it. */
const reportPackages = `
  import { existsSync, readFileSync } from "node:fs";
  import { registerHooks } from "node:module";
  registerHooks({ resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const map = new URL(resolved.url + ".map");
    const { sources } = map.protocol === "file:" && existsSync(map) ? JSON.parse(readFileSync(map)) : { sources: [resolved.url] };
    for (const source of sources)
      if (source.includes("node_modules/")) process.stderr.write("package: " + source + "\\n");
    return resolved;
  } });`;
