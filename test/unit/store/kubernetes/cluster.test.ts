import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../../src/clock.ts";
import { createAuthority } from "../../../../src/sandbox/certificates.ts";
import { type Cluster, openCluster } from "../../../../src/store/kubernetes/cluster.ts";

/** In the shape of a service account's token. */
function jwt(of: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256" })}.${part({ sub: of })}.c2lnbmF0dXJl`;
}

describe("who we are to a cluster", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mount-"));
    await put("ca.crt", (await createAuthority()).certPem);
    await put("token", jwt("first"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const put = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);

  function inPod(host: string | undefined = "10.0.0.1", port = "443"): Promise<Cluster> {
    return openCluster({ kubeconfig: [], host, port, environment: {}, mount: folder }, systemClock);
  }

  it("is in a Pod what is mounted, at the address that it is told", async () => {
    const cluster = await inPod("fd00::1", "6443");
    expect(cluster).toMatchObject({
      url: "https://[fd00::1]:6443",
      server: { host: "fd00::1", port: 6443 },
      serverName: "fd00::1",
      basePath: "",
      inPod: true,
    });
    expect((await cluster.identify()).authorization).toBe(`Bearer ${jwt("first")}`);
  });

  it("follows the token as it rotates; what is empty, cut short or away keeps the last good one", async () => {
    const cluster = await inPod();
    const given = async (): Promise<string | undefined> => (await cluster.identify()).authorization;
    await given();
    for (const bad of [
      "",
      "\n",
      jwt("second").slice(0, 30),
      jwt("second").split(".").slice(0, 2).join("."),
      "a b",
    ]) {
      await put("token", bad);
      expect(await given()).toBe(`Bearer ${jwt("first")}`);
    }
    await rm(join(folder, "token"));
    expect(await given()).toBe(`Bearer ${jwt("first")}`);
    await put("token", `${jwt("second")}\n`);
    expect(await given()).toBe(`Bearer ${jwt("second")}`);
  });

  it("gives the token before where the present one is refused, until the file has another", async () => {
    const cluster = await inPod();
    const given = async (): Promise<string | undefined> => (await cluster.identify()).authorization;
    await given();
    await put("token", jwt("second"));
    await given();
    cluster.refused();
    expect(await given()).toBe(`Bearer ${jwt("first")}`);
    cluster.refused();
    expect(await given()).toBe(`Bearer ${jwt("second")}`);
    await put("token", jwt("third"));
    expect(await given()).toBe(`Bearer ${jwt("third")}`);
  });

  it("follows the CA as it rotates, in another context; half of one keeps the last good one", async () => {
    const cluster = await inPod();
    const { context } = await cluster.identify();
    expect((await cluster.identify()).context).toBe(context);
    const { certPem } = await createAuthority();
    for (const bad of ["", certPem.slice(0, 200), `${certPem}-----BEGIN CERTIFICATE-----\nMII`]) {
      await put("ca.crt", bad);
      expect((await cluster.identify()).context).toBe(context);
    }
    await put("ca.crt", certPem);
    expect((await cluster.identify()).context).not.toBe(context);
  });

  it("keeps certificate and key while the two files do not fit", async () => {
    const authority = await createAuthority();
    const [one, other] = [
      await authority.issue({ usage: "client" }),
      await authority.issue({ usage: "client" }),
    ];
    await put("me.crt", one.certPem);
    await put("me.key", one.keyPem);
    const kubeconfig = join(folder, "config");
    await writeFile(
      kubeconfig,
      JSON.stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server: "https://h", "certificate-authority": "ca.crt" } }],
        users: [{ name: "u", user: { "client-certificate": "me.crt", "client-key": "me.key" } }],
      }),
    );
    const cluster = await openCluster(
      { kubeconfig: [kubeconfig], host: undefined, port: undefined, environment: {} },
      systemClock,
    );
    const { context, authorization } = await cluster.identify();
    expect(authorization).toBeUndefined();
    await put("me.crt", other.certPem);
    expect((await cluster.identify()).context).toBe(context);
    await put("me.key", other.keyPem);
    expect((await cluster.identify()).context).not.toBe(context);
  });

  it("says which file is missing, and is nobody without it", async () => {
    await rm(join(folder, "token"));
    await expect((await inPod()).identify()).rejects.toMatchObject({
      code: "not-yet",
      message: expect.stringContaining(join(folder, "token")),
    });
  });

  it("ends with 78 where nothing says which cluster, or what does is wrong", async () => {
    await expect(
      openCluster({ kubeconfig: [], host: undefined, port: undefined, environment: {} }, systemClock),
    ).rejects.toMatchObject({ exitCode: 78, message: expect.stringContaining("export KUBECONFIG=") });
    await expect(inPod("not an address")).rejects.toMatchObject({ exitCode: 78 });
    await expect(inPod("10.0.0.1", "x")).rejects.toMatchObject({ exitCode: 78 });
  });
});
