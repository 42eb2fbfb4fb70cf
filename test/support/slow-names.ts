// A program: a DNS server on port 53 of 127.0.0.1. A line of JSON says from when on what it answers.
// node test/support/slow-names.ts
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";

/** What it answers from now on. */
export interface NameRules {
  /** Answers nothing at all. */
  readonly silent?: boolean;
  /** Answers nothing to a question for IPv6. */
  readonly silentOnV6?: boolean;
  /** Milliseconds before each answer. */
  readonly delayMs?: number;
  /** IPv4 addresses by name; what is not here does not exist. */
  readonly names: Readonly<Record<string, readonly string[]>>;
}

let rules: NameRules = { names: {} };
createInterface({ input: process.stdin }).on("line", (line) => {
  rules = JSON.parse(line);
  process.stdout.write(`rules: ${line}\n`);
});

const server = createSocket("udp4");
server.on("message", (query, from) => {
  const { silent = false, silentOnV6 = false, delayMs = 0, names } = rules;
  const { name, end } = nameIn(query);
  const type = query.readUInt16BE(end);
  process.stdout.write(`asked: ${name} ${type}\n`);
  if (silent || (silentOnV6 && type === 28)) return;
  const reply = replyTo(query.subarray(0, end + 4), type, names[name]);
  setTimeout(() => server.send(reply, from.port, from.address), delayMs);
});
server.bind(53, "127.0.0.1", () => process.stdout.write("listening\n"));

/** The name of the first question (RFC 1035 section 4.1.2), and where it ends. */
function nameIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), end: at + 1 };
}

function replyTo(question: Buffer, type: number, addresses: readonly string[] | undefined): Buffer {
  const answers = type === 1 ? (addresses ?? []) : [];
  const head = Buffer.from(question);
  // A response, recursion available; 3 is NXDOMAIN.
  head.writeUInt16BE(0x81_80 | (addresses === undefined ? 3 : 0), 2);
  head.writeUInt16BE(answers.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([
    head,
    ...answers.map((address) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, ...address.split(".").map(Number)]),
    ),
  ]);
}
