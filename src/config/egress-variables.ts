import * as valid from "./validators.ts";
import { variable } from "./variable.ts";

/** How calls leave this machine. */
export const egressVariables = {
  PRESTO_EGRESS_ADDRESS: variable(valid.egressAddress, {
    example: "203.0.113.7",
    meaning:
      "Address of this machine to leave from, IPv4 or IPv6 (a link-local one with its interface: `fe80::1%eth0`). One that the machine does not have stops the start.",
  }),
  PRESTO_EGRESS_PROXY: variable(valid.egressProxy, {
    secret: true,
    example: "http://user:password@gateway.example:3128",
    meaning:
      "Egress proxy: `http://[user:password@]host:port` (CONNECT), the same with `https://` (CONNECT, over TLS to the proxy), or with `socks5://` (names are resolved by the proxy). The port must be written; user and password are percent-encoded. TLS to Presto goes end to end through it.",
  }),
  PRESTO_EGRESS_PROXY_FILE: variable(valid.path, {
    example: "/run/secrets/presto/egress-proxy",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_EGRESS_IPS: variable(valid.egressIps, {
    example: "203.0.113.7,2001:db8:7::/64",
    meaning:
      "Comma list of the addresses or CIDRs that are registered with Presto. What `PRESTO_EGRESS_CHECK_URL` answers is compared with them; calls that would leave from another address are kept back.",
  }),
  PRESTO_EGRESS_CHECK_URL: variable(valid.checkUrls, {
    example: "https://ip.example.com/,https://address.example.org/json",
    meaning:
      "Comma list of `https` URLs that answer with the caller's address, as plain text or as JSON with `ip`. They are asked over the same way out as Presto, without a token; redirects are not followed. Calls are kept back when two of them see an address that is not in `PRESTO_EGRESS_IPS`, or when one does and Presto turns calls away; give two of different owners. Without it nothing is ever kept back.",
  }),
};
