import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { createLab } from "./network-lab.ts";
import type { LabHost, LabProcess } from "./network-lab.ts";
import { sourceOf } from "./source-path.ts";
import type { ProbeEnd, ProbeRequest } from "./way-out-prober.ts";

/**
 * ```text
 *            a: 10.77.1.1, .11, .12 / fd77:1::1, ::11         b: 10.77.2.1 / fd77:2::1
 * client ──┬── a ── gateway a, forwards ─────── 10.77.8.0/24, fd77:8::/64 ──┬── presto
 *          └── b ── gateway b, translates to 10.77.9.1 ─── 10.77.9.0/24 ────┘   10.77.0.1, .2, fd77::1
 * ```
 * What leaves from an address of b goes by gateway b; all else goes by a.
 */
export interface TwoGateways {
  readonly client: LabHost;
  readonly a: LabHost;
  readonly b: LabHost;
  readonly presto: LabHost;
  /** A folder for the test's files. */
  readonly folder: string;
  readonly caFile: string;
  /** Runs in `presto`, on port 443 of all addresses. */
  readonly mirror: LabProcess;
  /** Opens the way out on the client, and says which address Presto saw, or why not. */
  probe(request: Partial<ProbeRequest>): Promise<ProbeEnd>;
  close(): Promise<void>;
}

const prestoAddresses = { v4: "10.77.0.1", otherV4: "10.77.0.2", v6: "fd77::1" } as const;

/** Names that the client knows; `far.test` is known to the gateways alone. */
const names = {
  "presto.test": [prestoAddresses.v6, prestoAddresses.v4],
  "v4.test": [prestoAddresses.v4],
  "v6.test": [prestoAddresses.v6],
  "both-v4.test": [prestoAddresses.otherV4, prestoAddresses.v4],
};
const farName = { "far.test": [prestoAddresses.v4] };

export async function startTwoGateways(): Promise<TwoGateways> {
  const lab = createLab();
  const folder = mkdtempSync(join(tmpdir(), "presto-network-"));
  try {
    const [client, a, b, presto] = [lab.host("client"), lab.host("a"), lab.host("b"), lab.host("presto")];
    lab.connect("client", "a");
    lab.connect("client", "b");
    lab.connect("presto", "a");
    lab.connect("presto", "b");
    addressAll(client, a, b, presto);

    const authority = await createAuthority();
    const certificate = await authority.issue({
      names: [...Object.keys(names), "far.test", ...Object.values(prestoAddresses)],
    });
    const [caFile, certFile, keyFile] = [join(folder, "ca"), join(folder, "cert"), join(folder, "key")];
    writeFileSync(caFile, authority.certPem);
    writeFileSync(certFile, certificate.certPem);
    writeFileSync(keyFile, certificate.keyPem, { mode: 0o600 });

    const mirror = presto.start(process.execPath, [
      sourceOf("test/support/mirror-presto.ts"),
      certFile,
      keyFile,
    ]);
    const prober = client.start(process.execPath, [sourceOf("test/support/way-out-prober.ts")]);
    await Promise.all([mirror.says("listening"), prober.says("ready")]);
    let asked = 0;
    return {
      client,
      a,
      b,
      presto,
      folder,
      caFile,
      mirror,
      async probe(request) {
        asked += 1;
        prober.child.stdin?.write(`${JSON.stringify({ url: "https://v4.test", caFile, ...request })}\n`);
        // The first line is its greeting.
        await prober.says(new RegExp(`^(?:.*\n){${asked + 1}}`));
        return JSON.parse(prober.output().split("\n")[asked] ?? "");
      },
      async close() {
        await lab.close();
        rmSync(folder, { recursive: true });
      },
    };
  } catch (error) {
    await lab.close();
    rmSync(folder, { recursive: true });
    throw error;
  }
}

function addressAll(client: LabHost, a: LabHost, b: LabHost, presto: LabHost): void {
  const give = (host: LabHost, device: string, ...addresses: readonly string[]): void => {
    // Without duplicate detection an IPv6 address is there at once.
    for (const address of addresses)
      host.ip(
        `addr add ${address} dev ${device === "lo" ? device : `to-${device}`}${address.includes(":") ? " nodad" : ""}`,
      );
  };
  give(client, "a", "10.77.1.1/24", "10.77.1.11/24", "10.77.1.12/24", "fd77:1::1/64", "fd77:1::11/64");
  give(client, "b", "10.77.2.1/24", "fd77:2::1/64");
  give(a, "client", "10.77.1.254/24", "fd77:1::fe/64");
  give(b, "client", "10.77.2.254/24", "fd77:2::fe/64");
  give(a, "presto", "10.77.8.1/24", "fd77:8::fe/64");
  give(b, "presto", "10.77.9.1/24", "fd77:9::fe/64");
  give(presto, "a", "10.77.8.2/24", "fd77:8::2/64");
  give(presto, "b", "10.77.9.2/24", "fd77:9::2/64");
  give(presto, "lo", "10.77.0.1/32", "10.77.0.2/32", "fd77::1/128");

  client.ip("route add default via 10.77.1.254");
  client.ip("-6 route add default via fd77:1::fe src fd77:1::1");
  client.ip("rule add from 10.77.2.0/24 lookup 100");
  client.ip("route add default via 10.77.2.254 table 100");
  for (const [gateway, subnet, six] of [
    [a, 8, "fd77:8::2"],
    [b, 9, "fd77:9::2"],
  ] as const) {
    gateway.ip(`route add 10.77.0.0/24 via 10.77.${subnet}.2`);
    gateway.ip(`-6 route add fd77::/64 via ${six}`);
    gateway.knows({ ...names, ...farName });
    gateway.allowForwarding();
  }
  presto.ip("route add 10.77.1.0/24 via 10.77.8.1");
  presto.ip("-6 route add fd77:1::/64 via fd77:8::fe");
  client.knows(names);
  b.filter(
    "add chain inet lab leave { type nat hook postrouting priority 100; }",
    "add rule inet lab leave oifname to-presto masquerade",
  );
}
