import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { type RunningCli, startCli } from "../support/built-cli.ts";
import { freePorts } from "../support/free-ports.ts";
import { type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { walletPaths } from "../support/wallet-call.ts";

// What apps call with, as it comes: each client makes the calls that it makes by itself, with its own headers.

let folder: string;
let presto: RawPresto;
let sidecar: RunningCli;
let base: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "presto-clients-"));
  presto = await startRawPresto();
  writeFileSync(join(folder, "ca.pem"), presto.authority.certPem);
  const [proxy = 0, admin = 0] = await freePorts(2);
  base = `http://localhost:${proxy}`;
  sidecar = startCli(["start"], {
    env: {
      PRESTO_URL: presto.url,
      PRESTO_CA_FILE: join(folder, "ca.pem"),
      PRESTO_TOKEN: "token-of-the-tests",
      PRESTO_LISTEN: `127.0.0.1:${proxy}`,
      PRESTO_ADMIN_LISTEN: `127.0.0.1:${admin}`,
      PRESTO_CONTROL_LISTEN: "off",
    },
  });
  while (!sidecar.out().includes("The sidecar listens.")) {
    if (sidecar.child.exitCode !== null) throw new Error(sidecar.err());
    await systemClock.sleep(50);
  }
});
afterAll(async () => {
  sidecar.child.kill("SIGTERM");
  await sidecar.ended;
  await presto.close();
  rmSync(folder, { recursive: true });
});

const has = (program: string, ...args: readonly string[]): boolean => spawnSync(program, args).status === 0;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Runs it to its end. @returns its standard output's lines */
async function run(program: string, args: readonly string[]): Promise<readonly string[]> {
  const child = spawn(program, args, { env: { ...process.env, GO111MODULE: "off" } });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  await once(child, "close");
  expect(child.exitCode === 0 ? "" : err).toBe("");
  return out.trim().split("\n");
}

/** Bodies that Presto has seen since then. */
function bodiesFrom(count: number): readonly number[] {
  return presto.requests.slice(count).map(({ body }) => body.length);
}

describe.runIf(has("curl", "--version"))("curl", () => {
  const ask = (...args: readonly string[]) =>
    run("curl", [
      "-sS",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code} %{http_version}",
      "--max-time",
      "10",
      ...args,
    ]);

  it("with a query, a body, a body that waits for a word, and a wish for HTTP/2", async () => {
    const before = presto.requests.length;
    expect(await ask(`${base}${walletPaths.transaction}/T1`)).toEqual(["200 1.1"]);
    expect(await ask("-d", "{}", `${base}${walletPaths.init}`)).toEqual(["200 1.1"]);
    expect(await ask("-H", "Expect: 100-continue", "-d", "{}", `${base}${walletPaths.init}`)).toEqual([
      "200 1.1",
    ]);
    expect(await ask("--http2", "-d", "{}", `${base}${walletPaths.init}`)).toEqual(["200 1.1"]);
    expect(await ask("--http1.0", "-d", "{}", `${base}${walletPaths.init}`)).toEqual(["200 1.1"]);
    expect(bodiesFrom(before)).toEqual([0, 2, 2, 2, 2]);
  });

  it("with HTTP/2 by prior knowledge fails at once", async () => {
    const { status } = spawnSync(
      "curl",
      ["-sS", "--max-time", "10", "--http2-prior-knowledge", "-d", "{}", `${base}${walletPaths.init}`],
      { encoding: "utf8" },
    );
    // Not 28: that is a time-out. What it says of a reply in HTTP/1.1 differs with its version.
    expect([0, 28]).not.toContain(status);
  });
});

describe.runIf(has("python3", "--version"))("Python", () => {
  it("with http.client over one connection, and with urllib", async () => {
    const before = presto.requests.length;
    const program = file(
      "ask.py",
      `import http.client, sys, urllib.request
base = sys.argv[1]
c = http.client.HTTPConnection(base.removeprefix("http://"))
for body in (b"{}", "{}", iter([b"{", b"}"])):
    c.request("POST", "${walletPaths.init}", body=body, headers={"Content-Type": "application/json"}, encode_chunked=not isinstance(body, (bytes, str)))
    r = c.getresponse(); r.read(); print(r.status)
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(base + "${walletPaths.transaction}/T1").status)
`,
    );
    expect(await run("python3", [program, base])).toEqual(["200", "200", "200", "200"]);
    expect(bodiesFrom(before)).toEqual([2, 2, 2, 0]);
  });
});

describe.runIf(has("java", "--version"))("Java", () => {
  // Refused while its body waits for a word, it waits for ever, whoever refuses (JDK-8286171, mended in JDK 20).
  it("with HttpClient as it is by default: a wish for HTTP/2, served and refused, and bodies that wait for a word", async () => {
    const before = presto.requests.length;
    const program = file(
      "Ask.java",
      `import java.net.URI;
import java.net.http.*;
import java.time.Duration;

public class Ask {
  public static void main(String[] args) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    for (boolean expects : new boolean[] {false, true})
      for (String path : expects ? new String[] {"${walletPaths.init}"} : new String[] {"${walletPaths.init}", "/nothing"})
        for (int size : new int[] {2, 200_000}) {
          HttpRequest request = HttpRequest.newBuilder(URI.create(args[0] + path))
            .expectContinue(expects).timeout(Duration.ofSeconds(10))
            .POST(HttpRequest.BodyPublishers.ofString("x".repeat(size))).build();
          String end;
          try { end = "" + client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode(); }
          catch (Exception error) { end = error.getClass().getSimpleName(); }
          System.out.println(end);
        }
  }
}
`,
    );
    expect(await run("java", [program, base])).toEqual(["200", "200", "403", "403", "200", "200"]);
    expect(bodiesFrom(before)).toEqual([2, 200_000, 2, 200_000]);
  }, 60_000);
});

describe.runIf(has("go", "version"))("Go", () => {
  it("with net/http as it is by default, in chunks too", async () => {
    const before = presto.requests.length;
    const program = file(
      "ask.go",
      `package main

import ("fmt"; "io"; "net/http"; "os"; "strings")

func main() {
	for _, body := range []io.Reader{strings.NewReader("{}"), io.MultiReader(strings.NewReader("{"), strings.NewReader("}"))} {
		request, _ := http.NewRequest("POST", os.Args[1]+"${walletPaths.init}", body)
		answer, err := http.DefaultClient.Do(request)
		if err != nil { fmt.Println(err); continue }
		io.Copy(io.Discard, answer.Body); answer.Body.Close()
		fmt.Println(answer.StatusCode)
	}
}
`,
    );
    expect(await run("go", ["run", program, base])).toEqual(["200", "200"]);
    expect(bodiesFrom(before)).toEqual([2, 2]);
  }, 120_000);
});
