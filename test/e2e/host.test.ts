import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { bootHost, type BootedHost, installedHost } from "../support/booted-host.ts";
import { type RunningCli, startCli } from "../support/built-cli.ts";
import { freePort } from "../support/free-ports.ts";
import { until } from "../support/until.ts";

const unitFile = fileURLToPath(new URL("../../tools/deb/presto-sidecar.service", import.meta.url));
const unit = readFileSync(unitFile, "utf8");
const configuration = readFileSync(
  fileURLToPath(new URL("../../tools/deb/presto-sidecar.conf", import.meta.url)),
  "utf8",
);
const { version } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8"),
);
const hasAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0;
const installed = installedHost();

describe("the unit", () => {
  it.runIf(hasAnalyze)("leaves little to systemd-analyze security", () => {
    const { stdout, status } = spawnSync(
      "systemd-analyze",
      ["security", "--offline=true", "--no-pager", "--threshold=15", unitFile],
      { encoding: "utf8", env: { ...process.env, SYSTEMD_COLORS: "0" } },
    );
    const left = stdout.split("\n").filter((line) => /^(✗|→)/.test(line));
    process.stdout.write(`what systemd-analyze security still finds in the unit:\n${left.join("\n")}\n`);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/exposure level.*: 1\.\d OK/)]);
    // V8 writes what it then runs: under this directive no Node starts.
    expect(unit).not.toMatch(/^MemoryDenyWriteExecute=/m);
  });

  it("starts Node with the program and nothing between, by the image's own flags", () => {
    const dockerfile = readFileSync(fileURLToPath(new URL("../../Dockerfile", import.meta.url)), "utf8");
    const [, flags = ""] = /^ENTRYPOINT \["node", (.*), "\/app\/dist\/main\.js"\]$/m.exec(dockerfile) ?? [];
    const given = /^ExecStart=\S+ (.*) \S+main\.js start$/m.exec(unit)?.[1]?.split(" ") ?? [];
    expect(given).toEqual(JSON.parse(`[${flags}]`));
  });
});

describe.skipIf(installed === undefined)("a Debian with the package", () => {
  const { root, package: file } = installed ?? { root: "", package: "" };
  const at = (path: string): string => join(root, path);
  const inRoot = (...argv: readonly string[]): string =>
    execFileSync("chroot", [root, ...argv], { encoding: "utf8" });

  it("has the unit, the command, its configuration and a user without a shell; nothing of it is another's to write", () => {
    expect(inRoot("dpkg-query", "--show", "--showformat=${Version} ${Status}", "presto-sidecar")).toBe(
      `${version} install ok installed`,
    );
    const files = inRoot("dpkg", "--listfiles", "presto-sidecar").trim().split("\n").slice(1);
    expect(files).toEqual(
      expect.arrayContaining([
        "/etc/presto-sidecar/presto-sidecar.conf",
        "/usr/bin/presto-sidecar",
        "/usr/lib/presto-sidecar/dist/THIRD-PARTY-LICENSES.txt",
        "/usr/lib/presto-sidecar/dist/sbom.cdx.json",
        "/usr/lib/presto-sidecar/node",
        "/usr/lib/systemd/system/presto-sidecar.service",
        "/usr/share/doc/presto-sidecar/NODE-LICENSE",
        "/usr/share/doc/presto-sidecar/copyright",
      ]),
    );
    for (const path of files) {
      const { uid, gid, mode } = statSync(at(path));
      expect([path, uid, gid, mode & 0o6022]).toEqual([path, 0, 0, 0]);
    }
    expect(statSync(at("etc/presto-sidecar/presto-sidecar.conf")).mode & 0o7777).toBe(0o640);
    expect(inRoot("getent", "passwd", "presto-sidecar")).toMatch(
      /:\/var\/lib\/presto-sidecar:\/usr\/sbin\/nologin\n$/,
    );
    expect(inRoot("dpkg-query", "--show", "--showformat=${Conffiles}", "presto-sidecar")).toContain(
      "/etc/presto-sidecar/presto-sidecar.conf ",
    );
  });

  it("runs the command with the Node that it brought", () => {
    expect(inRoot("presto-sidecar", "--version")).toContain(version);
    const libraries = inRoot("ldd", "/usr/lib/presto-sidecar/node");
    expect(libraries).toContain("libstdc++");
    expect(libraries).not.toContain("not found");
    expect(existsSync(at("usr/bin/node"))).toBe(false);
  });

  it("names in its list no package by a version that this Debian lacks", () => {
    expect(inRoot("dpkg", "--audit")).toBe("");
    expect(execFileSync("dpkg-deb", ["--field", file, "Depends"], { encoding: "utf8" })).toContain("systemd");
  });

  describe("running", () => {
    let host: BootedHost;
    /** In a process of its own: what is asked of the host waits here, and Presto must not. */
    let sandbox: RunningCli;
    let control = "";
    let url = "";
    let proxy = "";
    let admin = "";
    const storeKey = "/etc/credstore.encrypted/presto-sidecar.store-key";
    /** As the owner keeps it away from this host. */
    let escrowed = "";

    /** Takes the hashes away from these lines of the configuration, and adds others. */
    function configure(chosen: RegExp, more: Readonly<Record<string, string>>): void {
      const lines = configuration
        .split("\n")
        .map((line) => (line.startsWith("#PRESTO_") && chosen.test(line) ? line.slice(1) : line));
      for (const [name, value] of Object.entries(more)) lines.push(`${name}=${value}`);
      writeFileSync(at("etc/presto-sidecar/presto-sidecar.conf"), `${lines.join("\n")}\n`);
    }
    /** Encrypts for this host alone. */
    function encrypt(path: string, secret: string): void {
      host.succeed(["mkdir", "--parents", "/etc/credstore.encrypted"]);
      const [, name = ""] = /([^/]+)$/.exec(path) ?? [];
      host.succeed(["systemd-creds", "encrypt", "--with-key=host", `--name=${name}`, "-", path], secret);
    }
    /** Over a connection of its own: a kept one may be that of a sidecar which has ended. */
    const fetchAnew = (address: string) => fetch(address, { headers: { connection: "close" } });
    const asService = (...argv: readonly string[]) => ["presto-sidecar-as-service", ...argv];
    const generation = async (): Promise<number> => {
      const status: unknown = await (await fetchAnew(`http://${admin}/status`)).json();
      return typeof status === "object" && status !== null
        ? Number(Reflect.get(status, "generation"))
        : Number.NaN;
    };
    const readiness = () => fetchAnew(`http://${admin}/readyz`).then(({ status }) => status);
    const call = () => fetchAnew(`http://${proxy}/api/institutions/v1/wallet/transaction/TRX000000000`);
    const accountOfSandbox = (): string =>
      `{${/"email": ?"[^"]+", ?"password": ?"[^"]+"/.exec(sandbox.out())?.[0]}}`;
    const journal = (): string =>
      host.run(["journalctl", "--unit=presto-sidecar", "--no-pager", "--output=cat"]).out;

    beforeAll(async () => {
      const [port, controlPort] = [await freePort(), await freePort()];
      const folder = mkdtempSync(join(tmpdir(), "host-"));
      const ports = ["--port", `${port}`, "--control-port", `${controlPort}`];
      sandbox = startCli(["sandbox", ...ports, "--directory", folder]);
      await until(() => (sandbox.out().includes("Ctrl-C") ? true : undefined), {
        withinMs: 60_000,
        what: sandbox.err,
      });
      url = `https://localhost:${port}`;
      control = `http://127.0.0.1:${controlPort}`;
      proxy = `127.0.0.1:${await freePort()}`;
      admin = `127.0.0.1:${await freePort()}`;
      cpSync(join(folder, "sandbox-ca.pem"), at("etc/presto-sidecar/ca.pem"));
      chmodSync(at("etc/presto-sidecar/ca.pem"), 0o644);
      host = await bootHost(root);
    });
    afterAll(async () => {
      await host.close();
      sandbox.child.kill("SIGTERM");
      await sandbox.ended;
    });
    const here = () => ({
      PRESTO_URL: url,
      PRESTO_CA_FILE: "/etc/presto-sidecar/ca.pem",
      PRESTO_LISTEN: proxy,
      PRESTO_ADMIN_LISTEN: admin,
    });

    it("is not started again where the configuration is wrong", async () => {
      host.run(["systemctl", "start", "presto-sidecar"]);
      await until(() => (host.property("ActiveState") === "failed" ? true : undefined), {
        withinMs: 60_000,
        what: journal,
      });
      expect([host.property("ExecMainStatus"), host.property("NRestarts")]).toEqual(["78", "0"]);
      expect(journal()).toContain("PRESTO_URL");
    });

    it("issues its first token from a sealed account, with a key that only this host can decrypt", async () => {
      escrowed = host.succeed(["presto-sidecar", "keygen"]);
      encrypt(storeKey, escrowed);
      expect(readFileSync(at(storeKey), "utf8")).not.toContain(escrowed.trim());
      configure(/PRESTO_(ROLE|STORE|CREDENTIALS|STORE_KEY_FILE|AUDIT)=/, here());
      host.succeed(asService("credentials", "import"), accountOfSandbox());
      host.succeed(["systemctl", "start", "presto-sidecar"]);
      // Started means ready: it has waited.
      expect(await readiness()).toBe(200);
      expect((await call()).status).toBe(404);
    });

    it("runs under every directive: seen from the process itself", () => {
      const pid = host.property("MainPID");
      const of = (name: string) => host.succeed(["cat", `/proc/${pid}/${name}`]);
      expect(of("status")).toMatch(/^CapBnd:\t0{16}$/m);
      expect(of("status")).toMatch(/^NoNewPrivs:\t1$/m);
      expect(of("status")).toMatch(/^Seccomp:\t2$/m);
      expect(of("limits")).toMatch(/^Max core file size +0 +0 /m);
      expect(of("mountinfo")).toMatch(/ \/ ro,/);
      expect(of("mountinfo")).toMatch(/ \/tmp rw,/);
      expect(of("uid_map").trim().split("\n").length).toBeGreaterThan(1);
      // Every line of the unit was understood by this systemd.
      expect(host.run(["systemd-analyze", "verify", "presto-sidecar.service"]).err).toBe("");
    });

    it("renews, by whoever asks for it, and serves with the new token", async () => {
      const before = await generation();
      host.succeed(asService("token", "renew"));
      expect(await generation()).toBe(before + 1);
      expect((await call()).status).toBe(404);
      const kept = statSync(at("var/lib/presto-sidecar/token.sealed"));
      expect(kept.mode & 0o7777).toBe(0o600);
    });

    it("is back by itself when it was killed, with what it had sealed", async () => {
      const before = await generation();
      host.succeed(["systemctl", "kill", "--signal=KILL", "presto-sidecar"]);
      await until(() => (host.property("NRestarts") === "1" ? true : undefined), {
        withinMs: 60_000,
        what: journal,
      });
      await until(() => (host.property("ActiveState") === "active" ? true : undefined), {
        withinMs: 60_000,
        what: journal,
      });
      expect(await readiness()).toBe(200);
      expect(await generation()).toBe(before);
    });

    it("reads its files again at a reload, and drains at a stop", async () => {
      host.succeed(["systemctl", "reload", "presto-sidecar"]);
      await until(() => (journal().includes("Read again") ? true : undefined), {
        withinMs: 60_000,
        what: journal,
      });
      host.succeed(["systemctl", "stop", "presto-sidecar"]);
      expect([host.property("Result"), host.property("ExecMainStatus")]).toEqual(["success", "0"]);
      expect(journal()).toContain("Nothing is in flight any more.");
    });

    it("is restored on another host from the escrowed key and a backup of its folder", async () => {
      const before = host.succeed(["sha256sum", "/var/lib/presto-sidecar/token.sealed"]);
      host.succeed(["cp", "--archive", "/var/lib/presto-sidecar", "/root/backup"]);
      host.succeed(["rm", "--recursive", "/var/lib/presto-sidecar"]);
      // What makes it another host: the secret by which systemd encrypts.
      host.succeed(["rm", "/var/lib/systemd/credential.secret"]);
      expect(host.run(["systemctl", "start", "presto-sidecar"]).status).not.toBe(0);
      expect(host.property("ExecMainStatus")).toBe("243");
      host.succeed(["systemctl", "stop", "presto-sidecar"]);
      host.succeed(["cp", "--archive", "/root/backup/.", "/var/lib/presto-sidecar"]);
      encrypt(storeKey, escrowed);
      host.succeed(["systemctl", "start", "presto-sidecar"]);
      expect(await readiness()).toBe(200);
      expect((await call()).status).toBe(404);
      expect(host.succeed(["sha256sum", "/var/lib/presto-sidecar/token.sealed"])).toBe(before);
      host.succeed(["systemctl", "stop", "presto-sidecar"]);
    });

    it("is set up anew where the host is lost and no copy of its key is in escrow: by the account, with a new token", async () => {
      const account = accountOfSandbox();
      host.succeed(["rm", "/var/lib/systemd/credential.secret"]);
      encrypt(storeKey, host.succeed(["presto-sidecar", "keygen"]));
      // The backup, and nobody who opens it.
      const lost = host.run(asService("credentials", "import"), account);
      expect([lost.status, lost.err]).toEqual([78, expect.stringContaining("was sealed with the store key")]);
      host.succeed(["rm", "/var/lib/presto-sidecar/token.sealed", "/var/lib/presto-sidecar/account.sealed"]);
      host.succeed(asService("credentials", "import"), account);
      host.succeed(["systemctl", "start", "presto-sidecar"]);
      expect(await readiness()).toBe(200);
      expect([(await call()).status, await generation()]).toEqual([404, 1]);
      host.succeed(["systemctl", "stop", "presto-sidecar"]);
      // What it has done with money since its first day: not sealed, and one chain.
      expect(host.succeed(asService("audit", "verify", "/var/lib/presto-sidecar/money.jsonl"))).not.toBe("");
    });

    it("serves with a token that is fed by hand, encrypted", async () => {
      configure(/PRESTO_TOKEN_FILE=/, here());
      const made = await fetch(`${control}/token`, {
        method: "POST",
        headers: { accept: "text/plain" },
      });
      const token = await made.text();
      encrypt("/etc/credstore.encrypted/presto-sidecar.token", token);
      host.succeed(["systemctl", "restart", "presto-sidecar"]);
      expect(await readiness()).toBe(200);
      expect((await call()).status).toBe(404);
      const shown = host.run(["systemctl", "show", "presto-sidecar"]).out + journal();
      expect(shown).not.toContain(token.trim());
    });

    it("leaves what it has sealed when it is removed", () => {
      host.succeed(["dpkg", "--purge", "presto-sidecar"]);
      expect(existsSync(at("usr/lib/presto-sidecar"))).toBe(false);
      expect(existsSync(at("var/lib/presto-sidecar/token.sealed"))).toBe(true);
      expect(host.run(["systemctl", "is-active", "presto-sidecar"]).out).not.toContain("active\n\n");
    });
  });
});
