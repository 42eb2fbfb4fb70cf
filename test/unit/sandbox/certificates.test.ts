import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";

import { beforeAll, describe, expect, it } from "vitest";

import {
  type Authority,
  type Certificate,
  createAuthority,
  createSelfSigned,
} from "../../../src/sandbox/certificates.ts";

const day = 24 * 60 * 60 * 1000;

/** `ok`, or the code with which a client that trusts `ca` refuses the certificate. */
async function handshake(certificate: Certificate, ca: string, servername = "localhost"): Promise<string> {
  const server = createServer({ cert: certificate.certPem, key: certificate.keyPem }, (socket) =>
    socket.on("error", () => {}),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise<string>((resolve) => {
      const socket: TLSSocket = connect({ host: "127.0.0.1", port, ca, servername }, () => {
        resolve("ok");
        socket.destroy();
      });
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  } finally {
    server.close();
    await once(server, "close");
  }
}

describe("certificates", () => {
  let authority: Authority;
  beforeAll(async () => {
    authority = await createAuthority();
  });

  it("a leaf is accepted by who trusts its authority, and by nobody else", async () => {
    const leaf = await authority.issue();
    expect(await handshake(leaf, authority.certPem)).toBe("ok");
    const stranger = await createAuthority();
    expect(await handshake(leaf, stranger.certPem)).not.toBe("ok");
  });

  it("a leaf is good for localhost and both loopback addresses", async () => {
    const certificate = new X509Certificate((await authority.issue()).certPem);
    expect(certificate.checkHost("localhost")).toBe("localhost");
    expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(certificate.checkIP("::1")).toBe("::1");
    expect(certificate.checkHost("elsewhere.example")).toBeUndefined();
  });

  it("a leaf for another name is refused for its name", async () => {
    const leaf = await authority.issue({ names: ["presto.invalid"] });
    expect(await handshake(leaf, authority.certPem)).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(await handshake(leaf, authority.certPem, "presto.invalid")).toBe("ok");
  });

  it("a leaf past its end, or before its beginning, is refused for its dates", async () => {
    const now = Date.now();
    const expired = await authority.issue({
      notBefore: new Date(now - 2 * day),
      notAfter: new Date(now - day),
    });
    expect(await handshake(expired, authority.certPem)).toBe("CERT_HAS_EXPIRED");
    const early = await authority.issue({
      notBefore: new Date(now + day),
      notAfter: new Date(now + 2 * day),
    });
    expect(await handshake(early, authority.certPem)).toBe("CERT_NOT_YET_VALID");
  });

  it("a leaf for clients is refused as a server's", async () => {
    const leaf = await authority.issue({ usage: "client" });
    expect(await handshake(leaf, authority.certPem)).toBe("INVALID_PURPOSE");
  });

  it("a self-signed leaf is refused", async () => {
    const leaf = await createSelfSigned();
    expect(await handshake(leaf, authority.certPem)).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(await handshake(leaf, leaf.certPem)).toBe("ok");
  });

  it("the pin is the hash of the leaf's public key, and another for every leaf", async () => {
    const [one, other] = await Promise.all([authority.issue(), authority.issue()]);
    const spki = new X509Certificate(one.certPem).publicKey.export({ type: "spki", format: "der" });
    expect(one.spkiPin).toBe(createHash("sha256").update(spki).digest("base64"));
    expect(other.spkiPin).not.toBe(one.spkiPin);
  });

  it("keys are ECDSA on P-256", async () => {
    const leaf = await authority.issue();
    for (const { certPem } of [authority, leaf]) {
      expect(new X509Certificate(certPem).publicKey.asymmetricKeyDetails).toEqual({
        namedCurve: "prime256v1",
      });
    }
  });

  it("making them leaves no metadata functions behind on Reflect", () => {
    expect("getMetadata" in Reflect).toBe(false);
  });
});
