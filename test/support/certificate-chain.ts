import { createHash, KeyObject, webcrypto } from "node:crypto";

import { type Certificate, loadX509 } from "../../src/sandbox/certificates.ts";

/** A root, an intermediate below it, and a leaf of the intermediate. */
export interface Chain {
  readonly rootPem: string;
  readonly intermediatePem: string;
  /** Its `certPem` is the leaf alone. */
  readonly leaf: Certificate;
}

export interface ChainOptions {
  /** False: the one in the middle is itself a server's certificate, which may issue nothing. */
  readonly mayIssue?: boolean;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const day = 24 * 60 * 60 * 1000;

/** Makes a chain of three for localhost, valid for a day. */
export async function createChain({ mayIssue = true }: ChainOptions = {}): Promise<Chain> {
  const x509 = await loadX509();
  const makeKeys = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const [rootKeys, middleKeys, leafKeys] = await Promise.all([makeKeys(), makeKeys(), makeKeys()]);
  const dates = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) };
  const serverNames = new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }]);

  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Root of a chain",
    ...dates,
    signingAlgorithm: algorithm,
    keys: rootKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const middle = await x509.X509CertificateGenerator.create({
    subject: "CN=Intermediate of a chain",
    issuer: root.subjectName,
    ...dates,
    signingAlgorithm: algorithm,
    publicKey: middleKeys.publicKey,
    signingKey: rootKeys.privateKey,
    extensions: mayIssue
      ? [
          new x509.BasicConstraintsExtension(true, 0, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        ]
      : [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          serverNames,
        ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    subject: "CN=localhost",
    issuer: middle.subjectName,
    ...dates,
    signingAlgorithm: algorithm,
    publicKey: leafKeys.publicKey,
    signingKey: middleKeys.privateKey,
    extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]), serverNames],
  });
  const spki = KeyObject.from(leafKeys.publicKey).export({ type: "spki", format: "der" });
  return {
    rootPem: pemOf(root),
    intermediatePem: pemOf(middle),
    leaf: {
      certPem: pemOf(leaf),
      keyPem: KeyObject.from(leafKeys.privateKey).export({ type: "pkcs8", format: "pem" }),
      spkiPin: createHash("sha256").update(spki).digest("base64"),
    },
  };
}

function pemOf(certificate: { toString(format: "pem"): string }): string {
  return `${certificate.toString("pem").trimEnd()}\n`;
}
