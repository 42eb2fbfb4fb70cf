const wallet = "/api/institutions/v1/wallet";

/** A request as bytes, with further field lines. */
export function getCall(path: string, ...lines: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, "Host: localhost", ...lines, "", ""].join("\r\n");
}

/** A POST of JSON as bytes, with further field lines. */
export function postCall(path: string, body: string, ...lines: readonly string[]): string {
  const head = [
    `POST ${path} HTTP/1.1`,
    "Host: localhost",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...lines,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

/** The first call of a top-up: nothing moves yet. */
export function initCall(...lines: readonly string[]): string {
  const body =
    '{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":10.500,"currency":"LYD"}';
  return postCall(`${wallet}/init`, body, ...lines);
}

/** The call that moves the money. */
export function confirmCall(reference: string, ...lines: readonly string[]): string {
  return postCall(`${wallet}/confirm`, JSON.stringify({ transaction_reference: reference }), ...lines);
}

/** Asks what became of a transaction. */
export function queryCall(reference: string, ...lines: readonly string[]): string {
  return getCall(`${wallet}/transaction/${reference}`, ...lines);
}

/** Paths of the wallet's calls. */
export const walletPaths = {
  init: `${wallet}/init`,
  confirm: `${wallet}/confirm`,
  transaction: `${wallet}/transaction`,
} as const;

let confirms = 0;

/** A confirm of a transaction of its own: a second one of the same would be kept back. */
export function nextConfirmCall(...lines: readonly string[]): string {
  confirms += 1;
  return confirmCall(`N${confirms}`, ...lines);
}
