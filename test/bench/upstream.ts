import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Certificates } from "./certificates.ts";
import { type Command } from "./child.ts";

/** 134 bytes: what Presto answers to a query of a transaction, and here to a confirm, in length and form. */
export function answerAbout(reference: string): string {
  return JSON.stringify({
    data: {
      transaction_reference: reference,
      status: "completed",
      amount: 200,
      currency: "LYD",
      timestamp: "2026-11-24T10:00Z",
    },
  });
}

export const answer = answerAbout("TRX12345678901");

/** What a caller asks for. */
export const queryPath = "/api/institutions/v1/wallet/transaction/TRX12345678901";
export const confirmPath = "/api/institutions/v1/wallet/confirm";

let confirms = 0;

/** A confirm of a transaction of its own: nobody sends a second one of the same. */
export function nextConfirm(): { readonly path: string; readonly body: string; readonly answer: string } {
  confirms += 1;
  const reference = `TRX${String(99_000_000_000 + (process.pid % 1_000) * 1_000_000 + confirms)}`;
  return {
    // In the query as well: from there the server takes it into its answer.
    path: `${confirmPath}?transaction_reference=${reference}`,
    body: JSON.stringify({ transaction_reference: reference }),
    answer: answerAbout(reference),
  };
}

/** The lines that every nginx here begins with: one process, in the foreground, no files beside its folder. */
export function nginxHead(folder: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off; master_process off; worker_processes 1; pid ${folder}/nginx.pid;
error_log stderr warn; worker_rlimit_nofile 4096;
events { worker_connections 2048; }
http {
  access_log off; server_tokens off; keepalive_requests 100000000; keepalive_timeout 300s;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
`;
}

/** A TLS 1.3 server that answers at once, but only to the right bearer token. */
export function prepareUpstream(
  nginx: string,
  folder: string,
  port: number,
  certificates: Certificates,
  token: string,
): Command {
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `${nginxHead(folder)}
  server {
    listen 127.0.0.1:${port} ssl backlog=1024;
    ssl_protocols TLSv1.3;
    ssl_certificate ${certificates.certificate}; ssl_certificate_key ${certificates.key};
    default_type application/json;
    location = ${confirmPath} {
      if ($http_authorization != "Bearer ${token}") { return 401; }
      return 200 '${answerAbout("$arg_transaction_reference")}';
    }
    location / {
      if ($http_authorization != "Bearer ${token}") { return 401; }
      return 200 '${answer}';
    }
  }
}
`,
  );
  return { argv: [nginx, "-c", file, "-p", folder] };
}
