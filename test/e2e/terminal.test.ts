import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Secret } from "../../src/secret.ts";
import { runCli } from "../support/built-cli.ts";
import { startStandInApi } from "../support/stand-in-api.ts";
import { hasTerminal, runOnTerminal, type Typed } from "../support/terminal.ts";

describe.skipIf(!hasTerminal)("on a terminal", () => {
  let folder: string;
  let env: Record<string, string>;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "terminal-"));
    env = {
      PRESTO_STORE: `file:${join(folder, "token")}`,
      PRESTO_STORE_KEY: Buffer.alloc(32, 7).toString("base64"),
    };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("start writes its log for people, unless told otherwise, and a start that fails is a line there too", async () => {
    const listens = {
      PRESTO_URL: "https://127.0.0.1:1",
      PRESTO_STORE: "env:",
      PRESTO_TOKEN: "MARKED-token",
      PRESTO_STORE_KEY: "",
      PRESTO_LISTEN: "127.0.0.1:0",
      PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
      PRESTO_CONTROL_LISTEN: "off",
    };
    const interrupt = [{ after: "The sidecar listens", keys: "\u0003" }];
    const people = await runOnTerminal(["start"], listens, interrupt);
    expect(people.shown).toMatch(
      /\d\d:\d\d:\d\d\.\d{3}Z \S*INFO \S* The sidecar listens\. version=\S+ role=proxy/,
    );
    const machines = await runOnTerminal(["start"], { ...listens, PRESTO_LOG_FORMAT: "json" }, interrupt);
    expect(machines.shown).toMatch(/^\{"level":"info","time":"[^"]+","service.name":"presto-sidecar"/m);
    const failed = await runOnTerminal(["start"], { ...listens, PRESTO_URL: "http://MARKED.example" }, []);
    expect(failed.code).toBe(78);
    expect(failed.shown).toMatch(/FATAL\S* The configuration has 1 problem:.*exit_code=78/);
  });

  const importToken = (keys: string) =>
    runOnTerminal(["token", "import"], env, [{ after: "Token (not shown): ", keys }]);

  it.each([
    ["Enter", "MARKED-token\r"],
    ["Ctrl-D", "MARKED-token\u0004"],
    ["Enter, after keys that erase", "wrong\u0015MARKED-tokex\u007fn\r"],
  ])("a token is typed, ended by %s, and nothing of it is shown", async (_how, keys) => {
    const { code, shown } = await importToken(keys);
    expect(code).toBe(0);
    expect(shown).toContain(`fingerprint ${new Secret("MARKED-token").fingerprint()}`);
    expect(shown).not.toMatch(/MARKED|wrong/);
    expect(shown).toMatch(/ icanon .* echo /s);
  });

  it.each([
    ["Ctrl-C", "MARKED\u0003", 130],
    ["Ctrl-D alone", "\u0004", 65],
    ["an arrow", "MARKED\u001b[D\r", 65],
    ["Ctrl-Z", "MARKED\u001a\r", 65],
  ])("%s ends it, stores nothing, and leaves the terminal as it was", async (_what, keys, exitCode) => {
    const { code, shown } = await importToken(keys);
    expect(code).toBe(exitCode);
    expect(shown).not.toContain("MARKED");
    expect(shown).toMatch(/ icanon .* echo /s);
    expect((await runCli(["token", "show"], { env })).code).toBe(66);
  });

  const importAccount = (typed: readonly Typed[]) => {
    const role = { PRESTO_ROLE: "rotator", PRESTO_CREDENTIALS: `file:${join(folder, "account")}` };
    return runOnTerminal(["credentials", "import"], { ...env, ...role }, typed);
  };

  it("shows the e-mail address while it is typed, and not the password", async () => {
    const { code, shown } = await importAccount([
      { after: "E-mail address of the account: ", keys: "me@bank.example\r" },
      { after: "Password (not shown): ", keys: "MARKED-passw0rd\r" },
    ]);
    expect(code).toBe(0);
    expect(shown).toContain("E-mail address of the account: me@bank.example\r\n");
    expect(shown).not.toContain("MARKED");
    expect(shown).toContain("The credentials are stored");
  });

  it("takes Ctrl-C where what is typed may be seen too", async () => {
    const { code } = await importAccount([{ after: "E-mail address of the account: ", keys: "me\u0003" }]);
    expect(code).toBe(130);
  });

  it("gives no terminal to the program of a kubeconfig, runs it once, and has what is typed for itself", async () => {
    const api = await startStandInApi();
    try {
      const plugin = join(folder, "plugin");
      const seen = join(folder, "seen");
      const credential = JSON.stringify({ kind: "ExecCredential", status: { token: "MARKED-credential" } });
      // It asks as a login would, wherever it may find a person.
      const asks = `if (: < /dev/tty) 2> /dev/null; then echo "terminal: $(head -n 1 < /dev/tty)"; else echo "no terminal"; fi; cat`;
      writeFileSync(plugin, `#!/bin/sh\necho run >> ${seen}\n(${asks}) >> ${seen}\necho '${credential}'\n`);
      chmodSync(plugin, 0o755);
      const exec = {
        apiVersion: "client.authentication.k8s.io/v1",
        command: plugin,
        interactiveMode: "IfAvailable",
      };
      writeFileSync(join(folder, "kubeconfig"), api.kubeconfig({ exec }));
      api.put("token", {});
      const { code, shown } = await runOnTerminal(
        ["token", "import"],
        { ...env, PRESTO_STORE: "kubernetes:presto/token", KUBECONFIG: join(folder, "kubeconfig") },
        [{ after: "Token (not shown): ", keys: "MARKED-token\r" }],
      );
      expect(code).toBe(0);
      expect(shown).toContain(`fingerprint ${new Secret("MARKED-token").fingerprint()}`);
      expect(shown).not.toContain("MARKED");
      expect(readFileSync(seen, "utf8")).toBe("run\nno terminal\n");
    } finally {
      await api.close();
    }
  });
});
