import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { LabHost, LabProcess } from "./network-lab.ts";

export interface TinyproxyOptions {
  readonly listen: string;
  readonly port: number;
  /** `user password`. */
  readonly login?: string;
  /** Whom it lets in; everybody unless given. */
  readonly allow?: string;
  /** Names of hosts that it lets nobody reach: a regular expression. */
  readonly forbidden?: string;
  readonly folder: string;
}

/** An HTTP proxy: tinyproxy, which lets CONNECT through to port 443 alone. */
export async function startTinyproxy(host: LabHost, options: TinyproxyOptions): Promise<LabProcess> {
  const { listen, port, login, allow, forbidden, folder } = options;
  const file = join(folder, `tinyproxy-${listen}-${port}`);
  const lines = [
    `Port ${port}`,
    `Listen ${listen}`,
    "Timeout 10",
    "LogLevel Info",
    "ConnectPort 443",
    ...(login === undefined ? [] : [`BasicAuth ${login}`]),
    ...(allow === undefined ? [] : [`Allow ${allow}`]),
  ];
  if (forbidden !== undefined) {
    writeFileSync(`${file}.filter`, `${forbidden}\n`);
    lines.push(`Filter "${file}.filter"`, "FilterExtended On");
  }
  writeFileSync(file, `${lines.join("\n")}\n`);
  const proxy = host.start("tinyproxy", ["-d", "-c", file]);
  await proxy.says("Accepting connections");
  return proxy;
}

/** A SOCKS5 proxy: microsocks, on port 1080 unless another is named. */
export async function startMicrosocks(
  host: LabHost,
  options: { readonly listen: string; readonly port: number; readonly login?: readonly [string, string] },
): Promise<LabProcess> {
  const { listen, port, login } = options;
  const args = ["-i", listen, "-p", String(port)];
  if (login !== undefined) args.push("-u", login[0], "-P", login[1]);
  const proxy = host.start("microsocks", args);
  await host.listens(port);
  return proxy;
}
