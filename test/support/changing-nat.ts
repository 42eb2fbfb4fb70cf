import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { guardAddresses, registeredAddress } from "./guarded-presto.ts";
import type { GuardOrder, Seen } from "./guarded-presto.ts";
import { createLab } from "./network-lab.ts";
import type { LabHost, LabProcess } from "./network-lab.ts";
import { sourceOf } from "./source-path.ts";

/**
 * ```text
 * client 10.77.1.1 ── gateway, translates to 10.77.9.1 or .99 ── presto 10.77.0.1
 *                                                               └ one.test .11, two.test .12
 * ```
 */
export interface ChangingNat {
  /** The addresses that calls leave from while the gateway is as it was, and after it has changed. */
  readonly leavesFrom: { readonly registered: string; readonly strange: string };
  /** A sidecar on the client, which has the two servers for check URLs. Resolves when it listens. */
  startSidecar(): Promise<NatSidecar>;
  /** Changes the address of the gateway. The connections that went through it are lost, as with a gateway that is replaced. */
  leaveFrom(which: "registered" | "strange"): void;
  /** Tells Presto and the two servers how to behave; resolves when they do. */
  order(order: Partial<GuardOrder>): Promise<void>;
  /** What Presto has seen since `forget`. */
  seen(): readonly Seen[];
  forget(): void;
  close(): Promise<void>;
}

export interface NatSidecar {
  /** Unix sockets, which belong to no network: a test can call them from outside. */
  readonly proxy: string;
  readonly admin: string;
  readonly process: LabProcess;
}

const strangeAddress = "10.77.9.99";
const names = {
  "presto.test": [guardAddresses.presto],
  "one.test": [guardAddresses.witnesses[0]],
  "two.test": [guardAddresses.witnesses[1]],
};

export async function startChangingNat(): Promise<ChangingNat> {
  const lab = createLab();
  const folder = mkdtempSync(join(tmpdir(), "presto-nat-"));
  try {
    const [client, gateway, presto] = [lab.host("client"), lab.host("gateway"), lab.host("presto")];
    lab.connect("client", "gateway");
    lab.connect("gateway", "presto");
    addressAll(client, gateway, presto);
    const caFile = await writeCertificates(folder);
    const [certFile, keyFile] = [join(folder, "cert"), join(folder, "key")];
    const guard = presto.start(process.execPath, [
      sourceOf("test/support/guarded-presto.ts"),
      certFile,
      keyFile,
    ]);
    await guard.says(/(?:listening\n){3}/);

    let orders = 0;
    let forgotten = 0;
    let sidecars = 0;
    let present: "registered" | "strange" = "registered";
    let order: GuardOrder = { refusal: "json", witnesses: ["honest", "honest"] };
    const told = (): readonly Seen[] =>
      guard
        .output()
        .slice(0, guard.output().lastIndexOf("\n") + 1)
        .split("\n")
        .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
    return {
      leavesFrom: { registered: registeredAddress, strange: strangeAddress },
      async startSidecar() {
        sidecars += 1;
        const [proxy, admin] = [join(folder, `proxy-${sidecars}`), join(folder, `admin-${sidecars}`)];
        const sidecar = client.start(process.execPath, [sourceOf("src/main.ts"), "start"], {
          PRESTO_URL: "https://presto.test",
          PRESTO_CA_FILE: caFile,
          PRESTO_TOKEN: "token-of-the-tests",
          PRESTO_LISTEN: `unix:${proxy}`,
          PRESTO_ADMIN_LISTEN: `unix:${admin}`,
          PRESTO_CONTROL_LISTEN: "off",
          PRESTO_EGRESS_IPS: registeredAddress,
          PRESTO_EGRESS_CHECK_URL: "https://one.test/,https://two.test/ip",
          // An answer that the old gateway took with it never comes.
          PRESTO_TIMEOUT: "6s",
        });
        await sidecar.says("The sidecar listens.");
        return { proxy, admin, process: sidecar };
      },
      leaveFrom(which) {
        if (which === present) return;
        const [to, from] =
          which === "strange" ? [strangeAddress, registeredAddress] : [registeredAddress, strangeAddress];
        present = which;
        // In this order: with its last address a device loses its routes. `masquerade` then forgets the connections.
        gateway.ip(`addr add ${to}/32 dev to-presto`);
        gateway.ip(`addr del ${from}/32 dev to-presto`);
      },
      async order(part) {
        order = { ...order, ...part };
        orders += 1;
        guard.child.stdin?.write(`${JSON.stringify(order)}\n`);
        await guard.says(new RegExp(`(?:ordered\n[^]*){${orders}}`));
      },
      seen: () => told().slice(forgotten),
      forget() {
        forgotten = told().length;
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

/** @returns path of the CA; `cert` and `key` stand beside it */
async function writeCertificates(folder: string): Promise<string> {
  const authority = await createAuthority();
  const certificate = await authority.issue({ names: Object.keys(names) });
  const caFile = join(folder, "ca");
  writeFileSync(caFile, authority.certPem);
  writeFileSync(join(folder, "cert"), certificate.certPem);
  writeFileSync(join(folder, "key"), certificate.keyPem, { mode: 0o600 });
  return caFile;
}

function addressAll(client: LabHost, gateway: LabHost, presto: LabHost): void {
  client.ip("addr add 10.77.1.1/24 dev to-gateway");
  client.ip("route add default via 10.77.1.254");
  client.knows(names);
  gateway.ip("addr add 10.77.1.254/24 dev to-client");
  gateway.ip(`addr add ${registeredAddress}/32 dev to-presto`);
  gateway.ip("route add 10.77.0.0/24 dev to-presto");
  gateway.allowForwarding();
  gateway.filter(
    "add chain inet lab leave { type nat hook postrouting priority 100; }",
    "add rule inet lab leave oifname to-presto masquerade",
  );
  for (const address of [guardAddresses.presto, ...guardAddresses.witnesses])
    presto.ip(`addr add ${address}/32 dev lo`);
  presto.ip("addr add 10.77.8.2/32 dev to-gateway");
  presto.ip("route add 10.77.9.0/24 dev to-gateway");
}
