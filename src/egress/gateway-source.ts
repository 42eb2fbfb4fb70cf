import { Failure, systemCode } from "../errors.ts";
import { readBounded } from "../files/read-bounded.ts";
import type { BoundedRead } from "../files/read-bounded.ts";
import { parseGateway } from "./gateway.ts";
import type { Gateway } from "./gateway.ts";

/** An egress proxy given by value, or by the path of a file that is read again when it changes. */
export type GatewaySource =
  | { readonly kind: "value"; readonly gateway: Gateway }
  | { readonly kind: "file"; readonly path: string };

/** Bytes. A path given by mistake is not read whole. */
const maxBytes = 8 * 1024;

/**
 * Reads the egress proxy afresh.
 * @throws Failure `configuration` that says what is wrong with the file, and quotes nothing of it
 */
export async function readGateway(source: GatewaySource): Promise<Gateway> {
  if (source.kind === "value") return source.gateway;
  const { path } = source;
  let read: BoundedRead;
  try {
    read = await readBounded(path, { maxBytes, followLink: true });
  } catch (error) {
    throw refused(
      `${path} can't be read (${systemCode(error) ?? "unknown cause"}); see that the user of this process may`,
      error,
    );
  }
  switch (read.kind) {
    case "absent":
      throw refused(`${path} is not there; put the egress proxy's URL into it`);
    case "link":
    case "not-a-file":
      throw refused(`${path} is not a regular file; name one that holds the egress proxy's URL`);
    case "too-large":
      throw refused(
        `${path} is larger than ${maxBytes} bytes; name a file that holds the egress proxy's URL and nothing else`,
      );
    case "content": {
      // Such files may be mounts, owned and readable as the platform likes. But who may write it chooses the way out.
      if ((read.mode & 0o022) !== 0)
        throw refused(`${path} may be written by its group or by others; run: chmod go-w ${path}`);
      const { gateway, wrong } = parseGateway(read.bytes.toString("utf8").replace(/\r?\n$/, ""));
      if (gateway === undefined) throw refused(`what ${path} holds ${wrong}`);
      return gateway;
    }
  }
}

function refused(what: string, cause?: unknown): Failure {
  return new Failure("configuration", `PRESTO_EGRESS_PROXY_FILE: ${what}`, cause);
}
