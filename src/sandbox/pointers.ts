/** Where everything is. */
export interface SandboxPlaces {
  readonly url: string;
  readonly controlUrl: string;
  readonly account: { readonly email: string; readonly password: string };
  readonly caFile: string;
  readonly tokenFile: string;
}

const sidecar = "http://127.0.0.1:7380";
const wallet = "/api/institutions/v1/wallet";

/**
 * What the sandbox prints: lines to copy into a shell. The account is made up, so that its
 * password may be shown; the token stands in its file only, as a real one would.
 */
export function pointers({ url, controlUrl, account, caFile, tokenFile }: SandboxPlaces): readonly string[] {
  const json = "-H 'Content-Type: application/json'";
  const order =
    '{"customer": {"identifier_type": "phone", "identifier": "218912345678"}, "amount": 10.500, "currency": "LYD"}';
  const fault = `{"kind": "reset-after-acting", "path": "${wallet}/confirm", "times": 1}`;
  const issue = {
    email: account.email,
    password: account.password,
    token_name: "by hand",
    token_expiration_date: "2099-01-01",
  };
  return [
    `A stand-in for Presto listens on ${url}, and knows one account:`,
    `  e-mail    ${account.email}`,
    `  password  ${account.password}`,
    "",
    "# Point a sidecar at it, in another terminal:",
    `export PRESTO_URL=${url}`,
    `export PRESTO_CA_FILE=${quoted(caFile)}`,
    `export PRESTO_TOKEN_FILE=${quoted(tokenFile)}`,
    "presto-sidecar start   # in a clone of the project: npx presto-sidecar start",
    "",
    "# Call it through the sidecar, in a third one (init answers with the reference):",
    `curl -i ${json} -d ${quoted(order)} ${sidecar}${wallet}/init`,
    `curl -i ${json} -d '{"transaction_reference": "TRX100000001"}' ${sidecar}${wallet}/confirm`,
    `curl -i ${sidecar}${wallet}/transaction/TRX100000001`,
    "",
    "# Issue a token by hand, which kills the one in use:",
    `curl --cacert ${quoted(caFile)} ${json} -d ${quoted(JSON.stringify(issue))} ${url}/api/institutions/v1/auth/token/issue`,
    "",
    "# The control endpoint: what moved, what can go wrong, and how to make it go wrong:",
    `curl ${controlUrl}/state`,
    `curl ${controlUrl}/`,
    `curl -d ${quoted(fault)} ${controlUrl}/faults`,
    `curl -X DELETE ${controlUrl}/faults`,
    `curl -X POST ${controlUrl}/reset`,
    `curl -X POST ${controlUrl}/revoke`,
    "",
    "# A new live token for the sidecar, after it was revoked, reset, or killed by an issue:",
    `curl -X POST -H 'Accept: text/plain' ${controlUrl}/token > ${quoted(tokenFile)}`,
    "",
    "Ctrl-C stops it and removes its files.",
  ];
}

/** As a POSIX shell takes it for one word. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
