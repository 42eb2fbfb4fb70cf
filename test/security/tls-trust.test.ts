import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as Tls from "node:tls";

import { describe, expect, it, onTestFinished, vi } from "vitest";

import { createAuthority, createSelfSigned } from "../../src/sandbox/certificates.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import { startServing } from "../support/source-program.ts";
import {
  authority,
  query,
  startPresto,
  startWith,
  callThrough,
  accepted,
  refused,
  createFolder,
} from "../support/trust-trial.ts";

// Invariant 1, second part: whom to trust is what the configuration says at this moment, nothing
// less and nothing more.

/** An authority that Node's bundled list holds, as far as the program can tell. */
const bundled = vi.hoisted(() => ({ certPem: "", keyPem: "" }));
const bundledAuthority = await createAuthority({ name: "A CA that Node brings along" });
bundled.certPem = bundledAuthority.certPem;
vi.mock("node:tls", async (importOriginal) => {
  const tls = await importOriginal<typeof Tls>();
  return {
    ...tls,
    get rootCertificates() {
      return [...tls.rootCertificates, bundled.certPem];
    },
  };
});

describe("a pin", () => {
  const pinned = (...pins: readonly string[]) => ({
    PRESTO_TLS_PINS: pins.map((pin) => `sha256/${pin}`).join(","),
  });

  it("of the server's own key lets it in, also beside another", async () => {
    const certificate = await authority.issue();
    const other = await authority.issue();
    const presto = await startPresto({ certificate });
    for (const pins of [[certificate.spkiPin], [other.spkiPin, certificate.spkiPin]]) {
      expect(await callThrough(await startWith(presto, pinned(...pins)), presto)).toBe(accepted);
    }
  });

  it("that does not match keeps out a server with a good certificate", async () => {
    const presto = await startPresto();
    const sidecar = await startWith(presto, pinned((await authority.issue()).spkiPin));
    expect(await callThrough(sidecar, presto)).toBe(refused);
  });

  it("of the authority's key lets nobody in", async () => {
    const leaf = await authority.issue();
    const presto = await startPresto({ certificate: { ...leaf, certPem: leaf.certPem + authority.certPem } });
    expect(await callThrough(await startWith(presto, pinned(authority.spkiPin)), presto)).toBe(refused);
  });

  it("does not stand in for the rest of the proof", async () => {
    const certificate = await createSelfSigned();
    const presto = await startPresto({ certificate });
    expect(await callThrough(await startWith(presto, pinned(certificate.spkiPin)), presto)).toBe(refused);
  });

  it("that the next certificate does not match shuts it out at the next connection", async () => {
    const certificate = await authority.issue();
    const presto = await startPresto({ certificate });
    const sidecar = await startWith(presto, pinned(certificate.spkiPin));
    expect(await callThrough(sidecar, presto)).toBe(accepted);
    presto.present(await authority.issue());
    expect(await callThrough(sidecar, presto)).toBe(refused);
  });
});

describe("the certificate file", () => {
  it("is trusted beside Node's list, and instead of it if that is asked for", async () => {
    const presto = await startPresto({ certificate: await bundledAuthority.issue() });
    expect(await callThrough(await startWith(presto), presto)).toBe(accepted);
    const alone = await startWith(presto, { PRESTO_CA_ONLY: "yes" });
    expect(await callThrough(alone, presto)).toBe(refused);
    presto.present(await authority.issue());
    expect(await callThrough(alone, presto)).toBe(accepted);
  });

  it("holds for new connections as soon as it is replaced; one that can't be used changes nothing", async () => {
    const next = await createAuthority({ name: "The next CA" });
    const caFile = join(createFolder(), "ca.pem");
    const replace = (content: string): void => {
      writeFileSync(`${caFile}.new`, content);
      renameSync(`${caFile}.new`, caFile);
    };
    replace(authority.certPem);
    const presto = await startPresto();
    const sidecar = await startWith(presto, { PRESTO_CA_FILE: caFile });
    expect(await callThrough(sidecar, presto)).toBe(accepted);

    replace(next.certPem);
    await expect.poll(() => callThrough(sidecar, presto), { timeout: 15_000 }).toBe(refused);
    presto.present(await next.issue());
    expect(await callThrough(sidecar, presto)).toBe(accepted);

    const warnings = (): number =>
      sidecar.log().split("The CA file has changed and can't be used").length - 1;
    const broken = ["", "no certificate", next.certPem.replace(/\n.{8}/, "\n????????")];
    for (const [index, content] of broken.entries()) {
      replace(content);
      await expect.poll(warnings, { timeout: 15_000 }).toBeGreaterThan(index);
      expect(await callThrough(sidecar, presto)).toBe(accepted);
    }
    rmSync(caFile);
    await expect.poll(warnings, { timeout: 15_000 }).toBeGreaterThan(broken.length);
    expect(await callThrough(sidecar, presto)).toBe(accepted);
    presto.present(await authority.issue());
    expect(await callThrough(sidecar, presto)).toBe(refused);
  }, 90_000);

  it("is the only thing that adds to Node's list: neither NODE_EXTRA_CA_CERTS nor SSL_CERT_FILE does", async () => {
    const caFile = join(createFolder(), "ca.pem");
    writeFileSync(caFile, authority.certPem);
    const presto = await startPresto();
    const program = await startServing({
      env: {
        PRESTO_URL: presto.url,
        PRESTO_TOKEN: "token-of-the-tests",
        PRESTO_LISTEN: "127.0.0.1:0",
        PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
        PRESTO_CONTROL_LISTEN: "off",
        NODE_EXTRA_CA_CERTS: caFile,
        SSL_CERT_FILE: caFile,
        NODE_OPTIONS: "--use-openssl-ca",
      },
    });
    onTestFinished(() => void program.child.kill("SIGKILL"));
    expect(await callThrough(program, presto)).toBe(refused);
  });
});

it("a connection that is up goes on with what it was made under", async () => {
  const caFile = join(createFolder(), "ca.pem");
  writeFileSync(caFile, authority.certPem);
  const presto = await startPresto();
  presto.answer((request) => request.socket.write("HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"));
  const sidecar = await startWith(presto, { PRESTO_CA_FILE: caFile });
  const caller = await openRawCaller(sidecar);
  caller.send(query);
  await caller.answers(1);
  writeFileSync(caFile, (await createAuthority({ name: "The next CA" })).certPem);
  await sidecar.app.reload();
  caller.send(query);
  expect((await caller.answers(2)).map(({ status }) => status)).toEqual([200, 200]);
  expect(presto.requests.map(({ connection }) => connection)).toEqual([1, 1]);
  caller.close();
});
