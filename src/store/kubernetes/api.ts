import type { SecureContext } from "node:tls";

import type { Clock } from "../../clock.ts";
import { StoreError } from "../contract.ts";
import {
  createRemoteClient,
  type RemoteClient,
  RemoteError,
  type RemoteErrorCode,
  type RemoteRequest,
  type RemoteResponse,
  type RemoteStream,
} from "../remote.ts";
import type { Cluster, Identity } from "./cluster.ts";

export interface ApiRequest {
  readonly method: "GET" | "PUT" | "POST";
  readonly path: string;
  readonly body?: string;
}

/** Requests to an API server, each with credentials. Any answer is one, a refusal too. */
export interface Api {
  /** @throws StoreError `unreachable`, `refused`, `not-yet` */
  request(request: ApiRequest): Promise<RemoteResponse>;
  /** Over a connection of its own. @throws as `request` */
  stream(path: string): Promise<RemoteStream>;
  close(): void;
}

/** Milliseconds that requests under way still have over connections whose trust or certificate has changed. */
const lingerMs = 10_000;

export function createApi(cluster: Cluster, clock: Clock): Api {
  let context: SecureContext | undefined;
  let client: RemoteClient | undefined;
  let closed = false;

  /** Connections stand no longer than what they were verified by. */
  function clientFor(identity: Identity): RemoteClient {
    if (client !== undefined && identity.context === context) return client;
    const old = client;
    if (old !== undefined) clock.after(lingerMs, () => old.close());
    const { url, server, serverName } = cluster;
    context = identity.context;
    client = createRemoteClient({
      url,
      server,
      tls: { context: () => identity.context, serverName },
      clock,
    });
    if (closed) client.close();
    return client;
  }

  async function send<T extends { readonly status: number; readonly destroy?: () => void }>(
    request: ApiRequest,
    over: (client: RemoteClient, request: RemoteRequest) => Promise<T>,
  ): Promise<T> {
    const sendAs = async (identity: Identity): Promise<T> => {
      try {
        return await over(clientFor(identity), {
          ...request,
          path: `${cluster.basePath}${request.path}`,
          headers: headersFor(request, identity),
        });
      } catch (error) {
        throw error instanceof RemoteError ? notReached(cluster, error) : error;
      }
    };
    const identity = await cluster.identify();
    const answer = await sendAs(identity);
    if (answer.status !== 401) return answer;
    // Nothing was done. With other credentials, where there are any, it may go once more.
    cluster.refused();
    const other = await cluster.identify();
    if (other.authorization === identity.authorization && other.context === identity.context) return answer;
    answer.destroy?.();
    return sendAs(other);
  }

  return {
    request: (request) => send(request, (client, prepared) => client.request(prepared)),
    stream: (path) => send({ method: "GET", path }, (client, prepared) => client.stream(prepared)),
    close() {
      closed = true;
      client?.close();
    },
  };
}

function headersFor({ body }: ApiRequest, { authorization }: Identity): Record<string, string> {
  return {
    accept: "application/json",
    "user-agent": "presto-sidecar",
    ...(authorization === undefined ? {} : { authorization }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
}

const mends: Readonly<Record<RemoteErrorCode, string>> = {
  unreachable: "See that it runs, and that no network policy or firewall stands between",
  untrusted:
    "See that the CA of the cluster is the one that signs its certificate, and that the address is one of those in it",
  late: "See that it is not overloaded, and that no firewall swallows connections",
  broken: "See that it runs; it may be restarting",
  "too-large": "See that it is an API server, and the Secret one of ours",
  closed: "Start anew",
};

function notReached({ url, inPod }: Cluster, error: RemoteError): StoreError {
  const look = inPod ? "" : "; from here: kubectl get --raw /readyz";
  return new StoreError(
    "unreachable",
    `The Kubernetes API server ${url} can't be asked: ${error.message}. ${mends[error.code]}${look}.`,
  );
}
