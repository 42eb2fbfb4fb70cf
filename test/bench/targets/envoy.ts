import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Setting, Target } from "../target.ts";

const types = "type.googleapis.com/envoy.extensions";
const address = (port: number): object => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function bootstrap({ ports, upstreamPort, certificates, token }: Setting): object {
  const connectionManager = {
    "@type": `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "app",
    codec_type: "HTTP1",
    route_config: {
      virtual_hosts: [
        {
          name: "presto",
          domains: ["*"],
          routes: [
            {
              match: { prefix: "/" },
              route: { cluster: "presto", timeout: "20s", host_rewrite_literal: "localhost" },
            },
          ],
        },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.credential_injector",
        typed_config: {
          "@type": `${types}.filters.http.credential_injector.v3.CredentialInjector`,
          overwrite: true,
          credential: {
            name: "envoy.http.injected_credentials.generic",
            typed_config: {
              "@type": `${types}.http.injected_credentials.generic.v3.Generic`,
              credential: { name: "bearer" },
            },
          },
        },
      },
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${types}.filters.http.router.v3.Router` },
      },
    ],
  };
  const tls = {
    "@type": `${types}.transport_sockets.tls.v3.UpstreamTlsContext`,
    sni: "localhost",
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
      validation_context: {
        trusted_ca: { filename: certificates.ca },
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "localhost" } }],
      },
    },
  };
  return {
    static_resources: {
      secrets: [{ name: "bearer", generic_secret: { secret: { inline_string: `Bearer ${token}` } } }],
      listeners: [
        {
          address: address(ports[0]),
          filter_chains: [
            {
              filters: [
                { name: "envoy.filters.network.http_connection_manager", typed_config: connectionManager },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: "presto",
          connect_timeout: "5s",
          type: "STATIC",
          load_assignment: {
            cluster_name: "presto",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
          },
          transport_socket: { name: "envoy.transport_sockets.tls", typed_config: tls },
        },
      ],
    },
  };
}

/** Envoy with its credential_injector: what a platform team would use to attach a token. One worker thread. */
export const envoy: Target = {
  name: "envoy",
  title: "Envoy, credential_injector",
  prepare(setting) {
    const binary = setting.programs.envoy;
    if (binary === undefined) return undefined;
    const file = join(setting.folder, "envoy.json");
    writeFileSync(file, JSON.stringify(bootstrap(setting)));
    return {
      command: { argv: [binary, "-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "error"] },
    };
  },
};
