import { spawnSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { loadConfig } from "../../src/config/load.ts";
import { readEnvironment } from "../../src/config/unsafe-environment.ts";
import { CommandError } from "../../src/errors.ts";

// Invariant 12: it refuses to start under an environment that would break its promises,
// and says which variable, and why.
const sound = { PRESTO_URL: "https://presto.example", PRESTO_TOKEN: "abc" };

/** The message that the start ends with, checked to be one of exit 78; undefined where it starts. */
function refusal(env: NodeJS.ProcessEnv, execArgv: readonly string[] = []): string | undefined {
  try {
    loadConfig({ ...sound, ...env }, execArgv);
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== 78) throw error;
    return error.message;
  }
}

const flags: readonly (readonly [flag: string, reason: string])[] = [
  ["--inspect", "debugger"],
  ["--inspect=0.0.0.0:9229", "debugger"],
  ["--inspect-brk", "debugger"],
  ["--inspect-wait", "debugger"],
  ["--inspect-port=1", "debugger"],
  ["--inspect-publish-uid=http", "debugger"],
  ["--tls-keylog=/tmp/keys", "keys of TLS"],
  ["--tls-min-v1.0", "TLS versions"],
  ["--tls-min-v1.1", "TLS versions"],
  ["--insecure-http-parser", "malformed HTTP"],
  ["--use-env-proxy", "HTTP_PROXY"],
  ["--openssl-config=/tmp/openssl.cnf", "weaken TLS"],
  ["--heapsnapshot-signal=SIGUSR2", "memory"],
  ["--heapsnapshot-near-heap-limit=3", "memory"],
  ["--heap-prof", "memory"],
  ["--heap-prof-dir=/tmp", "memory"],
  ["--report-on-fatalerror", "reports"],
  ["--report-on-signal", "reports"],
  ["--report-uncaught-exception", "reports"],
  ["--report-dir=/tmp", "reports"],
  ["--jitless", "WebAssembly"],
  ["--disallow-code-generation-from-strings", "router"],
  ["--disallow_code_generation_from_strings", "router"],
];

/** As it is told: Node takes underscores for dashes. */
const nameOf = (flag: string): string => flag.split("=", 1)[0]?.replaceAll("_", "-") ?? "";

describe("a dangerous environment is refused, with the variable and the reason", () => {
  it.each([
    ["NODE_TLS_REJECT_UNAUTHORIZED", "0", "certificate checks"],
    ["SSLKEYLOGFILE", "/tmp/keys", "keys of TLS"],
    ["NODE_USE_ENV_PROXY", "1", "HTTP_PROXY"],
    ["NODE_USE_ENV_PROXY", "true", "HTTP_PROXY"],
    ["OPENSSL_CONF", "/tmp/openssl.cnf", "weaken TLS"],
  ])("%s=%s", (name, value, reason) => {
    expect(refusal({ [name]: value })).toMatch(new RegExp(`^  ${name}: .*${reason}`, "m"));
    // Each by itself, and not because of what stands beside it.
    expect(refusal({})).toBeUndefined();
  });

  it.each(flags)("NODE_OPTIONS=%s", (flag, reason) => {
    const name = nameOf(flag);
    expect(refusal({ NODE_OPTIONS: flag })).toMatch(new RegExp(`^  NODE_OPTIONS ${name}: .*${reason}`, "m"));
  });

  it.each(flags)("node %s", (flag, reason) => {
    const name = nameOf(flag);
    expect(refusal({}, [flag])).toMatch(new RegExp(`^  node ${name}: .*${reason}`, "m"));
  });

  it.each([
    ["--max-old-space-size=64 --inspect"],
    ["  --inspect  "],
    ['"--inspect"'],
    ['"--ins\\pect"'],
    ['--ins"pect"'],
    ['--title="a b" --inspect'],
    ["--inspect_brk"],
    ["--require ./x --inspect"],
  ])("NODE_OPTIONS=%s, as Node itself splits it", (options) => {
    expect(refusal({ NODE_OPTIONS: options })).toContain("NODE_OPTIONS --inspect");
  });

  it.each(["--tls_min_v1.0", '"--tls-min-v1\\.0"', '--no-warnings --tls-min-"v1.0"'])(
    "NODE_OPTIONS=%s really changes Node, and is seen",
    (options) => {
      const child = spawnSync(process.execPath, ["-p", "require('node:tls').DEFAULT_MIN_VERSION"], {
        env: { NODE_OPTIONS: options },
        encoding: "utf8",
      });
      expect(child.stdout.trim()).toBe("TLSv1");
      expect(refusal({ NODE_OPTIONS: options })).toContain("NODE_OPTIONS --tls-min-v1.0");
    },
  );

  it("tells of all of them at once, beside all other problems", () => {
    const message = refusal(
      { SSLKEYLOGFILE: "/x", OPENSSL_CONF: "/x", NODE_OPTIONS: "--inspect --heap-prof", PRESTO_TIMEOT: "1s" },
      ["--use-env-proxy"],
    );
    expect(message).toContain("has 6 problems");
  });

  it("shows no value: a path or an address may tell something", () => {
    expect(
      refusal({ SSLKEYLOGFILE: "/MARKED", NODE_OPTIONS: "--inspect=MARKED" }, ["--tls-keylog=MARKED"]),
    ).not.toContain("MARKED");
  });
});

describe("a harmless environment is not refused", () => {
  it.each([
    { NODE_TLS_REJECT_UNAUTHORIZED: "1" },
    { NODE_TLS_REJECT_UNAUTHORIZED: "" },
    { SSLKEYLOGFILE: "" },
    { NODE_USE_ENV_PROXY: "0" },
    { OPENSSL_CONF: "" },
    { NODE_OPTIONS: "" },
    {
      NODE_OPTIONS:
        "--max-old-space-size=64 --no-inspect --tls-min-v1.3 --disable-sigusr1 --no-insecure-http-parser",
    },
    { NODE_OPTIONS: '--title="a --inspect b"' },
    { HTTPS_PROXY: "" },
    { HTTPS_PROXY: "http://proxy.example:3128", PRESTO_EGRESS_PROXY: "http://proxy.example:3128" },
    { NO_PROXY: "presto.example" },
  ])("%j", (env) => {
    expect(refusal(env)).toBeUndefined();
    expect(loadConfig({ ...sound, ...env }, ["--disable-sigusr1"]).warnings).toEqual([]);
  });
});

describe("what has no effect, or can't be judged, is warned about", () => {
  it("NODE_EXTRA_CA_CERTS", () => {
    const { warnings } = loadConfig({ ...sound, NODE_EXTRA_CA_CERTS: "/MARKED.pem" }, []);
    expect(warnings).toEqual([expect.stringMatching(/^NODE_EXTRA_CA_CERTS has no effect .*PRESTO_CA_FILE/)]);
    expect(warnings[0]).not.toContain("MARKED");
  });

  it.each(["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])(
    "%s",
    (name) => {
      const { warnings } = loadConfig({ ...sound, [name]: "http://user:MARKED@proxy.example:3128" }, []);
      expect(warnings).toEqual([
        expect.stringMatching(new RegExp(`^${name} has no effect; .*PRESTO_EGRESS_PROXY`)),
      ]);
      expect(warnings[0]).not.toContain("MARKED");
    },
  );

  it("a proxy once, whatever it is called, and not by a command that only needs the store", () => {
    const env = {
      ...sound,
      HTTPS_PROXY: "http://a:1",
      http_proxy: "http://a:1",
      NODE_EXTRA_CA_CERTS: "/ca.pem",
    };
    expect(loadConfig(env, []).warnings).toHaveLength(2);
    expect(loadConfig(env, [], "read-store").warnings).toEqual([]);
    expect(loadConfig(env, ["--require=./x.js"], "read-store").warnings).toHaveLength(1);
  });

  it.each(["-r", "--require", "--import", "--loader", "--experimental-loader"])("%s", (flag) => {
    for (const [env, execArgv, where] of [
      [{ NODE_OPTIONS: `${flag} ./trace.js` }, [], "NODE_OPTIONS"],
      [{ NODE_OPTIONS: `${flag}=./trace.js` }, [], "NODE_OPTIONS"],
      [{}, [flag, "./trace.js"], "node"],
    ] as const) {
      expect(loadConfig({ ...sound, ...env }, execArgv).warnings).toEqual([
        expect.stringMatching(new RegExp(`^${where} ${flag} loads code`)),
      ]);
    }
  });
});

describe("the environment that is judged is the process's own", () => {
  it("with Node's own arguments", () => {
    const { variables, execArgv } = readEnvironment();
    expect(variables["PATH"]).toBe(process.env["PATH"]);
    expect(execArgv).toEqual(process.execArgv);
  });

  it("and a copy: what is changed later is not what was judged", () => {
    const { variables } = readEnvironment();
    variables["PRESTO_URL"] = "https://elsewhere.example";
    expect(process.env["PRESTO_URL"]).toBeUndefined();
  });
});
