import { randomBytes } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createAuthority } from "../../src/sandbox/certificates.ts";
import { Secret } from "../../src/secret.ts";
import type { TokenRecord } from "../../src/store/contract.ts";
import { emptyRecord } from "../../src/store/record.ts";
import { createFileStore } from "../support/file-stores.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { queryCall } from "../support/wallet-call.ts";

let folder: string;
let presto: RawPresto;
let sidecar: RunningSidecar;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "reload-"));
  presto = await startRawPresto();
});

afterEach(async () => {
  await sidecar.close();
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

/** As whoever looks after a file should do it. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const status = async (): Promise<number> => (await exchange(sidecar, queryCall("T1"))).status;

describe("PRESTO_CA_FILE is read again when it changes:", () => {
  /** Closes each connection after one answer, so that each call meets the certificate. */
  beforeEach(() => {
    presto.answer(({ socket }) => void socket.end(httpAnswer(200, "{}", ["Connection: close"])));
  });

  it("what is added is trusted, what is taken out is not, and no restart is needed", async () => {
    const path = join(folder, "ca.pem");
    const next = await createAuthority();
    writeFileSync(path, presto.authority.certPem);
    sidecar = await startSidecar({ url: presto.url, caPem: "", env: { PRESTO_CA_FILE: path } });
    expect(await status()).toBe(200);
    presto.present(await next.issue());
    expect(await status()).toBe(502);
    replace(path, `${presto.authority.certPem}${next.certPem}`);
    await eventually(status).toBe(200);
    replace(path, presto.authority.certPem);
    await eventually(status).toBe(502);
  });

  it("one that can't be used changes nothing, and the log says so", async () => {
    const path = join(folder, "ca.pem");
    writeFileSync(path, presto.authority.certPem);
    sidecar = await startSidecar({ url: presto.url, caPem: "", env: { PRESTO_CA_FILE: path } });
    for (const text of [
      "",
      "no certificate",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ]) {
      const before = sidecar.lines().length;
      replace(path, text);
      await eventually(() => sidecar.lines().slice(before)).toContainEqual(
        expect.objectContaining({ level: "warn", msg: expect.stringContaining("CA file") }),
      );
      expect(await status()).toBe(200);
    }
    rmSync(path);
    await expect(sidecar.app.reload()).rejects.toMatchObject({ code: "configuration" });
    expect(await status()).toBe(200);
  });
});

describe("PRESTO_STORE_KEY_FILE is read again when it changes:", () => {
  const key = (): string => randomBytes(32).toString("base64");

  it("a key is rotated without a restart, and a wrong one takes no token away", async () => {
    const keyFile = join(folder, "key");
    const path = join(folder, "token");
    const [first, second] = [key(), key()];
    let live = "token-1";
    presto.answer((request) => {
      const good = request.header("authorization") === `Bearer ${live}`;
      request.socket.write(httpAnswer(good ? 200 : 401));
    });

    async function put(keys: string, token: string): Promise<void> {
      const store = createFileStore({
        path,
        keys: { kind: "value", secret: new Secret(keys) },
        clock: systemClock,
      });
      const stored = await store.read();
      const record: TokenRecord = { ...emptyRecord, generation: 1, token: new Secret(token) };
      expect((await store.write(record, stored?.version)).outcome).toBe("written");
      store.close();
      live = token;
    }

    replace(keyFile, first);
    await put(first, "token-1");
    sidecar = await startSidecar({
      url: presto.url,
      caPem: presto.authority.certPem,
      env: {
        PRESTO_TOKEN: undefined,
        PRESTO_STORE: `file:${path}`,
        PRESTO_STORE_KEY_FILE: keyFile,
        PRESTO_HOLD_MAX: "10s",
      },
    });
    expect(await status()).toBe(200);

    replace(keyFile, `${second},${first}`);
    await put(`${second},${first}`, "token-2");
    expect(await status()).toBe(200);

    replace(keyFile, second);
    await put(second, "token-3");
    expect(await status()).toBe(200);

    replace(keyFile, key());
    await expect(sidecar.app.reload()).rejects.toMatchObject({ code: "wrong-key" });
    expect(await status()).toBe(200);
    replace(keyFile, "not a key");
    await expect(sidecar.app.reload()).rejects.toMatchObject({ code: "wrong-key" });
    expect(await status()).toBe(200);
    expect(sidecar.log()).not.toContain(second);
  });
});
